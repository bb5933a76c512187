"""Collection at the door: what nothing needs goes, what anybody may still need stays."""

import asyncio
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.ops import check, collect
from entrepot.ops.collect import READERS, Report
from tests import stored
from tests.conftest import Loop, TestHub
from tests.registry.kit import digest, push_blob, push_image

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DAY = 86_400
WEEK = 7 * DAY


class Aging(TestHub):
    """A hub whose clock is turned by the test."""

    def __init__(self, loop: Loop, folder: Path, **given: Any) -> None:
        super().__init__(loop, folder, **given)
        self.now = self.hub.clock()
        self.hub.clock = lambda: self.now

    def later(self, seconds: float) -> Report:
        """Time passes, and everything that is due then is collected."""
        self.now += seconds
        return self.run(collect.collect(self.hub))

    def files(self) -> list[stored.Kept]:
        return stored.objects(self)

    def count(self, table: str) -> int:
        return int(self.run(self.hub.db.read(lambda rows: rows.one(f"SELECT COUNT(*) FROM {table}")))[0])

    def is_clean(self) -> bool:
        found = self.run(check.check(self.hub, deep=True, repair=False, progress=lambda *_: None))
        assert found == []
        return True

    def pull(self, reference: str, image: str = "depot/app") -> int:
        return self.request("GET", f"/v2/{image}/manifests/{reference}", login=self.main).status


@pytest.fixture(params=[0, 131_072])
def depot(request: pytest.FixtureRequest, loop: Loop, tmp_path: Path) -> Iterator[Aging]:
    """Blobs as files, and blobs in their rows."""
    made = Aging(loop, tmp_path / "data", row_bytes=request.param)
    made.bucket("depot")
    yield made
    made.close()


def put(hub: TestHub, document: dict[str, Any], reference: str, image: str = "depot/app") -> str:
    body = json.dumps(document).encode()
    kind = {"content-type": document["mediaType"]}
    reference = digest(body) if reference == "digest" else reference
    reply = hub.request("PUT", f"/v2/{image}/manifests/{reference}", body=body, headers=kind, login=hub.main)
    assert reply.status == 201, reply.body
    return digest(body)


def document(hub: TestHub, *, subject: dict[str, Any] | None = None, image: str = "depot/app") -> dict[str, Any]:
    """A manifest of two fresh blobs that are pushed."""
    blobs = [push_blob(hub, image, os.urandom(2000), hub.main) for _ in range(2)]
    kinds = ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar")
    config, layer = ({"mediaType": kind, "digest": one, "size": 2000} for kind, one in zip(kinds, blobs, strict=True))
    made = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
    }
    return {**made, **({"subject": subject} if subject else {})}


def descriptor(manifest: dict[str, Any]) -> dict[str, Any]:
    body = json.dumps(manifest).encode()
    return {"mediaType": manifest["mediaType"], "digest": digest(body), "size": len(body)}


def test_a_deleted_tag_gives_its_space_back_in_time_and_touches_nothing_else(depot: Aging) -> None:
    push_image(depot, "depot/app", "keep", depot.main)
    kept_files, kept_blobs = len(depot.files()), depot.count("blob")
    name = put(depot, document(depot), "gone")
    assert depot.request("DELETE", "/v2/depot/app/manifests/gone", login=depot.main).status == 202
    assert depot.later(0).is_empty
    assert depot.pull(name) == 200
    assert depot.later(WEEK - 10).is_empty
    assert depot.later(20).manifests == 1
    assert (depot.pull(name), depot.pull("keep")) == (404, 200)
    report = depot.later(DAY)
    assert (report.links, report.blobs, report.blob_bytes) == (2, 2, 4000)
    depot.later(READERS)
    assert (len(depot.files()), depot.count("blob")) == (kept_files, kept_blobs)
    assert (depot.count("dead_object"), depot.count("gc_blob"), depot.count("gc_manifest")) == (0, 0, 0)
    assert depot.pull("keep") == 200
    assert depot.is_clean()
    assert depot.later(10 * WEEK).is_empty
    assert depot.pull("keep") == 200


def test_a_moved_tag_and_a_manifest_without_one_age_too(depot: Aging) -> None:
    first = put(depot, document(depot), "v1")
    second = put(depot, document(depot), "v1")
    bare = put(depot, document(depot), "digest")
    assert depot.later(WEEK + 1).manifests == 2
    assert [depot.pull(one) for one in (first, second, bare)] == [404, 200, 404]
    assert depot.is_clean()


