"""The hard life of a hub: clients that push, pull, mount, move and delete tags and images, bring images back, send in
pieces and leave uploads half-way; and the ledger of what was acknowledged to them.

What must hold of a hub afterwards is the judge's (judge.py).
"""

import hashlib
import http.client
import json
import random
import threading
import time
from urllib.parse import urlsplit

from entrepot.client.actions import ActionError, ActionsClient
from tests.clients.conftest import MAIN
from tests.clients.pushing import Pusher, push_image
from tests.conftest import Live

IMAGES = 4
NO_ANSWER = -1
BUCKET = "hard-life"
DELETED = "deleted"
GRACE = 20
"""Seconds after which what no tag needs may be collected."""
SETTINGS = {
    "grace_seconds": str(GRACE),
    "untagged_seconds": str(GRACE),
    "open_uploads": "0",  # what was left half-way and is not dropped yet would end the load one day
    "upload_seconds": "60",
}
SIZES = (100, 70_000, 2_000_000)


def must_be_there(begun: float) -> bool:
    """Whether what was pushed by a request that was begun then cannot have been collected yet, though no tag needs it.

    To be asked when its absence was seen, not before: a busy machine answers late. Both sides look at the same clock;
    the hub counts whole seconds of it.
    """
    return time.time() < int(begun) + GRACE


class Ledger:
    """What the server said it has, with when it was asked, and what was tried for a tag since it last said so."""

    def __init__(self) -> None:
        self.blobs: list[tuple[float, str, str]] = []
        self.tags: dict[tuple[str, str], str] = {}
        self.tried: dict[tuple[str, str], set[str]] = {}
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.pushed: dict[tuple[str, str], float] = {}


class Noting(Pusher):
    """A pusher that writes down each acknowledgement as it comes."""

    def __init__(self, hub: Live, ledger: Ledger) -> None:
        super().__init__(hub.port, MAIN, host=urlsplit(hub.url).hostname or "")
        self.ledger = ledger
        self.actions = ActionsClient(hub.url, hub.public_key, hub.private_key)

    def blob(self, name: str, content: bytes) -> str:
        begun = time.time()
        digest = super().blob(name, content)
        self.ledger.blobs.append((begun, name, digest))
        return digest

    def _gone(self, path: str, name: str, tag: str) -> None:
        self.ledger.tried.setdefault((name, tag), set()).add(DELETED)
        reply = self.ask("DELETE", path)
        assert reply.status == 202, reply.body
        self._said(name, tag, DELETED)

    def _said(self, name: str, tag: str, what: str) -> None:
        self.ledger.tags[name, tag] = what
        self.ledger.tried[name, tag].clear()

    def delete(self, name: str, tag: str) -> None:
        self._gone(f"/v2/{name}/manifests/{tag}", name, tag)

    def delete_and_restore(self, name: str, tag: str, digest: str) -> None:
        """An image by digest, with its one tag; and back again through the API."""
        content = self.ledger.manifests.pop((name, digest))
        self._gone(f"/v2/{name}/manifests/{digest}", name, tag)
        listed = self.actions.call("ListDeleted", BucketName=BUCKET, Limit=100)["DeletedSet"]
        deletion = next(one["DeletionId"] for one in listed if one["Digest"] == digest)
        self.ledger.tried[name, tag].add(digest)
        back = self.actions.call("RestoreDeleted", BucketName=BUCKET, DeletionId=deletion)
        assert (back["Manifests"], back["Tags"]) == (1, 1), back
        self.ledger.manifests[name, digest] = content
        self._said(name, tag, digest)

    def mount(self, name: str, source: str, tag: str, content: bytes) -> None:
        """The same image under another name, without sending a byte of its layers."""
        document = json.loads(content)
        for one in [document["config"], *document["layers"]]:
            begun = time.time()
            reply = self.ask("POST", f"/v2/{name}/blobs/uploads/?mount={one['digest']}&from={source}")
            assert reply.status == 201, reply.body
            self.ledger.blobs.append((begun, name, one["digest"]))
        self.manifest(name, tag, content)

    def pull(self, name: str, digest: str, content: bytes) -> None:
        assert self.ask("GET", f"/v2/{name}/manifests/{digest}").body == content
        for one in json.loads(content)["layers"]:
            body = self.ask("GET", f"/v2/{name}/blobs/{one['digest']}").body
            assert "sha256:" + hashlib.sha256(body).hexdigest() == one["digest"]

    def leave(self, name: str, content: bytes) -> None:
        """An upload that nobody ends."""
        assert self.ask("PATCH", self.start(name), body=content).status == 202

    def upload_in_pieces(self, name: str, content: bytes) -> str:
        """A blob in two requests, and one that ends it."""
        begun, place, half = time.time(), self.start(name), len(content) // 2
        for first, end in ((0, half), (half, len(content))):
            self.send(place, content, first, end)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        reply = self.ask("PUT", f"{place}?digest={digest}", headers={"Content-Length": "0"})
        assert reply.status == 201, reply.body
        self.ledger.blobs.append((begun, name, digest))
        return digest

    def send(self, place: str, content: bytes, first: int, end: int) -> None:
        """A piece of an upload, to where it belongs."""
        reply = self.ask("PATCH", place, headers={"Content-Range": f"{first}-{end - 1}"}, body=content[first:end])
        assert reply.status == 202, reply.body

    def manifest(self, name: str, tag: str, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.ledger.tried.setdefault((name, tag), set()).add(digest)
        begun = time.time()
        assert super().manifest(name, tag, content) == digest
        self.ledger.manifests[name, digest] = content
        self.ledger.pushed[name, digest] = begun
        self._said(name, tag, digest)
        return digest


def work(hub: Noting, number: int, source: random.Random) -> None:
    """One turn of a client. It has tags of its own, so what a tag must hold is known."""
    name, other = (f"{BUCKET}/app{(number + step) % IMAGES}" for step in (0, 1))
    tag = f"c{number}-{source.randrange(3)}"
    digest, content = push_image(hub, name, tag, source.randbytes(source.choice(SIZES)))
    turn = source.random()
    if turn < 0.2:
        hub.delete(name, tag)
    elif turn < 0.35:
        hub.delete_and_restore(name, tag, digest)
    elif turn < 0.5:
        hub.mount(other, name, f"{tag}-mounted", content)
    elif turn < 0.7:
        hub.pull(name, digest, content)
    elif turn < 0.75:
        hub.leave(name, content)
    elif turn < 0.9:
        hub.upload_in_pieces(name, source.randbytes(source.choice(SIZES)))


def load(hub: Live, ledger: Ledger, number: int, stop: threading.Event) -> None:
    """Turn after turn, until ``stop``; whoever is cut off begins anew."""
    source = random.Random(f"{number} {time.time()}")
    while not stop.is_set():
        try:
            with Noting(hub, ledger) as client:
                while not stop.is_set():
                    work(client, number, source)
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
        except ActionError as fault:
            if fault.ret_code != NO_ANSWER:
                raise
