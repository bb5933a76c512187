"""UHub: the same buckets under other words, with the types that typed SDKs decode."""

import os
from typing import Any

import pytest

from tests.conftest import Live, TestHub
from tests.registry.kit import push_image


@pytest.fixture
def repo(hub: TestHub) -> TestHub:
    assert hub.call("CreateRepo", RepoName="demo-repo", Description="测试 镜像", IsShared="true")["RetCode"] == 0
    return hub


def test_create_list_update_delete(repo: TestHub) -> None:
    shared = repo.call("GetRepo")
    assert shared["TotalCount"] == 1
    row = shared["RepoSet"][0]
    assert (row["RepoName"], row["Description"], row["IsShared"], row["IsOutSide"]) == (
        "demo-repo", "测试 镜像", "true", "true")  # fmt: skip
    assert all(isinstance(value, str) for value in row.values())
    assert row["CreateTime"].endswith("Z")
    assert repo.call("GetRepo", Type="private")["RepoSet"] == []
    assert repo.call("UpdateRepo", RepoName="demo-repo", Description="only this")["RetCode"] == 0
    assert repo.call("GetRepo", Type="public")["RepoSet"][0]["Description"] == "only this"
    for text, kind in (("False", "private"), ("True", "public"), ("false", "private")):
        assert repo.call("UpdateRepo", RepoName="demo-repo", IsShared=text)["RetCode"] == 0
        assert repo.call("GetRepo", Type=kind)["TotalCount"] == 1
    assert repo.call("UpdateRepo", RepoName="demo-repo", IsShared="perhaps")["RetCode"] == 230
    assert repo.call("GetRepo", Type="other")["RetCode"] == 230
    listed = repo.call("GetImageBucketList", Region="cn-bj2")["ImageSet"]
    assert [(one["BucketName"], one["BucketType"]) for one in listed] == [("demo-repo", "Private")]
    assert repo.call("DeleteRepo", RepoName="demo-repo")["RetCode"] == 0
    assert repo.call("GetImageBucketList", Region="cn-bj2")["TotalCount"] == 0


def test_refusals_are_permanent_codes_below_2000(repo: TestHub) -> None:
    cases: list[tuple[str, dict[str, Any], int]] = [
        ("CreateRepo", {"RepoName": "demo-repo"}, 1031),
        ("CreateRepo", {"RepoName": "Bad_Name_"}, 1032),
        ("CreateRepo", {"RepoName": "fine-name", "Description": "x" * 501}, 230),
        ("CreateRepo", {}, 220),
        ("DeleteRepo", {"RepoName": "none-such"}, 1030),
        ("UpdateRepo", {"RepoName": "none-such"}, 1030),
        ("GetRepoImage", {"RepoName": "none-such"}, 1030),
        ("GetImageTag", {"RepoName": "demo-repo", "ImageName": "none"}, 1033),
        ("DeleteRepoImage", {"RepoName": "demo-repo", "ImageName": "none"}, 1033),
        ("GetRepo", {"ProjectId": "org-none"}, 292),
    ]
    for action, params, code in cases:
        assert repo.call(action, **params)["RetCode"] == code, (action, params)
    push_image(repo, "demo-repo/app", "v1", repo.main)
    assert repo.call("DeleteRepo", RepoName="demo-repo")["RetCode"] == 1010


def test_images_tags_pulls_and_latest(repo: TestHub) -> None:
    first, _ = push_image(repo, "demo-repo/app", "v2", repo.main)
    second, _ = push_image(repo, "demo-repo/app", "v1", repo.main)
    for reference in ("v1", "v2", first):
        repo.request("GET", f"/v2/demo-repo/app/manifests/{reference}")
    repo.request("HEAD", "/v2/demo-repo/app/manifests/v1")
    images = repo.call("GetRepoImage", RepoName="demo-repo")
    [row] = images["ImageSet"]
    assert (images["TotalCount"], row["PullCount"], row["LatestTag"], row["RepoName"]) == (1, 3, "v1", "demo-repo")
    tags = repo.call("GetImageTag", RepoName="demo-repo", ImageName="app")
    assert [(one["TagName"], one["Digest"]) for one in tags["TagSet"]] == [("v1", second), ("v2", first)]
    only = repo.call("GetImageTag", RepoName="demo-repo", ImageName="app", TagName="v2")
    assert (only["TotalCount"], only["TagSet"][0]["Digest"]) == (1, first)
    assert repo.call("GetImageTag", RepoName="demo-repo", ImageName="app", TagName="v9")["TotalCount"] == 0
    assert repo.call("DeleteRepoImage", RepoName="demo-repo", ImageName="app", TagName="")["RetCode"] == 230
    assert repo.call("DeleteRepoImage", RepoName="demo-repo", ImageName="app", TagName="v1")["RetCode"] == 0
    assert repo.call("GetRepoImage", RepoName="demo-repo")["ImageSet"][0]["LatestTag"] == "v2"
    assert repo.call("DeleteRepoImage", RepoName="demo-repo", ImageName="app")["RetCode"] == 0
    assert repo.call("GetRepoImage", RepoName="demo-repo") == {
        "RetCode": 0, "Action": "GetRepoImageResponse", "Message": "", "TotalCount": 0, "ImageSet": []}  # fmt: skip
    assert repo.request("GET", "/v2/demo-repo/app/manifests/v2").status == 404
    assert repo.call("DeleteRepo", RepoName="demo-repo")["RetCode"] == 0


