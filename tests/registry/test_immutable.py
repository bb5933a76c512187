"""Immutable tags on every path that moves or deletes one."""

import json
from typing import Any

import pytest

from entrepot.errors import HubError, Kind
from entrepot.ops import collect
from entrepot.store.sql import manifests as manifests_sql
from tests.conftest import TestHub
from tests.registry.kit import OCI_INDEX, digest, manifest_of, push_blob, push_image, put_manifest

PATH = "/v2/depot/app/manifests"


@pytest.fixture
def depot(hub: TestHub) -> TestHub:
    """v1 is immutable, v1-rc and dev are not."""
    hub.bucket("depot")
    answer = hub.call("SetBucketImmutableTags", BucketName="depot", Tag=["v*", "other:*"], ExceptTag=["v*-rc*"])
    assert answer["RetCode"] == 0, answer
    return hub


def points(hub: TestHub, tag: str) -> str:
    return hub.request("GET", f"{PATH}/{tag}", login=hub.main).headers.get("docker-content-digest", "")


def other_manifest(hub: TestHub) -> bytes:
    return manifest_of([(push_blob(hub, "depot/app", b"other", hub.main), 5)])


def test_it_is_made_once_and_pushed_again_as_it_is(depot: TestHub) -> None:
    name, content = push_image(depot, "depot/app", "v1", depot.main)
    assert put_manifest(depot, "depot/app", "v1", content, depot.main).status == 201
    refused = put_manifest(depot, "depot/app", "v1", other_manifest(depot), depot.main)
    assert (refused.status, refused.code) == (403, "DENIED")
    message = refused.json["errors"][0]["message"]
    assert "v1 of depot/app" in message
    assert "use another tag" in message
    assert points(depot, "v1") == name
    for free in ("v1-rc1", "dev"):
        push_image(depot, "depot/app", free, depot.main)
        push_image(depot, "depot/app", free, depot.main)
        assert depot.request("DELETE", f"{PATH}/{free}", login=depot.main).status == 202
    trail = depot.call("ListAuditRecords", Limit=50)["AuditSet"]
    assert [one["Result"] for one in trail if one["Action"] == "Push"] == [1045]


def test_a_list_of_tags_is_all_or_nothing(depot: TestHub) -> None:
    name, _ = push_image(depot, "depot/app", "v1", depot.main)
    other = other_manifest(depot)
    tried = put_manifest(depot, "depot/app", f"{digest(other)}?tag=dev&tag=v1&tag=new", other, depot.main)
    assert tried.code == "DENIED"
    assert (points(depot, "v1"), points(depot, "dev"), points(depot, "new")) == (name, "", "")
    assert depot.request("GET", f"{PATH}/{digest(other)}", login=depot.main).status == 404
    done = put_manifest(depot, "depot/app", f"{digest(other)}?tag=dev&tag=v2", other, depot.main)
    assert done.status == 201


def test_nothing_deletes_it(depot: TestHub) -> None:
    name, content = push_image(depot, "depot/app", "v1", depot.main)
    put_manifest(depot, "depot/app", "dev", content, depot.main)
    own = {"BucketName": "depot", "ImageName": "app"}
    repo = {"RepoName": "depot", "ImageName": "app"}
    for reference in ("v1", name):
        assert depot.request("DELETE", f"{PATH}/{reference}", login=depot.main).code == "DENIED"
    refused: list[tuple[str, dict[str, Any]]] = [
        ("DeleteImage", {**own, "Region": "cn-bj2", "Tag": ["dev", "v1"]}),
        ("DeleteRepoImage", {**repo, "TagName": "v1"}),
        ("DeleteRepoImage", repo),
    ]
    for action, params in refused:
        assert depot.call(action, **params)["RetCode"] == 1045, action
    assert (points(depot, "v1"), points(depot, "dev")) == (name, name)
    assert depot.call("DeleteRepo", RepoName="depot")["RetCode"] == 1010
    # What is not there, is not there.
    assert depot.request("DELETE", f"{PATH}/v9", login=depot.main).status == 404
    assert depot.call("DeleteImage", **own, Region="cn-bj2", Tag=["v9"])["RetCode"] == 43045


def test_a_tag_is_not_restored_over_it(depot: TestHub) -> None:
    first, _ = push_image(depot, "depot/app", "dev", depot.main)
    second, _ = push_image(depot, "depot/app", "dev", depot.main)
    own = {"BucketName": "depot", "ImageName": "app", "TagName": "dev"}
    assert depot.call("SetBucketImmutableTags", BucketName="depot", Tag=["dev"])["RetCode"] == 0
    assert depot.call("RestoreTag", **own, Digest=first)["RetCode"] == 1045
    assert points(depot, "dev") == second
    assert depot.call("RestoreTag", **own, Digest=second)["RetCode"] == 0