def test_a_tag_that_comes_back_saves_its_manifest(depot: Aging) -> None:
    made = document(depot)
    name = put(depot, made, "v1")
    depot.request("DELETE", "/v2/depot/app/manifests/v1", login=depot.main)
    depot.now += WEEK - 5
    put(depot, made, "v2")
    assert depot.later(10).is_empty
    assert depot.later(10 * WEEK).is_empty
    assert depot.pull(name) == 200


def test_untagged_for_ever_where_the_operator_says_so(loop: Loop, tmp_path: Path) -> None:
    hub = Aging(loop, tmp_path / "data", untagged_seconds=0)
    hub.bucket("depot")
    name = put(hub, document(hub), "digest")
    assert hub.later(100 * WEEK).is_empty
    assert hub.pull(name) == 200
    hub.close()


def test_an_index_keeps_its_children_and_a_subject_its_referrers(depot: Aging) -> None:
    child = document(depot)
    child_name = put(depot, child, "digest")
    index = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [descriptor(child)],
    }
    index_name = put(depot, index, "multi")
    signature = put(depot, document(depot, subject=descriptor(index)), "digest")
    sbom = put(depot, document(depot, subject=descriptor(child)), "digest")
    assert depot.later(2 * WEEK).is_empty
    everything = [index_name, child_name, signature, sbom]
    assert [depot.pull(one) for one in everything] == [200] * 4
    depot.request("DELETE", "/v2/depot/app/manifests/multi", login=depot.main)
    assert depot.later(WEEK + 1).manifests == 1
    assert [depot.pull(one) for one in everything] == [404, 200, 200, 200]
    assert depot.later(DAY + 1).manifests == 2
    assert depot.later(DAY + 1).manifests == 1
    assert [depot.pull(one) for one in everything] == [404] * 4
    depot.later(DAY + 1)
    depot.later(READERS)
    assert (depot.count("blob"), depot.files()) == (0, [])
    assert depot.is_clean()


def test_a_push_that_takes_long_finds_what_it_was_told_is_there(depot: Aging) -> None:
    made = document(depot)
    layer = f"/v2/depot/app/blobs/{made['layers'][0]['digest']}"
    config = f"/v2/depot/app/blobs/{made['config']['digest']}"
    depot.now += DAY * 0.9
    assert [depot.request("HEAD", one, login=depot.main).status for one in (layer, config)] == [200, 200]
    assert depot.later(DAY * 0.9).is_empty
    put(depot, made, "v1")
    assert depot.later(2 * WEEK).is_empty
    assert depot.pull("v1") == 200


def test_who_may_only_pull_renews_nothing(depot: Aging) -> None:
    made = document(depot)
    reader = depot.user("reader@example.com", "pull")
    path = f"/v2/depot/app/blobs/{made['layers'][0]['digest']}"
    depot.now += DAY * 0.9
    assert depot.request("HEAD", path, login=reader).status == 200
    assert depot.later(DAY * 0.2).links == 2
    assert depot.request("HEAD", path, login=depot.main).status == 404
    # Whoever comes with the manifest after all is told to push again, and that works.
    body = json.dumps(made).encode()
    late = depot.request("PUT", "/v2/depot/app/manifests/v1", body=body, headers={"content-type": made["mediaType"]},
                         login=depot.main)  # fmt: skip
    assert late.code == "MANIFEST_BLOB_UNKNOWN"


def test_a_mount_keeps_a_blob_whose_first_image_is_gone(depot: Aging) -> None:
    content = os.urandom(3000)
    name = push_blob(depot, "depot/app", content, depot.main)
    depot.now += DAY - 10
    path = f"/v2/depot/other/blobs/uploads/?mount={name}&from=depot/app"
    assert depot.request("POST", path, login=depot.main).status == 201
    assert depot.later(20).links == 1
    reply = depot.request("GET", f"/v2/depot/other/blobs/{name}", login=depot.main)
    assert reply.body == content
    assert depot.later(DAY).blobs == 1
    depot.later(READERS)
    assert depot.is_clean()


def test_a_collected_blob_comes_back_under_another_key(depot: Aging) -> None:
    content = os.urandom(3000)
    name = push_blob(depot, "depot/app", content, depot.main)
    assert depot.later(DAY + 1).blobs == 1
    old = depot.files()
    assert push_blob(depot, "depot/app", content, depot.main) == name
    depot.later(READERS)
    assert depot.request("GET", f"/v2/depot/app/blobs/{name}", login=depot.main).body == content
    assert not set(old) & set(depot.files())
    assert depot.is_clean()


