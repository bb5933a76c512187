"""Undelete at the door: what was deleted comes back as it was, or goes for good when its time is over."""

import asyncio
import concurrent.futures
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.errors import HubError, Kind
from entrepot.ops import people, trash
from entrepot.ops.collect import READERS
from entrepot.store.sql import buckets as buckets_sql
from tests.conftest import Loop
from tests.registry.kit import digest, push_blob, push_image
from tests.registry.test_collect import DAY, INDEX, WEEK, Aging, descriptor, document, put


@pytest.fixture(params=[0, 131_072])
def depot(request: pytest.FixtureRequest, loop: Loop, tmp_path: Path) -> Iterator[Aging]:
    made = Aging(loop, tmp_path / "data", row_bytes=request.param)
    made.bucket("depot")
    yield made
    made.close()


def last(hub: Aging) -> dict[str, Any]:
    found: dict[str, Any] = hub.call("ListDeleted")["DeletedSet"][0]
    return found


def restore(hub: Aging, **given: Any) -> dict[str, Any]:
    one = last(hub)
    return hub.call("RestoreDeleted", **{"BucketName": one["BucketName"], "DeletionId": one["DeletionId"], **given})


def content(hub: Aging, manifest: dict[str, Any], image: str = "depot/app") -> bool:
    """Whether every blob of a manifest can be read."""
    names = [manifest["config"]["digest"], *(one["digest"] for one in manifest["layers"])]
    replies = [hub.request("GET", f"/v2/{image}/blobs/{one}", login=hub.main) for one in names]
    return all(one.status == 200 and digest(one.body) == name for one, name in zip(replies, names, strict=True))


def remove(hub: Aging, reference: str, image: str = "depot/app") -> None:
    assert hub.request("DELETE", f"/v2/{image}/manifests/{reference}", login=hub.main).status == 202


def test_a_manifest_comes_back_with_tags_and_blobs_that_left_the_bucket(depot: Aging) -> None:
    made = document(depot)
    name = put(depot, made, "v1")
    put(depot, made, "v2")
    before = depot.call("ListQuotas", BucketName="depot")["QuotaSet"][-1]["Used"]
    remove(depot, name)
    shown = last(depot)
    assert (shown["Kind"], shown["Digest"], shown["ImageName"], shown["Manifests"]) == ("Manifest", name, "app", 1)
    assert shown["Bytes"] == before
    assert shown["ExpireTime"] - shown["DeleteTime"] == WEEK
    depot.later(2 * DAY)
    assert depot.call("ListQuotas", BucketName="depot")["QuotaSet"][-1]["Used"] == 0
    assert depot.request("GET", f"/v2/depot/app/blobs/{made['config']['digest']}", login=depot.main).status == 404
    answer = restore(depot)
    assert (answer["Manifests"], answer["Tags"], answer["SkippedTags"]) == (1, 2, [])
    assert [depot.pull(one) for one in (name, "v1", "v2")] == [200] * 3
    assert content(depot, made)
    assert depot.call("ListQuotas", BucketName="depot")["QuotaSet"][-1]["Used"] == before
    assert depot.call("ListDeleted")["DeletedSet"] == []
    depot.later(3 * WEEK)
    assert content(depot, made)
    assert depot.is_clean()


def test_an_image_comes_back_whole_and_leaves_tags_alone_that_were_set_since(depot: Aging) -> None:
    child = document(depot)
    put(depot, child, "digest")
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(child)]}
    name = put(depot, index, "multi")
    signature = put(depot, document(depot, subject=descriptor(index)), "digest")
    put(depot, document(depot), "latest")
    depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")
    assert last(depot)["Manifests"] == 4
    newer = put(depot, document(depot), "latest")
    depot.later(WEEK - 10)
    answer = restore(depot)
    assert (answer["Manifests"], answer["Tags"], answer["SkippedTags"]) == (4, 1, ["latest"])
    assert (
        depot.request("GET", "/v2/depot/app/manifests/latest", login=depot.main).headers["docker-content-digest"]
        == newer
    )
    listed = depot.request("GET", f"/v2/depot/app/referrers/{name}", login=depot.main).json["manifests"]
    assert [one["digest"] for one in listed] == [signature]
    assert content(depot, child)
    assert depot.is_clean()


def test_an_index_that_comes_back_finds_its_children(depot: Aging) -> None:
    child = document(depot)
    child_name = put(depot, child, "digest")
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(child)]}
    name = put(depot, index, "multi")
    depot.later(2 * WEEK)
    remove(depot, name)
    depot.later(WEEK - 10)
    restore(depot)
    depot.later(2 * WEEK)
    assert [depot.pull(one) for one in ("multi", child_name)] == [200, 200]
    assert content(depot, child)


