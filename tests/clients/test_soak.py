"""Everything at once for long: pushes, pulls, deletes, undeletes, aborted uploads, collection; then nothing is missing
and nothing is left over. ENTREPOT_SOAK_SECONDS and ENTREPOT_SOAK_CLIENTS make it a real soak (`make soak`).
"""

import hashlib
import http.client
import json
import os
import random
import sqlite3
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from entrepot.client.actions import ActionError, ActionsClient
from tests.clients.conftest import MAIN
from tests.clients.pushing import Got, Pusher, push_image
from tests.conftest import entrepot, free_port, serve

pytestmark = [pytest.mark.slow]
SECONDS = float(os.environ.get("ENTREPOT_SOAK_SECONDS", "20"))
CLIENTS = int(os.environ.get("ENTREPOT_SOAK_CLIENTS", "8"))
IMAGES = 8
WINDOW = 30
"""Seconds in which what was deleted can be brought back: short, so that much expires during the run."""
SIZES = (100, 50_000, 300_000, 2_000_000)
UNKNOWN = 1034


class Counting(Pusher):
    """Counts statuses; any 5xx ends the test."""

    def __init__(self, port: int, seen: "Counter[int]") -> None:
        super().__init__(port, MAIN)
        self.seen = seen

    def ask(self, method: str, path: str, **given: object) -> Got:
        got = super().ask(method, path, **given)  # type: ignore[arg-type]
        self.seen[got.status] += 1
        assert got.status < 500, (method, path, got.status, got.body)
        return got


class Client(threading.Thread):
    """One client with tags of its own, so that it knows what each must hold."""

    def __init__(self, number: int, port: int, keys: tuple[str, str], until: float) -> None:
        super().__init__(name=f"client {number}")
        self.port, self.until = port, until
        self.source = random.Random(number)
        self.number, self.image = number, f"soak/app{number % IMAGES}"
        self.tags: dict[str, bytes] = {}
        self.gone: list[bytes] = []
        self.done: Counter[str] = Counter()
        self.seen: Counter[int] = Counter()
        self.faults: list[str] = []
        self.api = ActionsClient(f"http://127.0.0.1:{port}/", *keys)

    def run(self) -> None:
        steps = [self.push] * 8 + [self.pull] * 6 + [self.delete_tag, self.delete_manifest, self.undelete, self.abort]
        while time.time() < self.until:
            try:
                with Counting(self.port, self.seen) as hub:
                    while time.time() < self.until:
                        step = self.source.choice(steps)
                        step(hub)
                        self.done[step.__name__] += 1
            except Exception as fault:
                self.faults.append(repr(fault))
                return

    def push(self, hub: Pusher) -> None:
        tag = f"c{self.number}-{self.source.randrange(6)}"
        _, self.tags[tag] = push_image(hub, self.image, tag, self.source.randbytes(self.source.choice(SIZES)))

    def pull(self, hub: Pusher) -> None:
        for tag in self.some():
            self.check(hub, tag)

    def some(self) -> list[str]:
        return [self.source.choice(sorted(self.tags))] if self.tags else []

    def check(self, hub: Pusher, tag: str) -> None:
        content = self.tags[tag]
        got = hub.ask("GET", f"/v2/{self.image}/manifests/{tag}")
        assert got.body == content, f"{tag}: {got.status}"
        document = json.loads(content)
        for one in [document["config"], *document["layers"]]:
            got = hub.ask("GET", f"/v2/{self.image}/blobs/{one['digest']}")
            assert "sha256:" + hashlib.sha256(got.body).hexdigest() == one["digest"], f"{one['digest']}: {got.status}"

    def delete_tag(self, hub: Pusher) -> None:
        for tag in self.some():
            del self.tags[tag]
            assert hub.ask("DELETE", f"/v2/{self.image}/manifests/{tag}").status == 202

    def delete_manifest(self, hub: Pusher) -> None:
        for tag in self.some():
            content = self.tags.pop(tag)
            name = "sha256:" + hashlib.sha256(content).hexdigest()
            assert hub.ask("DELETE", f"/v2/{self.image}/manifests/{name}").status == 202
            self.gone.append(content)
            self.tags = {one: held for one, held in self.tags.items() if held != content}

    def undelete(self, hub: Pusher) -> None:
        """The newest of what was deleted: restored while its window is open, pushed again after that."""
        if not self.gone:
            return
        content = self.gone.pop()
        name = "sha256:" + hashlib.sha256(content).hexdigest()
        listed = self.api.call("ListDeleted", BucketName="soak", Limit=100)["DeletedSet"]
        found = [one["DeletionId"] for one in listed if one["Digest"] == name]
        try:
            back = bool(found) and self.api.call("RestoreDeleted", BucketName="soak", DeletionId=found[0])
        except ActionError as fault:
            if fault.ret_code != UNKNOWN:  # only its end of time is expected
                raise
            back = False
        if back:
            tag = f"c{self.number}-back"
            hub.manifest(self.image, tag, content)
            self.tags[tag] = content
            self.check(hub, tag)
            listed = json.loads(hub.ask("GET", f"/v2/{self.image}/tags/list").body)["tags"]
            mine = {one for one in listed if one.startswith(f"c{self.number}-")}
            for one in mine - set(self.tags):  # the tag that came back with it
                self.tags[one] = content
            assert mine == set(self.tags)

    def abort(self, hub: Pusher) -> None:
        place = hub.start(self.image)
        broken = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        broken.putrequest("PATCH", place)
        broken.putheader("Authorization", hub.headers["Authorization"])
        broken.putheader("Content-Length", "1000000")
        broken.endheaders()
        broken.send(self.source.randbytes(200_000))
        broken.close()


