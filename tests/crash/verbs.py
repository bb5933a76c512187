"""The table of the crash rig: each verb, how a client drives it, and every failpoint that it passes, in order.

A new verb gets a row here; `test_complete.py` then tells which of its steps have no failpoint between them, and
`test_crash.py` kills it at each. A verb that is no request (a collection, a backup) gets ``is_chore``: it is run as a
process of its own by a method of the doors.
"""

from collections.abc import Callable
from typing import NamedTuple

from tests.crash import scenes
from tests.crash.client import Client
from tests.crash.scenes import APP, BIG, CONFIG, LIB, OTHER, digest_of
from tests.registry.kit import digest

SMALL = b"small"
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
KEY = "restore.key-cleared key.synced key.named key.draft-gone key.durable"
PUT_ROWS = "restore.rows-cleared:3 restore.clear-synced restore.rows-named restore.rows-durable"
OPEN = "restore.opened restore.durable"
REVIEWS = " ".join([f"{COMMIT} collect.reviewed"] * 4)


class Verb(NamedTuple):
    """``before``: what is there when it begins, made in process, some time ago. ``path``: see ``failpoint``.

    ``after``: what must hold beside the hub when it came to its end.
    ``next_chore``: the point from which on another task of the server works, in whatever order beside the first one.
    """

    name: str
    path: str
    drive: Callable[[Client], None]
    before: Callable[[Client], None] = scenes.nothing
    is_chore: bool = False
    after: Callable[[Client], None] = scenes.nothing
    next_chore: str = ""


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
        "push in the request that ends a session",
        f"session.begun upload.owned upload.cut upload.piece {STORE} publish.tidied",
        lambda client: client.finish(APP, client.begin(APP), BIG, BIG),
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
        scenes.known_blob,
    ),
    Verb("cancel", f"session.begun {APPEND} {COMMIT} cancel.ended cancel.dropped", scenes.cancelled),
    Verb(
        "push a manifest",
        f"manifest.parsed {COMMIT} manifest.stored",
        lambda client: client.push_manifest(APP, "v3", [CONFIG, BIG, OTHER]) and None,
        scenes.two_images,
    ),
    Verb(
        "move a tag",
        f"manifest.parsed {COMMIT} manifest.stored",
        lambda client: client.push_manifest(APP, "v1", [CONFIG, OTHER]) and None,
        scenes.two_images,
    ),
    Verb("mount", f"mount.begun {COMMIT} mount.done", lambda client: client.mount(APP, LIB, BIG), scenes.known_blob),
    Verb("ask for a blob", f"blob-lease.asked {COMMIT} blob-lease.renewed", scenes.ask_for_a_blob, scenes.two_images),
    Verb(
        "ask for a manifest",
        f"manifest-lease.asked {COMMIT} manifest-lease.renewed",
        scenes.ask_for_a_manifest,
        scenes.two_images,
    ),
    Verb(
        "delete a tag",
        f"delete.begun {COMMIT} delete.done",
        lambda client: client.delete_tag(APP, "v1"),
        scenes.two_images,
    ),
    Verb(
        "delete a manifest",
        f"delete.begun {COMMIT} delete.done",
        lambda client: client.delete_manifest(APP, digest_of("v1")),
        scenes.two_images,
    ),
    Verb(
        "delete a blob",
        f"delete-blob.begun {COMMIT} delete-blob.done",
        lambda client: client.delete_blob(LIB, digest(BIG)),
        scenes.known_blob,
    ),
    Verb(
        "delete an image",
        f"delete-image.begun {COMMIT} delete-image.done {AUDIT}",
        scenes.delete_image,
        scenes.two_images,
    ),
    Verb(
        "delete tags",
        f"delete-tags.begun {COMMIT} delete-tags.done {AUDIT}",
        scenes.delete_tags,
        scenes.two_images,
    ),
    Verb(
        "restore a tag",
        f"restore-tag.begun {COMMIT} restore-tag.done {AUDIT}",
        scenes.restore_tag,
        scenes.tag_deleted,
    ),
    Verb(
        "tag an image",
        f"tag-image.begun {COMMIT} tag-image.done {AUDIT}",
        scenes.tag_image,
        scenes.two_images,
    ),
    Verb(
        "start runs by triggers",
        f"dispatch.found {COMMIT} dispatch.filed {COMMIT} dispatch.fired {COMMIT} dispatch.started",
        scenes.start_runs,
        scenes.triggered,
        is_chore=True,
    ),
    Verb(
        "send to a webhook",
        f"dispatch.found {COMMIT} dispatch.filed {COMMIT} webhook.held webhook.found webhook.sent {COMMIT}"
        f" webhook.settled {COMMIT}",
        scenes.send,
        scenes.hooked,
        is_chore=True,
        next_chore="webhook.held",
    ),
    Verb(
        "delete a bucket",
        f"delete-bucket.begun {COMMIT} delete-bucket.done {AUDIT}",
        scenes.delete_bucket,
        scenes.emptied_bucket,
    ),
    Verb(
        "bring back an image",
        f"undelete.begun {COMMIT} undelete.part {AUDIT}",
        scenes.undelete_image,
        scenes.image_deleted,
    ),
    Verb(
        "bring back a bucket",
        f"undelete.begun {COMMIT} undelete.part {AUDIT}",
        scenes.undelete_bucket,
        scenes.bucket_deleted,
    ),
    Verb("purge", f"purge.begun {COMMIT} purge.done {AUDIT}", scenes.purge, scenes.image_deleted),
    Verb(
        "collect",
        f"{REVIEWS} collect.object-due collect.object-gone {COMMIT} collect.object-forgotten"
        " sweep.orphan-found sweep.orphan-gone",
        lambda client: client.door.collect(),
        scenes.garbage,
        is_chore=True,
    ),
    Verb(
        "expire uploads",
        f"{COMMIT} expire.ended expire.dropped expire.orphan-gone",
        lambda client: client.door.expire(),
        scenes.idle_uploads,
        is_chore=True,
    ),
    Verb(
        "back up for the first time",
        f"backup.folder-made {FILE} {OWN} {COMMIT} {ROWS} {COPY} {COMMIT} {PUBLISH} backup.cleared:2",
        lambda client: client.door.back_up(),
        scenes.one_image,
        is_chore=True,
        after=scenes.one_backup,
    ),
    Verb(
        "back up and drop the older",
        f"backup.folder-made {OWN} {COMMIT} {ROWS} {COPY} {COMMIT} {PUBLISH} drop.unnamed drop.synced drop.removed"
        " drop.object-removed backup.cleared:2",
        lambda client: client.door.back_up(),
        scenes.older_backup,
        is_chore=True,
        after=scenes.one_backup,
    ),
    Verb(
        "restore",
        f"restore.folder-made {FILE} {COPY} restore.draft-cleared restore.rows-copied restore.rows-trimmed"
        f" restore.ids-skipped {PUT_ROWS} {KEY} {OPEN}",
        lambda client: client.door.bring_back(),
        scenes.backed_up,
        is_chore=True,
        after=scenes.whole_hub,
    ),
    Verb(
        "move",
        f"restore.folder-made {FILE} restore.draft-cleared {COMMIT} move.rows-read {COPY} {KEY} move.refusing"
        f" move.rows-read {COMMIT} move.rows-trimmed {PUT_ROWS} move.rows-put restore.draft-cleared {OPEN}",
        lambda client: client.door.move(),
        scenes.one_image,
        is_chore=True,
        after=scenes.moved_hub,
    ),
    Verb(
        "export",
        f"export.folder-made export.begun {COMMIT} {EXPORT_BLOB} {EXPORT_BLOB} {COMMIT} export.place-synced {INDEX}"
        f" {INDEX} export.index-durable export.old-gone:2 export.draft-gone export.drafts-gone export.shown"
        " export.durable",
        lambda client: client.door.export(),
        scenes.older_export,
        is_chore=True,
        after=scenes.whole_layout,
    ),
    Verb(
        "import",
        f"mount.begun {COMMIT} mount.done upload.owned upload.cut upload.piece {STORE} publish.tidied manifest.parsed"
        f" {COMMIT} manifest.stored",
        scenes.load,
        scenes.layout,
        is_chore=True,
    ),
)