def test_what_an_immutable_index_holds_stays_whole(depot: TestHub) -> None:
    """However deep: without a platform the tag would not be what it was."""
    child, content = push_image(depot, "depot/app", "platform", depot.main)
    held = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": child, "size": len(content)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [held]}).encode()
    assert put_manifest(depot, "depot/app", digest(index), index, depot.main, OCI_INDEX).status == 201
    inner = {"mediaType": OCI_INDEX, "digest": digest(index), "size": len(index)}
    outer = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner]}).encode()
    assert put_manifest(depot, "depot/app", "v1", outer, depot.main, OCI_INDEX).status == 201
    for one in (child, digest(index), digest(outer)):
        assert depot.request("DELETE", f"{PATH}/{one}", login=depot.main).code == "DENIED", one
    assert depot.request("DELETE", f"{PATH}/platform", login=depot.main).status == 202
    depot.hub.clock = lambda: 4e9
    depot.run(collect.collect(depot.hub))
    assert depot.request("GET", f"{PATH}/{child}", login=depot.main).status == 200
    assert depot.call("SetBucketImmutableTags", BucketName="depot", Tag=[""])["RetCode"] == 0
    assert depot.request("DELETE", f"{PATH}/{child}", login=depot.main).status == 202


def test_any_number_of_tags_is_looked_through(depot: TestHub) -> None:
    name, content = push_image(depot, "depot/app", "aaa", depot.main)

    def fill(rows: Any) -> None:
        image_id, manifest_id = rows.one("SELECT image_id, id FROM manifest")
        for number in range(2500):
            manifests_sql.set_tag(rows, image_id, f"t{number}", manifest_id, 5, 5, "")

    depot.run(depot.hub.db.write(fill))
    put_manifest(depot, "depot/app", "v1", content, depot.main)
    assert depot.request("DELETE", f"{PATH}/{name}", login=depot.main).code == "DENIED"
    assert depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")["RetCode"] == 1045
    assert depot.call("SetBucketImmutableTags", BucketName="depot", Tag=["v2"])["RetCode"] == 0
    assert depot.request("DELETE", f"{PATH}/{name}", login=depot.main).status == 202


def test_a_push_costs_no_statement_more(depot: TestHub) -> None:
    """The guard reads with the read of the tag that was there before."""
    depot.bucket("plain")
    cost = []
    for bucket in ("plain", "depot"):
        name = f"{bucket}/app"
        content = manifest_of([(push_blob(depot, name, b"blob", depot.main), 4)])
        assert put_manifest(depot, name, "v1", content, depot.main).status == 201
        before = depot.queries()
        assert put_manifest(depot, name, "v1", content, depot.main).status == 201
        cost.append(depot.queries() - before)
    assert cost[0] == cost[1]


def test_only_the_administrator_of_the_own_bucket_sets_it(depot: TestHub) -> None:
    shown = depot.call("GetBucketImmutableTags", BucketName="depot")
    assert (shown["TagSet"], shown["ExceptTagSet"]) == (["v*", "other:*"], ["v*-rc*"])
    wrong = depot.call("SetBucketImmutableTags", BucketName="depot", Tag=["[a-z]+", "ok"], ExceptTag=["v?"])
    assert wrong["RetCode"] == 230
    assert "[a-z]+" in wrong["Message"]
    assert "v?" in wrong["Message"]
    assert depot.call("SetBucketImmutableTags", BucketName="depot", Tag=[""], ExceptTag=["v1"])["RetCode"] == 230
    assert depot.call("SetBucketImmutableTags", BucketName="nowhere", Tag=["v*"])["RetCode"] == 43023
    assert depot.call("GetBucketImmutableTags", BucketName="depot")["TagSet"] == ["v*", "other:*"]
    pusher = depot.user("pusher@example.com", "pull", "push", "delete")
    push_image(depot, "depot/app", "v1", pusher)
    assert depot.request("DELETE", f"{PATH}/v1", login=pusher).code == "DENIED"


def test_the_cellar_itself_refuses(depot: TestHub) -> None:
    """Whoever writes the next verb cannot forget the guard."""
    push_image(depot, "depot/app", "v1", depot.main)
    push_image(depot, "depot/app", "dev", depot.main)

    def ids(rows: Any) -> tuple[int, int, int]:
        found = rows.all("SELECT t.image_id, t.manifest_id FROM tag t ORDER BY t.name DESC")
        return (*found[0], found[1][1])

    image_id, pinned, other = depot.run(depot.hub.db.read(ids))
    verbs = [
        lambda rows: manifests_sql.delete_tag(rows, image_id, "v1", 9, 9, ""),
        lambda rows: manifests_sql.delete(rows, image_id, pinned, 9, 9, ""),
        lambda rows: manifests_sql.delete_all(rows, image_id, 9, 9, ""),
        lambda rows: manifests_sql.set_tag(rows, image_id, "v1", other, 9, 9, ""),
    ]
    for verb in verbs:
        with pytest.raises(HubError) as refused:
            depot.run(depot.hub.db.write(verb))
        assert refused.value.kind is Kind.TAG_IMMUTABLE
    assert len(depot.run(depot.hub.db.read(lambda rows: rows.all("SELECT * FROM tag")))) == 2