def accounted(data: Path) -> int:
    """Bytes of stored objects that rows know, dead ones too."""
    with sqlite3.connect(data / "hub.db") as found:
        [held] = found.execute(
            "SELECT (SELECT COALESCE(SUM(size), 0) FROM blob WHERE content IS NULL)"
            " + (SELECT COALESCE(SUM(size), 0) FROM dead_object)"
        ).fetchone()
    found.close()
    return int(held)


def stored(data: Path) -> int:
    return sum(one.stat().st_size for one in (data / "blobs" / "sha256").rglob("*") if one.is_file())


def test_soak(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    made = entrepot("init", "--data", str(data), "--email", MAIN[0], "--password", MAIN[1], "--json")
    secrets = json.loads(made.stdout)
    assert entrepot("bucket", "create", "soak", "--data", str(data)).returncode == 0
    # All clients are one person, whose abandoned uploads would reach the limit of `open_uploads` in ten minutes.
    short = {"undelete_seconds": str(WINDOW), "untagged_seconds": str(WINDOW), "grace_seconds": "20"}
    short |= {"upload_seconds": "60", "open_uploads": "0"}
    process = serve(data, port, **short)
    keys = (secrets["PublicKey"], secrets["PrivateKey"])
    clients = [Client(number, port, keys, time.time() + SECONDS) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    collected: Counter[str] = Counter()
    environ = {**os.environ, **{f"ENTREPOT_{name.upper()}": value for name, value in short.items()}}
    while any(client.is_alive() for client in clients):
        time.sleep(2)
        told = entrepot("gc", "--data", str(data), "--json", env=environ)
        assert told.returncode == 0, told.stderr
        collected.update(json.loads(told.stdout))
    for client in clients:
        client.join()
        assert client.faults == [], client.faults
        with Counting(port, client.seen) as hub:
            for tag in client.tags:
                client.check(hub, tag)
    process.terminate()
    assert process.wait(30) == 0
    checked = entrepot("fsck", "--data", str(data), "--deep", env=environ)
    assert (checked.returncode, checked.stdout) == (0, "Clean.\n"), checked.stdout + checked.stderr
    assert stored(data) == accounted(data)
    done = sum((client.done for client in clients), Counter[str]())
    seen = sum((client.seen for client in clients), Counter[int]())
    print(f"\n{dict(done)}\nstatuses {dict(seen)}\ncollected {dict(collected)}\n{stored(data)} bytes stored")
    assert min(done[name] for name in ("push", "pull", "delete_tag", "delete_manifest", "undelete", "abort")) > 0
