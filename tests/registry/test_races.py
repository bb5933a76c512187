"""The twelve races in which registries have lost or mixed up something. One worker is held between two steps of a verb
while another does what must not come between; each test fails when the guard that it names is taken out.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrepot import failpoint
from entrepot.ops.collect import READERS
from tests import stored
from tests.conftest import Loop, Reply
from tests.crash.client import Client
from tests.crash.doors import InProcess
from tests.registry.holding import held, twin
from tests.registry.kit import digest, manifest_of, push_blob, push_image, put_manifest
from tests.registry.test_collect import DAY, INDEX, WEEK, Aging, descriptor, document, put

APP, LIB = "depot/app", "depot/lib"
BIG = b"big" * 1000


@pytest.fixture
def hub(loop: Loop, tmp_path: Path) -> Iterator[Aging]:
    made = Aging(loop, tmp_path / "data", row_bytes=0, undelete_seconds=0)
    made.bucket("depot")
    yield made
    made.close()


@pytest.fixture
def other(hub: Aging) -> Iterator[Aging]:
    """The second worker: it does what comes between."""
    with twin(hub) as made:
        yield made


def mount(hub: Aging, image: str, source: str, name: str) -> int:
    return hub.request("POST", f"/v2/{image}/blobs/uploads/?mount={name}&from={source}", login=hub.main).status


def at_once(hub: Aging, image: str, content: bytes = BIG) -> Reply:
    path = f"/v2/{image}/blobs/uploads/?digest={digest(content)}"
    return hub.request("POST", path, body=content, login=hub.main)


def in_chunks(hub: Aging, image: str, content: bytes = BIG) -> Callable[[], Reply]:
    """A session that has received everything; what ends it."""
    place = begin(hub, image)
    assert hub.request("PATCH", place, body=content, login=hub.main).status == 202
    return lambda: hub.request("PUT", f"{place}?digest={digest(content)}", login=hub.main)


def begin(hub: Aging, image: str = APP) -> str:
    return hub.request("POST", f"/v2/{image}/blobs/uploads/", login=hub.main).headers["location"]


def head(hub: Aging, kind: str, name: str) -> int:
    return hub.request("HEAD", f"/v2/{APP}/{kind}/{name}", login=hub.main).status


def delete(hub: Aging, reference: str) -> int:
    return hub.request("DELETE", f"/v2/{APP}/manifests/{reference}", login=hub.main).status


def pulled(hub: Aging, name: str, image: str = APP) -> bytes | None:
    reply = hub.request("GET", f"/v2/{image}/blobs/{name}", login=hub.main)
    return reply.body if reply.status == 200 else None


def manifest(hub: Aging, *contents: bytes) -> bytes:
    """A manifest of blobs that are pushed."""
    return manifest_of([(push_blob(hub, APP, one, hub.main), len(one)) for one in contents])


def uploads(hub: Aging) -> list[str]:
    return [one.name for one in stored.growing(hub)]


def bucket_bytes(hub: Aging) -> int:
    return int(hub.run(hub.hub.db.read(lambda rows: rows.one("SELECT SUM(bytes) FROM bucket")))[0])


# 1. A mount and the collection: 201, then the blob is gone. Guard: the source is looked up where the link is made.


def test_1_a_mount_of_what_is_collected_meanwhile_is_refused(hub: Aging, other: Aging) -> None:
    name = push_blob(hub, LIB, BIG, hub.main)
    with held("mount.begun", mount, hub, APP, LIB, name) as mounting:
        other.later(DAY + 1)
        assert mounting.go_on() == 202
    assert pulled(hub, name) is None
    assert hub.is_clean()


def test_1_what_a_mount_linked_is_not_collected(hub: Aging, other: Aging) -> None:
    name = push_blob(hub, LIB, BIG, hub.main)
    hub.now += DAY - 1
    assert mount(hub, APP, LIB, name) == 201
    hub.now += 2
    with held("collect.reviewed", other.later, 0, visit=3) as collecting:  # the link of the source is gone
        assert pulled(hub, name, LIB) is None
        assert mount(hub, "depot/third", APP, name) == 201
        collecting.go_on()
    hub.later(READERS + 1)
    assert [pulled(hub, name, image) for image in (APP, "depot/third")] == [BIG, BIG]
    assert hub.is_clean()


# 2. HEAD says yes, the collection comes, the manifest names a blob that is gone. Guard: HEAD renews the lease, and says
#    no when there is none to renew.


def test_2_what_head_said_is_there_waits_for_its_manifest(hub: Aging) -> None:
    content = manifest(hub, BIG)
    hub.now += DAY - 10
    assert head(hub, "blobs", digest(BIG)) == 200
    assert hub.later(20).is_empty
    assert put_manifest(hub, APP, "v1", content, hub.main).status == 201
    assert pulled(hub, digest(BIG)) == BIG


def test_2_head_says_no_when_the_collection_was_faster(hub: Aging, other: Aging) -> None:
    content = manifest(hub, BIG)
    hub.now += DAY + 1
    with held("blob-lease.asked", head, hub, "blobs", digest(BIG)) as asking:
        other.later(0)
        assert asking.go_on() == 404
    refused = put_manifest(hub, APP, "v1", content, hub.main)
    assert (refused.status, refused.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    push_blob(hub, APP, BIG, hub.main)
    assert put_manifest(hub, APP, "v1", content, hub.main).status == 201
    assert hub.is_clean()


# 3. A manifest and the collection of its blobs. Guard: looked up and named in one transaction; looked at again in the
#    transaction that unlinks.


def test_3_a_manifest_whose_blobs_are_collected_meanwhile_is_refused(hub: Aging, other: Aging) -> None:
    content = manifest(hub, BIG)
    with held("manifest.parsed", put_manifest, hub, APP, "v1", content, hub.main) as pushing:
        other.later(DAY + 1)
        assert pushing.go_on().code == "MANIFEST_BLOB_UNKNOWN"
    assert hub.pull("v1") == 404
    assert hub.is_clean()


def test_3_a_manifest_that_comes_in_the_middle_of_a_collection_keeps_its_blobs(hub: Aging, other: Aging) -> None:
    content = manifest(hub, BIG)
    hub.now += DAY + 1
    with held("collect.reviewed", other.later, 0) as collecting:
        assert put_manifest(hub, APP, "v1", content, hub.main).status == 201
        assert collecting.go_on().is_empty
    hub.later(READERS + 1)
    assert pulled(hub, digest(BIG)) == BIG
    assert hub.is_clean()


# 4. Two uploads of one digest: a lost file, counted twice, an error. Guard: the row that is there counts, the other
#    one's bytes are dropped, quotas count links.


def test_4_two_uploads_of_one_digest_leave_one_object(hub: Aging, other: Aging) -> None:
    with held("publish.ready", at_once, hub, APP) as pushing:
        assert len(hub.files()) == 1
        assert at_once(other, LIB).status == 201
        assert len(hub.files()) == 2
        assert pushing.go_on().status == 201
    assert (len(hub.files()), hub.count("blob"), bucket_bytes(hub), uploads(hub)) == (1, 1, len(BIG), [])
    assert [pulled(hub, digest(BIG), image) for image in (APP, LIB)] == [BIG, BIG]
    assert hub.is_clean()


# 5. An upload and the collection of the same digest: the old unlink removes the new bytes. Guard: a key is never used
#    twice; what was known is looked up again in the transaction that links it.


def test_5_late_bytes_of_a_dead_object_are_not_those_of_a_new_one(hub: Aging, other: Aging) -> None:
    push_blob(hub, APP, BIG, hub.main)
    hub.later(DAY + 1)
    hub.now += READERS + 1
    with held("collect.object-due", other.later, 0) as collecting:
        assert at_once(hub, APP).status == 201
        assert collecting.go_on().objects == 1
    assert (pulled(hub, digest(BIG)), len(hub.files())) == (BIG, 1)
    assert hub.is_clean()


def test_5_what_was_known_and_is_collected_meanwhile_is_stored_after_all(hub: Aging, other: Aging) -> None:
    push_blob(hub, LIB, BIG, hub.main)
    # In a bucket, what one request brings is no more than an orphan once a day has passed; a session keeps it.
    push = in_chunks(hub, APP) if stored.is_in_bucket(hub) else lambda: at_once(hub, APP)
    with held("publish.looked", push) as pushing:
        other.later(DAY + 1)
        other.later(READERS + 1)
        assert hub.files() == []
        assert pushing.go_on().status == 201
    assert pulled(hub, digest(BIG)) == BIG
    assert hub.is_clean()


def test_5_a_link_that_comes_in_the_middle_of_a_collection_keeps_the_blob(hub: Aging, other: Aging) -> None:
    push_blob(hub, LIB, BIG, hub.main)
    hub.now += DAY + 1
    with held("collect.reviewed", other.later, 0, visit=3) as collecting:  # no link is left
        assert hub.count("image_blob") == 0
        assert at_once(hub, APP).status == 201
        assert collecting.go_on().blobs == 0
    hub.later(READERS + 1)
    assert pulled(hub, digest(BIG)) == BIG
    assert hub.is_clean()


# 6. A tag is moved while a manifest is deleted or aged: the wrong tag goes. Guard: tags go by the manifest that they
#    are on when the deletion happens. Rules that delete tags by themselves belong here too.


def test_6_a_tag_that_moved_meanwhile_survives_the_deletion_of_its_old_manifest(hub: Aging, other: Aging) -> None:
    first, _ = push_image(hub, APP, "v1", hub.main)
    with held("delete.begun", delete, hub, first) as deleting:
        second, _ = push_image(other, APP, "v1", other.main)
        assert deleting.go_on() == 202
    assert (hub.pull(first), hub.pull("v1"), hub.pull(second)) == (404, 200, 200)
    assert hub.is_clean()


def test_6_a_tag_set_while_its_manifest_is_aged_points_at_a_manifest(hub: Aging, other: Aging) -> None:
    name, content = push_image(hub, APP, "v1", hub.main)
    delete(hub, "v1")
    with held("manifest.parsed", put_manifest, hub, APP, "v2", content, hub.main) as tagging:
        assert other.later(WEEK + 1).manifests == 1
        assert tagging.go_on().status == 201
    assert (hub.pull("v2"), hub.pull(name)) == (200, 200)
    hub.later(2 * WEEK)
    assert hub.pull("v2") == 200
    assert hub.is_clean()


def test_6_a_tag_is_not_restored_to_what_is_collected_meanwhile(hub: Aging, other: Aging) -> None:
    push_image(hub, APP, "v1", hub.main)
    delete(hub, "v1")
    asked = {"BucketName": "depot", "ImageName": "app", "TagName": "v1"}
    with held("restore-tag.begun", hub.call, "RestoreTag", **asked) as restoring:
        other.later(WEEK + 1)
        assert restoring.go_on()["RetCode"] == 1033
    assert hub.pull("v1") == 404
    assert hub.is_clean()


# 7. An index and the deletion of its child. Guard: HEAD by a pusher renews the lease, and says no when there is none.
#    Who deletes a child by digest gets what they ask: the index stays, and is whole again when the child is pushed.


def test_7_a_child_that_was_asked_for_waits_for_its_index(hub: Aging, other: Aging) -> None:
    child = document(hub)
    name = put(hub, child, "digest")
    hub.now += WEEK - 10
    assert head(hub, "manifests", name) == 200
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(child)]}
    with held("manifest.parsed", put, hub, index, "multi") as pushing:
        assert other.later(20).is_empty
        pushing.go_on()
    hub.later(3 * WEEK)
    assert (hub.pull("multi"), hub.pull(name)) == (200, 200)


def test_7_head_of_a_child_says_no_when_the_collection_was_faster(hub: Aging, other: Aging) -> None:
    name = put(hub, document(hub), "digest")
    hub.now += WEEK + 1
    with held("manifest-lease.asked", head, hub, "manifests", name) as asking:
        assert other.later(0).manifests == 1
        assert asking.go_on() == 404


def test_7_a_child_deleted_by_name_leaves_an_index_that_can_be_made_whole(hub: Aging, other: Aging) -> None:
    child = document(hub)
    name = put(hub, child, "digest")
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [descriptor(child)]}
    with held("delete.begun", delete, hub, name) as deleting:
        put(other, index, "multi")
        assert deleting.go_on() == 202
    assert (hub.pull("multi"), hub.pull(name)) == (200, 404)
    assert hub.is_clean()
    put(hub, child, "digest")
    hub.later(3 * WEEK)
    assert hub.pull(name) == 200
    assert hub.is_clean()


# 8. PATCH and PATCH, PATCH and PUT. Guard: one owner at a time, and a look at row and file after becoming it.


def test_8_two_patches_at_once_do_not_mix(hub: Aging, other: Aging) -> None:
    place = begin(hub)
    with held("upload.piece", hub.request, "PATCH", place, body=BIG, login=hub.main) as appending:
        assert other.request("PATCH", place, body=b"evil" * 999, login=hub.main).status == 416
        assert appending.go_on().status == 202
    done = hub.request("PUT", f"{place}?digest={digest(BIG)}", login=hub.main)
    assert (done.status, pulled(hub, digest(BIG))) == (201, BIG)


def test_8_a_patch_that_comes_late_starts_from_where_the_session_is(hub: Aging, other: Aging) -> None:
    place = begin(hub)
    with held("append.found", hub.request, "PATCH", place, body=b"late" * 999, login=hub.main) as appending:
        assert other.request("PATCH", place, body=BIG, login=hub.main).status == 202
        assert appending.go_on().status == 416
    done = hub.request("PUT", f"{place}?digest={digest(BIG)}", login=hub.main)
    assert (done.status, pulled(hub, digest(BIG))) == (201, BIG)


def test_8_a_patch_after_the_put_changes_nothing(hub: Aging, other: Aging) -> None:
    place = begin(hub)
    hub.request("PATCH", place, body=BIG, login=hub.main)
    with held("append.found", hub.request, "PATCH", place, body=b"late" * 999, login=hub.main) as appending:
        assert other.request("PUT", f"{place}?digest={digest(BIG)}", login=hub.main).status == 201
        assert appending.go_on().status == 404
    assert (pulled(hub, digest(BIG)), uploads(hub)) == (BIG, [])
    assert hub.is_clean()


def test_8_a_put_while_a_patch_is_written_is_refused(hub: Aging, other: Aging) -> None:
    place = begin(hub)
    hub.request("PATCH", place, body=BIG, login=hub.main)
    with held("upload.piece", hub.request, "PATCH", place, body=b"more" * 999, login=hub.main) as appending:
        assert other.request("PUT", f"{place}?digest={digest(BIG)}", login=hub.main).status == 416
        assert appending.go_on().status == 202
    whole = BIG + b"more" * 999
    assert hub.request("PUT", f"{place}?digest={digest(whole)}", login=hub.main).status == 201
    assert pulled(hub, digest(whole)) == whole


# 9. A bucket is deleted and made again by somebody else. Guard: tokens, sessions and rows name it by an id that is
#    never used again.


def taken_over(hub: Aging, owner: tuple[str, str]) -> None:
    assert hub.call("DeleteRepo", RepoName="depot")["RetCode"] == 0
    hub.bucket("depot", email=owner[0])


def test_9_an_old_token_does_not_open_the_bucket_of_a_new_owner(hub: Aging) -> None:
    owner = hub.user("other@example.com", other_account=True)
    token = hub.token(hub.main, f"repository:{APP}:pull,push,delete")
    path = f"/v2/{APP}/blobs/uploads/?digest={digest(BIG)}"
    assert hub.request("POST", path, body=BIG, login=token).status == 201
    taken_over(hub, owner)
    assert hub.request("POST", path, body=BIG, login=token).status == 403
    hub.later(0)
    assert hub.count("image") == 0


@pytest.mark.parametrize("point", ["publish.looked", "publish.ready"])
def test_9_a_push_under_way_does_not_reach_the_bucket_of_a_new_owner(hub: Aging, other: Aging, point: str) -> None:
    owner = hub.user("other@example.com", other_account=True)
    with held(point, at_once, hub, APP) as pushing:
        taken_over(other, owner)
        assert pushing.go_on().status == 404
    hub.later(0)
    assert (hub.count("image"), hub.count("blob"), hub.files(), uploads(hub)) == (0, 0, [], [])
    assert hub.is_clean()


def test_9_a_manifest_under_way_does_not_reach_the_bucket_of_a_new_owner(hub: Aging, other: Aging) -> None:
    owner = hub.user("other@example.com", other_account=True)
    content = manifest(hub, BIG)
    with held("manifest.parsed", put_manifest, hub, APP, "v1", content, hub.main) as pushing:
        taken_over(other, owner)
        assert pushing.go_on().status == 404
    hub.later(0)
    assert (hub.count("image"), hub.count("manifest")) == (0, 0)
    assert hub.is_clean()


# 10. A repository is renamed under a push. Nothing is renamed here: a name that stands for something else later is a
#     bucket deleted and made again, here by its own owner. Guard: what is under way goes by the bucket's id.


def test_10_an_upload_does_not_go_on_in_another_bucket_of_the_same_name(hub: Aging, other: Aging) -> None:
    place = begin(hub)
    assert hub.request("PATCH", place, body=BIG, login=hub.main).status == 202
    taken_over(other, (hub.email, ""))
    assert hub.request("PUT", f"{place}?digest={digest(BIG)}", login=hub.main).status == 404
    hub.later(0)
    assert hub.count("image") == 0


def test_10_a_fresh_session_does_not_open_another_bucket_of_the_same_name(hub: Aging, other: Aging) -> None:
    place = begin(hub)
    with held("append.found", hub.request, "PATCH", place, body=BIG, login=hub.main) as appending:
        taken_over(other, (hub.email, ""))
        assert appending.go_on().status == 404
    assert hub.request("PATCH", place, body=BIG, login=hub.main).status == 404
    hub.later(0)
    assert (hub.count("image"), hub.count("upload")) == (0, 0)
    assert hub.is_clean()


# 11. A quota and pushes at the same time: more is stored than allowed. Guard: checked in the transaction that counts.


def test_11_two_pushes_into_the_last_room_do_not_both_fit(loop: Loop, tmp_path: Path) -> None:
    hub = Aging(loop, tmp_path / "data", row_bytes=0, undelete_seconds=0, bucket_bytes=len(BIG) + 10)
    hub.bucket("depot")
    rest = os.urandom(len(BIG))
    with twin(hub) as other, held("publish.ready", at_once, hub, APP) as pushing:
        assert at_once(other, LIB, rest).status == 201
        refused = pushing.go_on()
    assert (refused.status, refused.code) == (403, "DENIED")
    assert (bucket_bytes(hub), len(hub.files()), uploads(hub)) == (len(BIG), 1, [])
    assert (pulled(hub, digest(BIG)), pulled(hub, digest(rest), LIB)) == (None, rest)
    assert hub.is_clean()
    hub.close()


# 12. A request ends at each of its steps. Guard: bytes before rows before the answer. Here it is given up in process
#     (a client that leaves, a server that stops); tests/crash kills the process there.


class Given(BaseException):
    """The request is given up."""


def test_12_a_push_that_is_given_up_at_any_step_can_be_repeated(hub: Aging) -> None:

    def push(client: Client, image: str) -> None:
        contents = [f"{image} {number}".encode() * 300 for number in range(3)]
        client.push_in_chunks(image, contents[:2])
        client.push_at_once(image, contents[2])
        client.push_manifest(image, "v1", [b"".join(contents[:2]), contents[2]])

    left = [0]

    def stop(name: str) -> None:
        # Folders are made once; the rig has a fresh hub for each of its crashes.
        left[0] -= not name.startswith(("blob.folder", "remote.marked"))
        if left[0] == 0:
            raise Given(name)

    try:
        failpoint.hook = stop
        push(Client(InProcess(hub)), "depot/whole")
        steps = -left[0]
        assert steps > 40
        for step in range(1, steps + 1):
            left[0] = step
            client, image = Client(InProcess(hub)), f"depot/image{step}"
            failpoint.hook = stop
            # What comes of it is the server's to say: an error, or nothing.
            with pytest.raises((Given, AssertionError)):
                push(client, image)
            failpoint.hook = None
            client.again = True
            client.check()
            push(client, image)
            client.check()
    finally:
        failpoint.hook = None
    assert hub.is_clean()
    hub.later(2 * DAY)
    hub.later(READERS + 1)
    assert len(hub.files()) == hub.count("blob")
    assert hub.is_clean()