def test_a_build_cache_comes_back_with_the_blobs_that_it_lists(depot: Aging) -> None:
    body = os.urandom(2000)
    blob = push_blob(depot, "depot/app", body, depot.main)
    layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": blob, "size": 2000}
    name = put(depot, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [layer]}, "cache")
    remove(depot, name)
    depot.later(3 * DAY)
    restore(depot)
    assert depot.request("GET", f"/v2/depot/app/blobs/{blob}", login=depot.main).body == body
    depot.later(3 * WEEK)
    assert depot.request("GET", f"/v2/depot/app/blobs/{blob}", login=depot.main).body == body


def test_a_bucket_comes_back_with_what_it_was(depot: Aging) -> None:
    other = depot.run(
        people.add_user(depot.hub, "other@example.com", password="battery staple", rights=frozenset(), account_of=None)
    )
    depot.call("UpdateRepo", RepoName="depot", IsShared=True, Description="mine")
    depot.call("GrantBucket", BucketName="depot", GranteeID=2, Permission="Write")
    made = document(depot)
    put(depot, made, "v1")
    depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")
    assert depot.call("DeleteRepo", RepoName="depot")["RetCode"] == 0
    keys = (other.public_key, other.private_key)
    for lists in (
        depot.call("GetImageBucketList", Region="cn-bj2"),
        depot.call_as(keys, "GetImageBucketList", Region="cn-bj2"),
    ):
        assert (lists["TotalCount"], lists["ImageSet"]) == (0, [])
    assert depot.call("DeleteRepo", RepoName="depot")["RetCode"] == 1030
    assert depot.pull("v1") == 404
    assert depot.is_clean()
    [bucket, image] = depot.call("ListDeleted", BucketName="depot")["DeletedSet"]
    assert (bucket["Kind"], image["Kind"]) == ("Bucket", "Image")
    refused = depot.call("RestoreDeleted", BucketName="depot", DeletionId=image["DeletionId"])
    assert (refused["RetCode"], "bring it back first" in refused["Message"]) == (43023, True)
    assert depot.call("RestoreDeleted", BucketName="depot", DeletionId=bucket["DeletionId"])["RetCode"] == 0
    assert depot.call("RestoreDeleted", BucketName="depot", DeletionId=image["DeletionId"])["Tags"] == 1
    assert content(depot, made)
    [shown] = depot.call("GetRepo")["RepoSet"]
    assert (shown["RepoName"], shown["IsShared"], shown["Description"]) == ("depot", "true", "mine")
    [grant] = depot.call("ListBucketGrants", BucketName="depot")["GrantSet"]
    assert (grant["GranteeID"], grant["Permission"]) == (2, "Write")
    assert depot.call_as(keys, "GetImageBucketList", Region="cn-bj2")["TotalCount"] == 1
    assert depot.is_clean()


def test_the_name_of_a_deleted_bucket_waits_for_its_owner_alone(depot: Aging) -> None:
    other = depot.run(
        people.add_user(depot.hub, "other@example.com", password="battery staple", rights=frozenset(), account_of=None)
    )
    keys = (other.public_key, other.private_key)
    depot.call("DeleteRepo", RepoName="depot")
    assert depot.call_as(keys, "CreateDockerImageBucket", Region="cn-bj2", BucketName="depot")["RetCode"] == 43022
    assert depot.call("CreateDockerImageBucket", Region="cn-bj2", BucketName="depot")["RetCode"] == 0
    assert restore(depot)["RetCode"] == 43022
    push_image(depot, "depot/app", "v1", depot.main)
    depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")
    depot.call("DeleteRepo", RepoName="depot")
    names = [(one["Kind"], one["BucketName"]) for one in depot.call("ListDeleted")["DeletedSet"]]
    assert names == [("Bucket", "depot"), ("Image", "depot"), ("Bucket", "depot")]
    depot.later(WEEK + 1)
    assert depot.call_as(keys, "CreateDockerImageBucket", Region="cn-bj2", BucketName="depot")["RetCode"] == 0
    assert depot.count("bucket") == 1
    assert depot.is_clean()


def test_what_expires_leaves_nothing(depot: Aging) -> None:
    for place in range(3):
        name = put(depot, document(depot), f"v{place}")
    remove(depot, name)
    depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")
    depot.call("DeleteRepo", RepoName="depot")
    assert depot.later(WEEK - 1).deleted == 0
    assert depot.later(2).deleted == 3
    depot.later(READERS)
    empty = (
        "deletion",
        "deleted_manifest",
        "deleted_tag",
        "deleted_manifest_blob",
        "blob",
        "image",
        "bucket",
        "gc_blob",
    )
    assert [depot.count(table) for table in empty] == [0] * len(empty)
    assert depot.files() == []
    assert depot.is_clean()


