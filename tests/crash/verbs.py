"""The table of the crash rig: each verb, how a client drives it, and every failpoint that it passes, in order.

A new verb gets a row here; `test_complete.py` then tells which of its steps have no failpoint between them, and
`test_crash.py` kills it at each. A verb of a later room (a backup, say) that is no request gets ``is_chore``: it is run
as a process of its own by a method of the doors.
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from tests.crash.client import Client
from tests.crash.doors import InProcess
from tests.registry.kit import digest, manifest_of

BIG, OTHER = b"big" * 1000, b"other" * 1000
SMALL, CONFIG = b"small", b"{}"
BUCKETS = ("depot", "second")
APP, LIB = "depot/app", "depot/lib"
OLD = 1_000_000_000
COMMIT = "db.ready db.committed"
APPEND = f"append.found upload.owned upload.cut upload.piece append.written {COMMIT} append.noted"
FOLDERS = "blob.folder-made blob.folder-synced:2"
STORE = f"publish.looked {FOLDERS} blob.cut blob.synced blob.renamed publish.ready {COMMIT} publish.linked"
AUDIT = COMMIT
BUCKET_POINTS = {
    "s3.aborted",
    "s3.begun",
    "s3.completed",
    "s3.dropped",
    "s3.marked",
    "s3.old-tail-gone",
    "s3.owned",
    "s3.part-sent",
    "s3.tail-gone",
    "s3.tail-sent",
}
"""Points between requests to a bucket. No verb of the table below passes them."""
REVIEWS = " ".join([f"{COMMIT} collect.reviewed"] * 4)


def nothing(client: Client) -> None:
    """No preparation."""


class Verb(NamedTuple):
    """``before``: what is there when it begins, made in process, some time ago. ``path``: see ``failpoint``."""

    name: str
    path: str
    drive: Callable[[Client], None]
    before: Callable[[Client], None] = nothing
    is_chore: bool = False


def two_images(client: Client) -> None:
    client.push_image(APP, "v1", [CONFIG, BIG])
    client.push_image(APP, "v2", [CONFIG, OTHER])
    client.push_image(LIB, "v1", [CONFIG, BIG])


def _cancelled(client: Client) -> None:
    place, _ = client.go_on(APP)
    client.patch(APP, place, BIG)
    client.cancel(APP, place)


def _known_blob(client: Client) -> None:
    client.push_at_once(LIB, BIG)


def _delete_image(client: Client) -> None:
    client.forget(APP)
    client.act("DeleteRepoImage", RepoName="depot", ImageName="app")


def _delete_tags(client: Client) -> None:
    client.tags.pop((APP, "v1"), None)
    client.tags.pop((APP, "v2"), None)
    client.act("DeleteRepoImage", RepoName="depot", ImageName="app", TagName="v1")


def _restore_tag(client: Client) -> None:
    client.act("RestoreTag", BucketName="depot", ImageName="app", TagName="v1", Digest=digest_of("v1"))
    client.tags[APP, "v1"] = digest_of("v1")


def _tag_deleted(client: Client) -> None:
    two_images(client)
    client.delete_tag(APP, "v1")


def _ask_for_a_blob(client: Client) -> None:
    assert client.door.ask("HEAD", f"/v2/{APP}/blobs/{digest(BIG)}").status == 200


def _ask_for_a_manifest(client: Client) -> None:
    assert client.door.ask("HEAD", f"/v2/{APP}/manifests/{digest_of('v1')}").status == 200


def _emptied_bucket(client: Client) -> None:
    two_images(client)
    client.push_at_once("second/app", OTHER)
    client.patch("second/app", client.begin("second/app"), BIG)


def _delete_bucket(client: Client) -> None:
    client.blobs = {name: one for name, one in client.blobs.items() if not name[0].startswith("second/")}
    client.received.clear()
    client.act("DeleteRepo", RepoName="second")


def _image_deleted(client: Client) -> None:
    two_images(client)
    _delete_image(client)


def _bucket_deleted(client: Client) -> None:
    _emptied_bucket(client)
    _delete_bucket(client)


def _deletion(client: Client, kind: str) -> dict[str, object] | None:
    """The newest deletion of a kind; None where a crash came after all was done."""
    found = [one for one in client.door.call("ListDeleted")["DeletedSet"] if one["Kind"] == kind]
    assert found or client.again
    return {name: found[0][name] for name in ("BucketName", "DeletionId")} if found else None


def _undelete_image(client: Client) -> None:
    if (found := _deletion(client, "Image")) is not None:
        client.act("RestoreDeleted", **found)
    for tag, blob in (("v1", BIG), ("v2", OTHER)):
        content = manifest_of([(digest(one), len(one)) for one in (CONFIG, blob)])
        client.manifests[APP, digest(content)] = content
        client.tags[APP, tag] = digest(content)


def _undelete_bucket(client: Client) -> None:
    if (found := _deletion(client, "Bucket")) is not None:
        client.act("RestoreDeleted", **found)
    assert "second" in [one["RepoName"] for one in client.door.call("GetRepo", Type="private")["RepoSet"]]


def _purge(client: Client) -> None:
    if (found := _deletion(client, "Image")) is not None:
        client.act("PurgeDeleted", **found)
    client.again = True
    assert _deletion(client, "Image") is None


def _garbage(client: Client) -> None:
    """A manifest without a tag, a link that nothing needs, a blob without a link, a dead object and an orphan."""
    assert isinstance(client.door, InProcess)
    hub = client.door.hub
    client.push_image(LIB, "v1", [CONFIG, BIG])
    client.push_at_once(LIB, b"dead" * 1000)
    client.delete_blob(LIB, digest(b"dead" * 1000))
    client.door.collect()
    client.push_image(APP, "", [CONFIG, OTHER])
    client.push_at_once(LIB, b"unneeded" * 1000)
    client.push_at_once(LIB, b"unlinked" * 1000)
    client.delete_blob(LIB, digest(b"unlinked" * 1000))
    orphan = hub.hub.blobs.path("sha256/ab/ab-orphan")  # type: ignore[attr-defined]
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(BIG)
    os.utime(orphan, (OLD, OLD))
    client.blobs.clear()
    client.forget(APP)


def _idle_uploads(client: Client) -> None:
    assert isinstance(client.door, InProcess)
    client.patch(APP, client.begin(APP), BIG)
    client.received.clear()
    folder = client.door.hub.settings.data_dir / "uploads"
    (folder / "orphan").write_bytes(BIG)
    for file in folder.iterdir():
        os.utime(file, (OLD, OLD))


VERBS = (
    Verb(
        "push in chunks",
        f"session.begun {APPEND} {APPEND} {STORE} publish.tidied",
        lambda client: client.push_in_chunks(APP, [BIG, OTHER]),
    ),
    Verb(
        "push in one request",
        f"upload.owned upload.cut upload.piece {STORE} publish.tidied",
        lambda client: client.push_at_once(APP, BIG),
    ),
    Verb(
        "push a small blob",
        f"session.begun publish.looked publish.ready {COMMIT} publish.linked publish.tidied",
        lambda client: client.finish(APP, client.begin(APP), SMALL, SMALL),
    ),
    Verb(
        "push a small blob in a chunk",
        f"session.begun {APPEND} publish.looked publish.ready {COMMIT} publish.linked publish.tidied",
        lambda client: client.push_in_chunks(APP, [SMALL]),
    ),
    Verb(
        "push what another image has",
        f"session.begun {APPEND} publish.looked {COMMIT} publish.linked publish.tidied",
        lambda client: client.push_in_chunks(APP, [BIG]),
        _known_blob,
    ),
    Verb("cancel", f"session.begun {APPEND} {COMMIT} cancel.ended cancel.dropped", _cancelled),
    Verb(
        "push a manifest",
        f"manifest.parsed {COMMIT} manifest.stored",
        lambda client: client.push_manifest(APP, "v3", [CONFIG, BIG, OTHER]) and None,
        two_images,
    ),
    Verb(
        "move a tag",
        f"manifest.parsed {COMMIT} manifest.stored",
        lambda client: client.push_manifest(APP, "v1", [CONFIG, OTHER]) and None,
        two_images,
    ),
    Verb("mount", f"mount.begun {COMMIT} mount.done", lambda client: client.mount(APP, LIB, BIG), _known_blob),
    Verb("ask for a blob", f"blob-lease.asked {COMMIT} blob-lease.renewed", _ask_for_a_blob, two_images),
    Verb(
        "ask for a manifest", f"manifest-lease.asked {COMMIT} manifest-lease.renewed", _ask_for_a_manifest, two_images
    ),
    Verb(
        "delete a tag",
        f"delete.begun {COMMIT} delete.done",
        lambda client: client.delete_tag(APP, "v1"),
        two_images,
    ),
    Verb(
        "delete a manifest",
        f"delete.begun {COMMIT} delete.done",
        lambda client: client.delete_manifest(APP, digest_of("v1")),
        two_images,
    ),
    Verb(
        "delete a blob",
        f"delete-blob.begun {COMMIT} delete-blob.done",
        lambda client: client.delete_blob(LIB, digest(BIG)),
        _known_blob,
    ),
    Verb(
        "delete an image",
        f"delete-image.begun {COMMIT} delete-image.done {AUDIT}",
        _delete_image,
        two_images,
    ),
    Verb(
        "delete tags",
        f"delete-tags.begun {COMMIT} delete-tags.done {AUDIT}",
        _delete_tags,
        two_images,
    ),
    Verb(
        "restore a tag",
        f"restore-tag.begun {COMMIT} restore-tag.done {AUDIT}",
        _restore_tag,
        _tag_deleted,
    ),
    Verb(
        "delete a bucket",
        f"delete-bucket.begun {COMMIT} delete-bucket.done {AUDIT}",
        _delete_bucket,
        _emptied_bucket,
    ),
    Verb(
        "bring back an image",
        f"undelete.begun {COMMIT} undelete.part {AUDIT}",
        _undelete_image,
        _image_deleted,
    ),
    Verb(
        "bring back a bucket",
        f"undelete.begun {COMMIT} undelete.part {AUDIT}",
        _undelete_bucket,
        _bucket_deleted,
    ),
    Verb("purge", f"purge.begun {COMMIT} purge.done {AUDIT}", _purge, _image_deleted),
    Verb(
        "collect",
        f"{REVIEWS} collect.object-due collect.object-gone {COMMIT} collect.object-forgotten"
        " sweep.orphan-found sweep.orphan-gone",
        lambda client: client.door.collect(),
        _garbage,
        is_chore=True,
    ),
    Verb(
        "expire uploads",
        f"{COMMIT} expire.ended expire.dropped expire.orphan-gone",
        lambda client: client.door.expire(),
        _idle_uploads,
        is_chore=True,
    ),
)


def digest_of(tag: str) -> str:
    """The manifest under a tag of APP as it was pushed first, whatever became of it since."""
    blob = {"v1": BIG, "v2": OTHER}[tag]
    return digest(manifest_of([(digest(one), len(one)) for one in (CONFIG, blob)]))
