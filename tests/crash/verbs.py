"""The table of the crash rig: each verb, how a client drives it, and every failpoint that it passes, in order.

A new verb gets a row here; `test_complete.py` then tells which of its steps have no failpoint between them, and
`test_crash.py` kills it at each. A verb that is no request (a collection, a backup) gets ``is_chore``: it is run as a
process of its own by a method of the doors.
"""

import hashlib
import json
import os
from collections.abc import Callable
from typing import NamedTuple

from tests.crash.client import Client
from tests.crash.doors import InProcess
from tests.registry.kit import OCI_MANIFEST, digest, manifest_of

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
FILE = "file.synced file.named file.durable"
COPY = f"copy.begun upload.piece {FOLDERS} blob.cut blob.synced blob.renamed copy.done"
OWN = "backup.cleared:2 backup.draft-made backup.generations-made backup.place-made backup.begun"
ROWS = "backup.rows-copied backup.rows-trimmed"
PUBLISH = f"{FILE} {FILE} backup.rows-synced backup.draft-synced backup.named backup.durable"
EXPORT_BLOB = "export.place-made export.synced export.named"
INDEX = "export.index-synced export.index-named"
REVIEWS = " ".join([f"{COMMIT} collect.reviewed"] * 4)


def nothing(client: Client) -> None:
    """No preparation."""


class Verb(NamedTuple):
    """``before``: what is there when it begins, made in process, some time ago. ``path``: see ``failpoint``.

    ``after``: what must hold beside the hub when it came to its end.
    """

    name: str
    path: str
    drive: Callable[[Client], None]
    before: Callable[[Client], None] = nothing
    is_chore: bool = False
    after: Callable[[Client], None] = nothing


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


def _one_image(client: Client) -> None:
    client.push_image(APP, "v1", [BIG])


def _backed_up(client: Client) -> None:
    _one_image(client)
    client.door.back_up()


def _older_backup(client: Client) -> None:
    """One backup, an image that is not in it, and an object that no backup names."""
    _backed_up(client)
    client.push_image(LIB, "v1", [OTHER])
    orphan = client.door.beside.target / "blobs/sha256/ab/ab-orphan"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(BIG)


def _one_backup(client: Client) -> None:
    """A backup that is asked for may take the one before away, never both."""
    assert len(client.door.beside.generations()) == 1
    target = client.door.beside.target
    names = {one.name for one in target.iterdir()}
    assert names - {"uploads"} == {"about.json", "lock", "blobs", "generations"}, names
    kept = [one for folder in ("blobs", "uploads") for one in (target / folder).rglob("*") if one.is_file()]
    assert len(kept) == len(set(client.blobs.values()))


def _whole_hub(client: Client) -> None:
    """The hub that was brought back holds what was acknowledged before the backup, and nothing half beside it."""
    names = {one.name for one in client.door.beside.restored.iterdir()}
    assert names <= {"blobs", "uploads", "hub.key", "hub.db", "hub.db-wal", "hub.db-shm"}, names
    here = client.door
    with here.brought_back() as door:
        client.door = door
        client.check()
    client.door = here


def _older_export(client: Client) -> None:
    """An export of what was there with a draft that a kill left, then an image more and one less."""
    _one_image(client)
    client.door.export()
    (client.door.beside.layout / ".drafts").mkdir()
    (client.door.beside.layout / ".drafts/left").write_bytes(BIG)
    client.push_image(LIB, "v1", [OTHER])
    client.delete_manifest(APP, digest(manifest_of([(digest(BIG), len(BIG))])))


def _whole_layout(client: Client) -> None:
    folder = client.door.beside.layout
    assert {one.name for one in folder.iterdir()} == {"blobs", "index.json", "oci-layout"}
    held = {f"sha256:{one.name}": one.read_bytes() for one in (folder / "blobs/sha256").iterdir()}
    assert all("sha256:" + hashlib.sha256(content).hexdigest() == name for name, content in held.items())
    listed = [one["digest"] for one in json.loads((folder / "index.json").read_bytes())["manifests"]]
    assert set(listed) == {name for _, name in client.manifests}
    assert len(held) == 2, "a manifest and its blob"


def _layout(client: Client) -> None:
    """An image that the hub does not hold."""
    folder, content = client.door.beside.layout, manifest_of([(digest(BIG), len(BIG))])
    (folder / "blobs/sha256").mkdir(parents=True)
    for one in (BIG, content):
        (folder / "blobs/sha256" / digest(one).partition(":")[2]).write_bytes(one)
    (folder / "oci-layout").write_bytes(b'{"imageLayoutVersion":"1.0.0"}')
    named = {"mediaType": OCI_MANIFEST, "digest": digest(content), "size": len(content),
             "annotations": {"org.opencontainers.image.ref.name": "app:v1"}}  # fmt: skip
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))


def _load(client: Client) -> None:
    client.door.load()
    content = manifest_of([(digest(BIG), len(BIG))])
    client.blobs[APP, digest(BIG)], client.manifests[APP, digest(content)] = BIG, content
    client.tags[APP, "v1"] = digest(content)


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
    Verb(
        "back up for the first time",
        f"backup.folder-made {FILE} {OWN} {COMMIT} {ROWS} {COPY} {COMMIT} {PUBLISH} backup.cleared:2",
        lambda client: client.door.back_up(),
        _one_image,
        is_chore=True,
        after=_one_backup,
    ),
    Verb(
        "back up and drop the older",
        f"backup.folder-made {OWN} {COMMIT} {ROWS} {COPY} {COMMIT} {PUBLISH} drop.unnamed drop.synced drop.removed"
        " drop.object-removed backup.cleared:2",
        lambda client: client.door.back_up(),
        _older_backup,
        is_chore=True,
        after=_one_backup,
    ),
    Verb(
        "restore",
        f"restore.folder-made {FILE} {COPY} restore.rows-cleared:4 restore.clear-synced restore.rows-copied"
        " restore.rows-trimmed restore.ids-skipped restore.rows-named restore.rows-durable restore.key-cleared"
        " key.synced key.named key.draft-gone key.durable restore.opened restore.durable",
        lambda client: client.door.bring_back(),
        _backed_up,
        is_chore=True,
        after=_whole_hub,
    ),
    Verb(
        "export",
        f"export.folder-made export.begun {COMMIT} {EXPORT_BLOB} {EXPORT_BLOB} {COMMIT} export.place-synced {INDEX}"
        f" {INDEX} export.index-durable export.old-gone:2 export.draft-gone export.drafts-gone export.shown"
        " export.durable",
        lambda client: client.door.export(),
        _older_export,
        is_chore=True,
        after=_whole_layout,
    ),
    Verb(
        "import",
        f"mount.begun {COMMIT} mount.done upload.owned upload.cut upload.piece {STORE} publish.tidied manifest.parsed"
        f" {COMMIT} manifest.stored",
        _load,
        _layout,
        is_chore=True,
    ),
)


def digest_of(tag: str) -> str:
    """The manifest under a tag of APP as it was pushed first, whatever became of it since."""
    blob = {"v1": BIG, "v2": OTHER}[tag]
    return digest(manifest_of([(digest(one), len(one)) for one in (CONFIG, blob)]))