def test_a_purge_frees_at_once_and_is_final(depot: Aging) -> None:
    name = put(depot, document(depot), "v1")
    remove(depot, name)
    one = last(depot)
    given = {"BucketName": "depot", "DeletionId": one["DeletionId"]}
    assert depot.call("PurgeDeleted", **given)["RetCode"] == 0
    assert depot.call("RestoreDeleted", **given)["RetCode"] == 1034
    assert depot.call("PurgeDeleted", **given)["RetCode"] == 1034
    assert depot.call("ListDeleted")["DeletedSet"] == []
    depot.later(DAY + 1)
    depot.later(READERS)
    assert (depot.count("blob"), depot.files()) == (0, [])


def test_a_buckets_own_window(depot: Aging) -> None:
    assert depot.call("SetUndeleteWindow", BucketName="depot", Days=30)["RetCode"] == 0
    name = put(depot, document(depot), "v1")
    remove(depot, "v1")
    depot.later(29 * DAY)
    assert depot.call("RestoreTag", BucketName="depot", ImageName="app", TagName="v1")["Digest"] == name
    depot.call("SetUndeleteWindow", BucketName="depot", Days=0)
    remove(depot, name)
    assert depot.call("ListDeleted")["DeletedSet"] == []
    depot.later(DAY + 1)
    depot.later(READERS)
    assert (depot.count("blob"), depot.count("deleted_manifest")) == (0, 0)
    depot.call("SetUndeleteWindow", BucketName="depot")
    other = put(depot, document(depot), "v1")
    remove(depot, other)
    assert last(depot)["ExpireTime"] - last(depot)["DeleteTime"] == WEEK


def test_a_restore_that_finds_no_room_says_so_and_goes_on_later(loop: Loop, tmp_path: Path) -> None:
    hub = Aging(loop, tmp_path / "data", bucket_bytes=10_000)
    hub.bucket("depot")
    name = put(hub, document(hub), "v1")
    remove(hub, name)
    hub.later(DAY + 1)
    put(hub, document(hub), "v2")
    stray = os.urandom(4000)
    push_blob(hub, "depot/app", stray, hub.main)
    assert restore(hub)["RetCode"] == 1040
    assert hub.pull(name) == 404
    hub.later(DAY + 1)
    assert restore(hub)["Tags"] == 1
    assert hub.pull("v1") == 200
    assert hub.is_clean()
    hub.close()


def test_deleting_is_no_way_around_a_quota(loop: Loop, tmp_path: Path) -> None:
    hub = Aging(loop, tmp_path / "data", project_bytes=12_000)
    for place in range(6):
        assert hub.call("CreateDockerImageBucket", Region="cn-bj2", BucketName=f"depot-{place}")["RetCode"] == 0
        image = f"depot-{place}/app"
        remove(hub, put(hub, document(hub, image=image), "v1", image), image)
        assert hub.call("DeleteRepo", RepoName=f"depot-{place}")["RetCode"] == 0
        assert sum(one["Bytes"] for one in hub.call("ListDeleted")["DeletedSet"]) <= 12_000
    hub.later(1)
    hub.later(READERS)
    held = hub.run(hub.hub.db.read(lambda rows: rows.one("SELECT SUM(size) FROM blob")))[0]
    assert held <= 12_000
    assert hub.is_clean()
    hub.close()


def test_a_big_image_comes_back_in_parts_that_a_kill_may_part(depot: Aging, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trash, "BATCH", 2)
    names = [put(depot, document(depot), f"v{place}") for place in range(5)]
    depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")
    one = last(depot)
    writes, write = 0, depot.hub.db.write

    async def dying(*words: Any, **given: Any) -> Any:
        nonlocal writes
        writes += 1
        if writes == 3:
            raise asyncio.CancelledError
        return await write(*words, **given)

    monkeypatch.setattr(depot.hub.db, "write", dying)
    with pytest.raises(concurrent.futures.CancelledError):
        depot.call("RestoreDeleted", BucketName="depot", DeletionId=one["DeletionId"])
    monkeypatch.undo()
    assert depot.is_clean()
    assert restore(depot)["RetCode"] == 0
    assert [depot.pull(one) for one in names] == [200] * 5
    assert depot.count("deletion") == 0
    assert depot.is_clean()


def test_a_push_that_meets_the_deletion_of_its_bucket_is_refused(depot: Aging) -> None:
    """It knew the bucket by its id, and the row is still there."""
    bucket = depot.run(depot.hub.db.read(lambda rows: rows.one("SELECT id FROM bucket WHERE name = 'depot'")))[0]
    push_blob(depot, "depot/app", b"known before", depot.main)
    depot.call("DeleteRepo", RepoName="depot")
    for image in ("app", "new"):
        with pytest.raises(HubError) as refused:
            depot.run(depot.hub.db.write(buckets_sql.image_for_push, bucket, image, 0))
        assert refused.value.kind is Kind.NAME_UNKNOWN