def test_pulls_survive_a_restart_and_are_counted_once(repo: TestHub) -> None:
    from entrepot.ops import pulls

    push_image(repo, "demo-repo/app", "v1", repo.main)
    for _ in range(5):
        repo.request("GET", "/v2/demo-repo/app/manifests/v1")
    repo.run(pulls.flush(repo.hub))
    repo.request("GET", "/v2/demo-repo/app/manifests/v1")
    assert repo.call("GetRepoImage", RepoName="demo-repo")["ImageSet"][0]["PullCount"] == 6
    repo.run(pulls.flush(repo.hub))
    repo.reopen()
    assert repo.call("GetRepoImage", RepoName="demo-repo")["ImageSet"][0]["PullCount"] == 6


def test_a_sub_user_must_send_its_project(repo: TestHub) -> None:
    from entrepot.ops import people

    made = repo.run(people.add_user(repo.hub, "sub@example.com", password="battery staple",
                                    rights=frozenset({"pull", "push"}), account_of=repo.email))  # fmt: skip
    repo.public_key, repo.private_key = made.public_key, made.private_key
    assert repo.call("GetRepo")["RetCode"] == 299
    assert repo.call("GetRepo", ProjectId=repo.project_id)["RetCode"] == 0
    assert repo.call("GetImageBucketList", Region="cn-bj2")["RetCode"] == 0
    assert repo.call("DeleteRepo", RepoName="demo-repo", ProjectId=repo.project_id)["RetCode"] == 299


def test_somebody_elses_private_repository_is_unknown(repo: TestHub) -> None:
    from entrepot.ops import people

    repo.call("UpdateRepo", RepoName="demo-repo", IsShared="false")
    push_image(repo, "demo-repo/app", "v1", repo.main)
    made = repo.run(people.add_user(repo.hub, "other@example.com", password="battery staple", rights=frozenset(),
                                    account_of=None))  # fmt: skip
    repo.public_key, repo.private_key = made.public_key, made.private_key
    for action, more in (("GetRepoImage", {}), ("GetImageTag", {"ImageName": "app"}), ("DeleteRepo", {}),
                         ("UpdateRepo", {"IsShared": "true"}), ("DeleteRepoImage", {"ImageName": "app"})):  # fmt: skip
        assert repo.call(action, RepoName="demo-repo", **more)["RetCode"] == 1030, action
    assert repo.call("GetRepo", Type="private")["TotalCount"] == 0


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_typed_sdk_client(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    from ucloud.client import Client

    for name in list(os.environ):
        if "proxy" in name.lower():
            monkeypatch.delenv(name)
    client = Client({"region": "cn-bj2", "project_id": live.project_id, "base_url": live.url,
                     "public_key": live.public_key, "private_key": live.private_key}).uhub()  # fmt: skip
    client.create_repo({"RepoName": "typed-sdk", "IsShared": True, "Description": "中文"})
    assert "typed-sdk" in [one["RepoName"] for one in client.get_repo({"Type": "public"})["RepoSet"]]
    client.update_repo({"RepoName": "typed-sdk", "IsShared": "False"})
    [mine] = client.get_repo({"Type": "private"})["RepoSet"]
    assert (mine["RepoName"], mine["IsShared"]) == ("typed-sdk", "false")
    assert client.get_repo_image({"RepoName": "typed-sdk"})["TotalCount"] == 0
    client.delete_repo({"RepoName": "typed-sdk"})
