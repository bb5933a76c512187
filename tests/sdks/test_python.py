"""ucloud-sdk-python3, unchanged: its typed clients for accounts and members, and how it repeats calls."""

import ast
import contextlib
import json
import os
from typing import Any

import pytest
from ucloud.client import Client
from ucloud.core import exc

from entrepot.model.flow.kinds import KINDS
from tests.model.flow.kit import every_type
from tests.sdks.conftest import Shop

pytestmark = [
    pytest.mark.clients,
    # The SDK leaves its connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if "proxy" in name.lower():
            monkeypatch.delenv(name)


def sdk(shop: Shop, **more: Any) -> Client:
    return Client(
        {"region": "cn-bj2", "project_id": shop.live.project_id, "base_url": shop.live.url,
         "public_key": shop.live.public_key, "private_key": shop.live.private_key, **more}
    )  # fmt: skip


def code(call: Any, *words: Any) -> int:
    with pytest.raises(exc.RetCodeException) as refused:
        call(*words)
    return int(refused.value.code)


def test_uaccount_tells_regions_and_the_user(shop: Shop) -> None:
    account = sdk(shop).uaccount()
    regions = account.get_region()["Regions"]
    assert [(one["Region"], one["Zone"]) for one in regions if one["IsDefault"]] == [("cn-bj2", "cn-bj2-01")]
    assert sorted(one["RegionId"] for one in regions) == list(range(1, len(regions) + 1))
    [user] = account.get_user_info()["DataSet"]
    assert (user["UserEmail"], user["AuthState"], user["Admin"]) == (shop.live.email, "CERTIFIED", 1)
    assert user["Administrator"] == shop.live.email


def test_uaccount_makes_renames_and_ends_projects(shop: Shop) -> None:
    account = sdk(shop).uaccount()

    def names() -> dict[str, str]:
        listed = account.get_project_list({"IsFinance": "No"})
        assert listed["ProjectCount"] == len(listed["ProjectSet"])
        return {one["ProjectId"]: one["ProjectName"] for one in listed["ProjectSet"]}

    assert names()[shop.live.project_id] == "Default"
    project = account.create_project({"ProjectName": "网站"})["ProjectId"]
    assert names()[project] == "网站"
    account.modify_project({"ProjectId": project, "ProjectName": "web 2"})
    assert names()[project] == "web 2"

    inside = sdk(shop, project_id=project).uhub()
    inside.create_repo({"RepoName": "py-in-project", "IsShared": False, "Description": "测试"})
    assert [one["RepoName"] for one in inside.get_repo({"Type": "private"})["RepoSet"]] == ["py-in-project"]
    assert code(account.terminate_project, {"ProjectId": project}) == 1026
    inside.delete_repo({"RepoName": "py-in-project"})
    account.terminate_project({"ProjectId": project})
    assert project not in names()
    assert code(inside.get_repo) == 292


def test_uhub_in_typed_calls(shop: Shop) -> None:
    hub = sdk(shop).uhub()
    hub.create_repo({"RepoName": "py-repo", "IsShared": False, "Description": "a & b"})
    [digest] = shop.push("py-repo/app", "v1")
    [repo] = [
        one for one in hub.get_repo({"Type": "private", "Limit": 1000})["RepoSet"] if one["RepoName"] == "py-repo"
    ]
    assert (repo["IsShared"], repo["IsOutSide"], repo["Description"]) == ("false", "true", "a & b")
    [image] = hub.get_repo_image({"RepoName": "py-repo"})["ImageSet"]
    assert (image["ImageName"], image["LatestTag"], image["PullCount"]) == ("app", "v1", 0)
    tags = hub.get_image_tag({"RepoName": "py-repo", "ImageName": "app", "TagName": "v1"})
    assert [(one["TagName"], one["Digest"]) for one in tags["TagSet"]] == [("v1", digest)]
    # The SDK's field is text: Python's True goes out as "True".
    hub.update_repo({"RepoName": "py-repo", "IsShared": True})
    assert "py-repo" in [one["RepoName"] for one in hub.get_repo({"Limit": 1000})["RepoSet"]]
    hub.update_repo({"RepoName": "py-repo", "Description": "told anew"})
    [repo] = [one for one in hub.get_repo({"Limit": 1000})["RepoSet"] if one["RepoName"] == "py-repo"]
    assert (repo["IsShared"], repo["Description"]) == ("true", "told anew")
    assert code(hub.delete_repo_image, {"RepoName": "py-repo", "ImageName": "app", "TagName": ""}) == 230
    assert shop.tags("py-repo", "app") == ["v1"]
    hub.delete_repo_image({"RepoName": "py-repo", "ImageName": "app"})
    assert hub.delete_repo({"RepoName": "py-repo"}) == {}


def test_iam_life_of_a_user(shop: Shop) -> None:
    iam = sdk(shop).iam()
    made = iam.create_user(
        {"UserName": "py-alice", "DisplayName": "爱丽丝", "AccessKeyStatus": "Inactive", "LoginProfileStatus": "Active",
         "Email": "py-alice@example.com"}
    )  # fmt: skip
    assert made["Message"] == ""
    user = iam.get_user({"UserName": "py-alice"})["User"]
    assert (user["Email"], user["DisplayName"], user["Status"]) == ("py-alice@example.com", "爱丽丝", "Active")
    assert user["CreatedAt"] > 1_700_000_000
    first = iam.list_users({"Limit": "1", "Offset": "0"})
    everybody = iam.list_users({"Limit": "100"})
    assert len(first["Users"]) == 1
    assert first["TotalCount"] == everybody["TotalCount"] == len(everybody["Users"]) >= 2
    assert {"py-alice", shop.live.email} <= {one["UserName"] for one in everybody["Users"]}

    iam.update_user({"UserName": "py-alice", "NewUserName": "py-alicia", "DisplayName": "A", "Status": "Inactive"})
    assert code(iam.get_user, {"UserName": "py-alice"}) == 1024
    user = iam.get_user({"UserName": "py-alicia"})["User"]
    assert (user["DisplayName"], user["Status"]) == ("A", "Inactive")
    assert code(iam.create_user, {"UserName": "py-alicia", "AccessKeyStatus": "Active",
                                  "LoginProfileStatus": "Inactive"}) == 1023  # fmt: skip
    iam.delete_user({"UserName": "py-alicia"})
    assert code(iam.delete_user, {"UserName": "py-alicia"}) == 1024


def test_iam_keys(shop: Shop) -> None:
    iam = sdk(shop).iam()
    iam.create_user({"UserName": "py-robot", "AccessKeyStatus": "Active", "LoginProfileStatus": "Inactive"})
    key = iam.create_access_key({"UserName": "py-robot"})["AccessKey"]
    assert (key["Status"], key["DeletedAt"], key["ExpiredAt"]) == ("Active", 0, 0)
    assert key["UserId"] > 1
    listed = iam.list_access_keys({"UserName": "py-robot"})["AccessKey"]
    assert len(listed) == 2
    assert key["AccessKeyID"] in [one["AccessKeyID"] for one in listed]
    assert {one["AccessKeySecret"] for one in listed} == {""}, "a secret is shown once"

    robot = sdk(shop, public_key=key["AccessKeyID"], private_key=key["AccessKeySecret"])
    [user] = robot.uaccount().get_user_info()["DataSet"]
    assert (user["UserId"], user["Admin"]) == (key["UserId"], 0)
    assert code(robot.iam().list_users) == 299
    shop.call("SetUserRights", UserName="py-robot", Right=["pull"])
    assert robot.uhub().get_repo({"Type": "private"})["TotalCount"] >= 0
    assert code(robot.uhub().create_repo, {"RepoName": "py-robots-own"}) == 299

    iam.update_access_key({"AccessKeyID": key["AccessKeyID"], "Status": "Inactive", "Description": "ci"})
    [kept] = [one for one in iam.list_access_keys({"UserName": "py-robot"})["AccessKey"]
              if one["AccessKeyID"] == key["AccessKeyID"]]  # fmt: skip
    assert (kept["Status"], kept["Description"]) == ("Inactive", "ci")
    assert code(robot.uaccount().get_user_info) == 172
    iam.update_access_key({"AccessKeyID": key["AccessKeyID"], "Status": "Active"})
    assert robot.uaccount().get_user_info()["DataSet"]
    iam.delete_access_key({"AccessKeyID": key["AccessKeyID"]})
    assert code(robot.uaccount().get_user_info) == 172
    assert code(iam.delete_access_key, {"AccessKeyID": key["AccessKeyID"]}) == 1025
    iam.delete_user({"UserName": "py-robot"})


def test_stepflow_in_typed_calls(shop: Shop) -> None:
    """The SDK encodes the template itself; it reads Activites, and turns what objects steps have into text."""
    typed = sdk(shop).stepflow()
    space = shop.call("CreateSFNamespace", Namespace="by-python")["NamespaceId"]
    place = {"Namespace": space, "WorkflowName": "every"}
    value = every_type()
    assert {one["Type"] for one in value["Activities"]} == set(KINDS)
    made = typed.create_sf_workflow_from_template({**place, "Workflow": json.dumps(value)})
    assert made["Version"] == 1
    got = typed.get_sf_workflow_template({"WorkflowId": f"{space}.every", "WorkflowVersion": 1})
    assert (got["WorkflowId"], got["Version"]) == (f"{space}.every", 1)
    for told, sent in zip(got["Workflow"]["Activites"], value["Activities"], strict=True):
        assert [told[name] for name in ("Name", "Type", "Next")] == [sent[name] for name in ("Name", "Type", "Next")]
        assert ast.literal_eval(told.get("Input") or "None") == sent["Input"]
        assert (int(told["RetryTimes"]), int(told["Timeout"])) == (sent["RetryTimes"], sent["Timeout"])
    whole = shop.call("GetSFWorkflowTemplate", Region="cn-bj2", WorkflowId=f"{space}.every", WorkflowVersion=1)
    assert whole["Workflow"]["Activities"] == value["Activities"]
    broken = json.dumps(value).replace('"Next": "api"', '"Next": "nowhere"')
    assert code(typed.create_sf_workflow_from_template, {**place, "Workflow": broken})
    shop.call("DeleteSFWorkflow", WorkflowId=f"{space}.every")
    shop.call("DeleteSFNamespace", Namespace=space)


def test_iam_projects(shop: Shop) -> None:
    page = sdk(shop).iam().list_projects({"Limit": "100", "Offset": "0"})
    assert page["TotalCount"] == len(page["Projects"])
    assert shop.live.project_id in [one["ProjectID"] for one in page["Projects"]]


@pytest.mark.parametrize(("action", "name", "calls"), [("CreateRepo", "py-twice-repo", 1),
                                                       ("CreateDockerImageBucket", "py_twice_bucket", 4)])  # fmt: skip
def test_repeats_of_a_failing_create(shop: Shop, action: str, name: str, calls: int) -> None:
    """With retries on, the SDK repeats what is answered above 2000, creates too; UHub's codes stay below."""
    client = sdk(shop, max_retries=3)
    params = {"RepoName": name, "BucketName": name}
    client.invoke(action, params)
    with contextlib.suppress(exc.RetCodeException):
        client.invoke(action, params)
    results = shop.trail(action, name)
    assert (len(results), results[-1]) == (calls + 1, 0)
    assert 0 not in results[:-1]
    assert shop.call("GetImageBucketList", Region="cn-bj2", BucketName=name)["TotalCount"] == 1
