"""The verbs that reach a bucket, where bytes are in one, with the failpoints that they pass: as ``verbs.VERBS``.

Points of the rows and of each piece of a body are not named again.
"""

import os

from tests.crash import scenes
from tests.crash.client import Client
from tests.crash.scenes import APP, BIG, LIB, OTHER
from tests.crash.verbs import Verb
from tests.registry.kit import digest

LARGE = os.urandom(9 * 1024 * 1024)
"""A part, and more."""
NAMED_ELSEWHERE = ("db.", "upload.")
BEGIN_PARTS = "remote.owned remote.begun remote.part-sent remote.tail-sent"
ACKNOWLEDGE = "append.written append.noted"
GO_ON = f"append.found remote.owned remote.tail-sent {ACKNOWLEDGE} remote.old-tail-gone"
COMPLETE = "publish.looked remote.marked remote.completed remote.tail-gone"
PUBLISH = "publish.ready publish.linked publish.tidied"
AT_ONCE = f"remote.marked {BEGIN_PARTS} publish.looked remote.completed {PUBLISH}"


def cancelled(client: Client) -> None:
    place, _ = client.go_on(APP)
    client.patch(APP, place, LARGE)
    client.cancel(APP, place)


def idle(client: Client) -> None:
    client.patch(APP, client.begin(APP), LARGE)
    client.received.clear()


def dead(client: Client) -> None:
    """An object that waits for its time, and one that nothing needs any more."""
    client.push_at_once(LIB, LARGE)
    client.delete_blob(LIB, digest(LARGE))
    client.door.collect()
    client.push_at_once(LIB, BIG)
    client.blobs.clear()


BUCKET_VERBS = (
    Verb(
        "push in parts",
        f"session.begun append.found {BEGIN_PARTS} {ACKNOWLEDGE} {GO_ON} {COMPLETE} {PUBLISH}",
        lambda client: client.push_in_chunks(APP, [LARGE, OTHER]),
    ),
    Verb(
        "push in one request",
        AT_ONCE,
        lambda client: client.push_at_once(APP, LARGE),
    ),
    Verb(
        "push in the request that ends a session",
        f"session.begun {AT_ONCE}",
        lambda client: client.finish(APP, client.begin(APP), LARGE, LARGE),
    ),
    Verb(
        "push less than a part",
        f"session.begun append.found remote.owned remote.tail-sent {ACKNOWLEDGE} {GO_ON} publish.looked remote.marked"
        f" {PUBLISH}",
        lambda client: client.push_in_chunks(APP, [BIG, OTHER]),
    ),
    Verb(
        "push what another image has",
        f"session.begun append.found {BEGIN_PARTS} {ACKNOWLEDGE} publish.looked publish.linked remote.aborted"
        " remote.dropped publish.tidied",
        lambda client: client.push_in_chunks(APP, [LARGE]),
        lambda client: client.push_at_once(LIB, LARGE),
    ),
    Verb("mount", "mount.begun mount.done", lambda client: client.mount(APP, LIB, BIG), scenes.known_blob),
    Verb(
        "cancel",
        f"session.begun append.found {BEGIN_PARTS} {ACKNOWLEDGE} cancel.ended remote.aborted remote.dropped"
        " cancel.dropped",
        cancelled,
    ),
    Verb(
        "collect",
        "collect.reviewed:4 collect.object-due collect.object-gone collect.object-forgotten",
        lambda client: client.door.collect(),
        dead,
        is_chore=True,
    ),
    Verb(
        "expire uploads",
        "expire.ended remote.aborted remote.dropped expire.dropped",
        lambda client: client.door.expire(),
        idle,
        is_chore=True,
    ),
)
