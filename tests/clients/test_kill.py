"""kill -9 in the middle of everything: what was acknowledged is there bit for bit, what was not is nowhere half.

The load pushes, pulls, mounts, moves and deletes tags and images, brings images back, and leaves uploads half-way,
while a collector beside the server is killed as well.
"""

import asyncio
import hashlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from entrepot import config, wiring
from entrepot.client.actions import ActionError, ActionsClient
from entrepot.ops import check as fsck
from tests.clients.conftest import MAIN, make_bucket
from tests.clients.pushing import Pusher, push_image
from tests.conftest import Live, entrepot, free_port, serve

pytestmark = [pytest.mark.slow]
ROUNDS = int(os.environ.get("ENTREPOT_KILLS", "8"))
CLIENTS = int(os.environ.get("ENTREPOT_KILL_CLIENTS", "8"))
IMAGES = 4
NO_ANSWER = -1
BUCKET = "hard-life"
DELETED = "deleted"
NEWEST = 400
GRACE = 20
"""Seconds after which what no tag needs may be collected."""
SETTINGS = {"grace_seconds": str(GRACE), "untagged_seconds": str(GRACE)}


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
        super().__init__(hub.port, MAIN)
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
    digest, content = push_image(hub, name, tag, source.randbytes(source.choice([100, 70_000, 2_000_000])))
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


def load(hub: Live, ledger: Ledger, number: int, stop: threading.Event) -> None:
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


def some(listed: list[Any]) -> list[Any]:
    """What is newest, and a handful of everything before: a round must not cost more with each round."""
    return [*random.sample(listed[:-NEWEST], min(100, len(listed[:-NEWEST]))), *listed[-NEWEST:]]


def check(port: int, ledger: Ledger) -> None:
    with Pusher(port, MAIN) as hub:
        for begun, name, digest in some(ledger.blobs):
            if must_be_there(begun):
                found = hub.ask("GET", f"/v2/{name}/blobs/{digest}")
                is_right = "sha256:" + hashlib.sha256(found.body).hexdigest() == digest
                told = (name, digest, time.time() - begun, found.status, found.body[:300])
                assert is_right or (found.status == 404 and not must_be_there(begun)), told
        for (name, digest), content in some(list(ledger.manifests.items())):
            begun = ledger.pushed[name, digest]
            if must_be_there(begun):
                found = hub.ask("GET", f"/v2/{name}/manifests/{digest}")
                told = (name, digest, time.time() - begun, found.status, found.body[:300])
                assert found.body == content or (found.status == 404 and not must_be_there(begun)), told
        for number in range(IMAGES):
            name = f"{BUCKET}/app{number}"
            listed = set(json.loads(hub.ask("GET", f"/v2/{name}/tags/list").body).get("tags", []))
            for (where, tag), last in ledger.tags.items():
                may_be_gone = DELETED in {last, *ledger.tried[where, tag]}
                assert where != name or tag in listed or may_be_gone
            for tag in listed:
                got = hub.ask("GET", f"/v2/{name}/manifests/{tag}")
                digest = "sha256:" + hashlib.sha256(got.body).hexdigest()
                assert digest == got.headers["docker-content-digest"]
                # The last push may have been stored without its answer having arrived; nothing older may show.
                assert digest == ledger.tags.get((name, tag)) or digest in ledger.tried[name, tag], (name, tag)
                document = json.loads(got.body)
                for one in [document["config"], *document["layers"]]:
                    blob = hub.ask("GET", f"/v2/{name}/blobs/{one['digest']}")
                    assert blob.status == 200
                    assert "sha256:" + hashlib.sha256(blob.body).hexdigest() == one["digest"]


def counters_are_exact(data: Path) -> None:
    import sqlite3

    with sqlite3.connect(data / "hub.db") as found:
        wrong = found.execute(
            "SELECT i.name FROM image i"
            " WHERE manifest_count <> (SELECT COUNT(*) FROM manifest m WHERE m.image_id = i.id)"
            " OR tag_count <> (SELECT COUNT(*) FROM tag t WHERE t.image_id = i.id)"
            " UNION ALL SELECT b.name FROM bucket b WHERE image_count <>"
            " (SELECT COUNT(*) FROM image i WHERE i.bucket_id = b.id AND i.manifest_count > 0)"
        ).fetchall()
        wrong += found.execute(
            "SELECT b.name, bytes FROM bucket b WHERE bytes <>"
            " (SELECT COALESCE(SUM(o.size), 0) FROM blob o WHERE o.id IN"
            "   (SELECT l.blob_id FROM image_blob l JOIN image i ON i.id = l.image_id WHERE i.bucket_id = b.id))"
            " + (SELECT COALESCE(SUM(m.size), 0) FROM manifest m JOIN image i ON i.id = m.image_id"
            "   WHERE i.bucket_id = b.id)"
        ).fetchall()
    found.close()
    assert wrong == []


async def findings(data: Path) -> list[Any]:
    """What fsck finds, without a process for it each time."""
    hub = await wiring.open_hub(config.load(environ={}, data=str(data)))
    try:
        return await fsck.check(hub, deep=False, repair=False, progress=lambda *_: None)
    finally:
        await wiring.close_hub(hub)


def collect(data: Path) -> "subprocess.Popen[bytes]":
    """A collection beside the server, in which everything that is due goes."""
    return subprocess.Popen(
        [sys.executable, "-m", "entrepot.cli.main", "gc", "--data", str(data)],
        stdout=subprocess.DEVNULL,
        env={**os.environ, **{f"ENTREPOT_{name.upper()}": value for name, value in SETTINGS.items()}},
        start_new_session=True,
    )


def test_kill_9_in_the_middle_of_everything(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = entrepot("init", "--data", str(data), "--email", MAIN[0], "--password", MAIN[1], "--json")
    keys = json.loads(made.stdout)
    port, ledger = free_port(), Ledger()
    process = serve(data, port, **SETTINGS)
    public, private = keys["PublicKey"], keys["PrivateKey"]
    hub = Live(f"http://127.0.0.1:{port}", port, data, *MAIN, public, private, keys["ProjectId"], process)
    make_bucket(hub, BUCKET)
    for number in range(ROUNDS):
        stop = threading.Event()
        threads = [threading.Thread(target=load, args=(hub, ledger, client, stop)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        collector = collect(data)
        time.sleep(random.uniform(0.4, 1.5))
        for killed in random.sample([process, collector], 2):
            os.killpg(killed.pid, signal.SIGKILL)
            killed.wait()
        stop.set()
        for thread in threads:
            thread.join()
        process = serve(data, port, **SETTINGS)  # it finds the database as the kill left it, nobody repairs it before
        check(port, ledger)
        counters_are_exact(data)
        assert asyncio.run(findings(data)) == []
        if number % 10 == 7:
            checked = entrepot("fsck", "--data", str(data), "--deep")
            assert (checked.returncode, checked.stdout) == (0, "Clean.\n"), checked.stdout + checked.stderr
        if number % 25 == 24:
            print(
                f"{number + 1} kills, {len(ledger.blobs):,} blobs and {len(ledger.manifests):,} manifests", flush=True
            )
    process.terminate()
    assert process.wait(20) == 0
    assert len(ledger.manifests) > ROUNDS * CLIENTS, "too few pushes to mean anything"
