"""kill -9 in the middle of pushes: what was acknowledged is there bit for bit, what was not is nowhere half."""

import hashlib
import http.client
import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import MAIN, make_bucket
from tests.clients.pushing import Pusher, push_image
from tests.conftest import Live, entrepot, free_port, serve

pytestmark = [pytest.mark.slow]
ROUNDS = int(os.environ.get("ENTREPOT_KILLS", "8"))
CLIENTS = int(os.environ.get("ENTREPOT_KILL_CLIENTS", "8"))
IMAGES = 4
DELETED = "deleted"
NEWEST = 400


class Ledger:
    """What the server said it has, and what was tried for a tag since it last said so."""

    def __init__(self) -> None:
        self.blobs: list[tuple[str, str]] = []
        self.tags: dict[tuple[str, str], str] = {}
        self.tried: dict[tuple[str, str], set[str]] = {}
        self.manifests: dict[tuple[str, str], bytes] = {}


class Noting(Pusher):
    """A pusher that writes down each acknowledgement as it comes."""

    def __init__(self, port: int, ledger: Ledger) -> None:
        super().__init__(port, MAIN)
        self.ledger = ledger

    def blob(self, name: str, content: bytes) -> str:
        digest = super().blob(name, content)
        self.ledger.blobs.append((name, digest))
        return digest

    def delete(self, name: str, tag: str) -> None:
        self.ledger.tried.setdefault((name, tag), set()).add(DELETED)
        reply = self.ask("DELETE", f"/v2/{name}/manifests/{tag}")
        assert reply.status == 202, reply.body
        self.ledger.tags[name, tag] = DELETED
        self.ledger.tried[name, tag].clear()

    def manifest(self, name: str, tag: str, content: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        self.ledger.tried.setdefault((name, tag), set()).add(digest)
        assert super().manifest(name, tag, content) == digest
        self.ledger.manifests[name, digest] = content
        self.ledger.tags[name, tag] = digest
        self.ledger.tried[name, tag].clear()
        return digest


def load(port: int, ledger: Ledger, number: int, stop: threading.Event) -> None:
    source = random.Random(f"{number} {time.time()}")
    while not stop.is_set():
        try:
            with Noting(port, ledger) as hub:
                while not stop.is_set():
                    name = f"hard-life/app{number % IMAGES}"
                    # Each client has tags of its own, so what a tag must hold is known.
                    tag = f"c{number}-{source.randrange(3)}"
                    push_image(hub, name, tag, source.randbytes(source.choice([100, 70_000, 2_000_000])))
                    if source.random() < 0.2:
                        hub.delete(name, tag)
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)


def some(listed: list[Any]) -> list[Any]:
    """What is newest, and a handful of everything before: a round must not cost more with each round."""
    return [*random.sample(listed[:-NEWEST], min(100, len(listed[:-NEWEST]))), *listed[-NEWEST:]]


def check(port: int, ledger: Ledger) -> None:
    with Pusher(port, MAIN) as hub:
        for name, digest in some(ledger.blobs):
            body = hub.ask("GET", f"/v2/{name}/blobs/{digest}").body
            assert "sha256:" + hashlib.sha256(body).hexdigest() == digest
        for (name, digest), content in some(list(ledger.manifests.items())):
            assert hub.ask("GET", f"/v2/{name}/manifests/{digest}").body == content
        for number in range(IMAGES):
            name = f"hard-life/app{number}"
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


def test_kill_9_in_the_middle_of_pushes(tmp_path: Path) -> None:
    data = tmp_path / "data"
    entrepot("init", "--data", str(data), "--email", MAIN[0], "--password", MAIN[1])
    port, ledger = free_port(), Ledger()
    process = serve(data, port)
    make_bucket(Live(f"http://127.0.0.1:{port}", port, data, *MAIN, "", "", "", process), "hard-life")
    for number in range(ROUNDS):
        stop = threading.Event()
        threads = [threading.Thread(target=load, args=(port, ledger, client, stop)) for client in range(CLIENTS)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.4, 1.5))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        stop.set()
        for thread in threads:
            thread.join()
        process = serve(data, port)  # it finds the database as the kill left it, nobody repairs it before
        check(port, ledger)
        counters_are_exact(data)
        deep = ["--deep"] if number % 10 == 7 else []
        checked = entrepot("fsck", "--data", str(data), *deep)
        assert (checked.returncode, checked.stdout) == (0, "Clean.\n"), checked.stdout + checked.stderr
    process.terminate()
    assert process.wait(20) == 0
    assert len(ledger.manifests) > ROUNDS * CLIENTS, "too few pushes to mean anything"