def test_a_preview_tells_what_would_go_and_removes_nothing(depot: Aging) -> None:
    put(depot, document(depot), "v1")
    depot.request("DELETE", "/v2/depot/app/manifests/v1", login=depot.main)
    push_blob(depot, "depot/app", b"alone", depot.main)
    depot.now += WEEK + 1
    before = [depot.count(table) for table in ("manifest", "image_blob", "blob", "gc_link", "gc_manifest")]
    told = depot.run(collect.preview(depot.hub))
    assert (told.manifests, told.links, told.blobs, told.blob_bytes) == (1, 1, 1, 5)
    assert [depot.count(table) for table in ("manifest", "image_blob", "blob", "gc_link", "gc_manifest")] == before
    done = depot.run(collect.collect(depot.hub))
    assert (done.manifests, done.links, done.blobs) == (1, 1, 1)


def test_bytes_that_never_got_a_row_go_after_a_while(depot: Aging) -> None:
    orphan = stored.put(depot, f"u/ab/{'ab' * 18}_lost", b"lost")
    assert depot.later(0).orphans == 0
    depot.now += 2 * DAY
    [found] = depot.run(check.check(depot.hub, deep=False, repair=False, progress=lambda *_: None))
    assert (found.kind, orphan.name in found.what) == ("orphan", True)
    assert depot.later(0).orphans == 1
    assert not orphan.exists()


def test_a_deleted_bucket_and_a_deleted_image_leave_nothing(depot: Aging) -> None:
    push_image(depot, "depot/app", "v1", depot.main)
    push_blob(depot, "depot/stray", b"stray", depot.main)
    depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")
    depot.call("DeleteRepo", RepoName="depot")
    depot.later(WEEK + 1)
    depot.later(READERS)
    assert (depot.count("blob"), depot.files(), depot.count("image")) == (0, [], 0)
    assert depot.is_clean()


def test_collection_goes_on_while_others_push(depot: Aging) -> None:
    """Sixteen pushers of the same few blobs, and a collector that never rests and gives no grace."""
    contents = [bytes([place]) * 3000 for place in range(4)]

    async def story() -> list[int]:
        stop = asyncio.Event()

        async def collector() -> None:
            while not stop.is_set():
                depot.now += 2 * DAY  # every lease that was not renewed this instant is over
                await collect.step(depot.hub, Report())
                await asyncio.sleep(0)

        async def pusher(number: int) -> list[int]:
            seen = []
            for turn in range(15):
                content = contents[(number + turn) % len(contents)]
                path = f"/v2/depot/app{number % 3}/blobs/uploads/?digest={digest(content)}"
                seen.append((await depot.ask("POST", path, body=content, login=depot.main)).status)
            return seen

        working = asyncio.ensure_future(collector())
        seen = await asyncio.gather(*(pusher(number) for number in range(16)))
        stop.set()
        await working
        return [status for one in seen for status in one]

    assert set(depot.run(story())) == {201}
    depot.later(2 * DAY)
    depot.later(READERS)
    assert (depot.count("blob"), depot.files()) == (0, [])
    assert depot.is_clean()


def test_fsck_finds_and_mends(depot: Aging) -> None:
    push_image(depot, "depot/app", "v1", depot.main)
    assert depot.is_clean()
    wreck = [
        "UPDATE image SET tag_count = 7, manifest_count = 3",
        "UPDATE bucket SET bytes = bytes + 5, image_count = 9",
        "UPDATE bucket_count SET buckets = buckets + 1",
        "UPDATE bucket_blob SET images = 4",
    ]
    for text in wreck:
        depot.run(depot.hub.db.write(lambda rows, text=text: rows.run(text)))
    found = depot.run(check.check(depot.hub, deep=False, repair=True, progress=lambda *_: None))
    assert {one.kind for one in found} == {"counter"}
    assert len(found) >= 7
    assert depot.is_clean()
    if depot.settings.row_bytes:
        bad = "UPDATE blob SET content = :more || content"
        depot.run(depot.hub.db.write(lambda rows: rows.run(bad, more=b"\0")))
    else:
        depot.files()[0].unlink()
        depot.files()[0].write_bytes(b"other")
    wrong = depot.run(check.check(depot.hub, deep=False, repair=True, progress=lambda *_: None))
    assert {one.kind for one in wrong} <= {"missing", "damaged"}
    assert len(wrong) == 2


def test_a_deleted_and_an_overwritten_tag_come_back(depot: Aging) -> None:
    first, second = (put(depot, document(depot), "v1") for _ in range(2))
    depot.request("DELETE", "/v2/depot/app/manifests/v1", login=depot.main)
    tag = {"BucketName": "depot", "ImageName": "app", "TagName": "v1"}
    lines = depot.call("ListTagHistory", **tag)["TagHistorySet"]
    assert [(one["Digest"], one["Event"], one["CanRestore"]) for one in lines] == [
        (second, "Deleted", True), (second, "Set", True), (first, "Set", True),
    ]  # fmt: skip
    assert {one["User"] for one in lines} == {depot.email}
    assert depot.call("RestoreTag", **tag)["Digest"] == second
    assert depot.pull("v1") == 200
    assert depot.call("RestoreTag", **tag)["Digest"] == first
    assert depot.call("RestoreTag", **tag, Digest=second)["Digest"] == second
    assert depot.call("RestoreTag", **tag, Digest="sha256:" + "0" * 64)["RetCode"] == 1033
    assert depot.call("RestoreTag", **{**tag, "TagName": "never"})["RetCode"] == 1033
    # A restored tag keeps its manifest; the other one ages, and then cannot come back.
    depot.later(WEEK + 1)
    assert depot.pull(second) == 200
    assert depot.call("RestoreTag", **tag, Digest=first)["RetCode"] == 1033
    assert not depot.call("ListTagHistory", **tag)["TagHistorySet"][-1]["CanRestore"]
    assert depot.is_clean()
    depot.request("DELETE", f"/v2/depot/app/manifests/{second}", login=depot.main)
    assert depot.call("ListTagHistory", **tag, Limit=1)["TagHistorySet"][0]["Event"] == "Deleted"
    depot.call("DeleteRepo", RepoName="depot")
    depot.later(WEEK + 1)
    assert depot.count("tag_event") == 0


def test_a_child_waits_its_own_time_when_its_index_is_deleted(depot: Aging) -> None:
    child = document(depot)
    name = put(depot, child, "digest")
    index = put(depot, {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(child)]}, "multi")
    assert depot.request("DELETE", f"/v2/depot/app/manifests/{index}", login=depot.main).status == 202
    assert depot.later(WEEK - 5).manifests == 0
    assert depot.pull(name) == 200
    assert depot.later(10).manifests == 1
    assert depot.pull(name) == 404


def test_manifests_that_hold_only_each_other_are_collected(depot: Aging) -> None:
    """An index whose subject is one of its children, and what refers to another child."""
    first, second = document(depot), document(depot)
    names = [put(depot, one, "digest") for one in (first, second)]
    ring = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(first), descriptor(second)]}
    names.append(put(depot, {**ring, "subject": descriptor(first)}, "held"))
    names.append(put(depot, {**document(depot), "subject": descriptor(second)}, "digest"))
    for _ in range(2):
        depot.later(3 * WEEK)
    assert [depot.pull(one) for one in names] == [200] * 4
    depot.request("DELETE", "/v2/depot/app/manifests/held", login=depot.main)
    for _ in range(4):
        depot.later(WEEK + 1)
    assert (depot.count("manifest"), depot.count("gc_manifest")) == (0, 0)
    depot.later(READERS)
    assert (depot.count("blob"), depot.files()) == (0, [])
    assert depot.is_clean()


def test_a_ring_that_a_tag_holds_from_afar_stays(depot: Aging) -> None:
    child = document(depot)
    ring = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(child)], "subject": descriptor(child)}
    outer = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(ring)]}
    names = [put(depot, one, "digest") for one in (child, ring)] + [put(depot, outer, "multi")]
    for _ in range(3):
        depot.later(WEEK + 1)
        for one in (child, ring):
            put(depot, one, "digest")  # it becomes a candidate again
    depot.later(WEEK + 1)
    assert [depot.pull(one) for one in names] == [200] * 3
    assert depot.is_clean()


def test_a_lease_that_is_renewed_while_the_collector_waits_for_its_turn_keeps_its_time(depot: Aging) -> None:
    grace = depot.settings.grace_seconds
    begun = depot.now
    blob = push_blob(depot, "depot/app", b"twice" * 500, depot.main)
    depot.now = begun + grace + 30
    assert push_blob(depot, "depot/app", b"twice" * 500, depot.main) == blob
    depot.now = begun + grace  # what the collector took for now before it waited
    assert depot.later(0).links == 0
    depot.now = begun + 2 * grace + 28
    assert depot.later(0).links == 0
    assert depot.later(10).links == 1
