"""migrate-data by the command itself: a hub moves to PostgreSQL and a bucket under its clients, and back to files."""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrepot.client.actions import ActionError, ActionsClient
from tests import azure, postgres, s3, stored
from tests.clients.pushing import OCI_MANIFEST, Got, Pusher
from tests.conftest import entrepot, free_port, serve
from tests.registry.kit import digest, manifest_of

NAME = "depot/app"
LOGIN = ("main@example.com", "correct horse")


class Place:
    """A hub that is served from a folder; ``settings``: where its rows and bytes are."""

    def __init__(self, data: Path, keys: tuple[str, str], **settings: str) -> None:
        self.data, self.keys, self.settings, self.port = data, keys, settings, free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = serve(self.data, self.port, **self.settings)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            assert self.process.wait(30) == 0
        self.process = None

    @property
    def actions(self) -> ActionsClient:
        return ActionsClient(f"http://127.0.0.1:{self.port}", *self.keys)

    def client(self) -> Pusher:
        return Pusher(self.port, LOGIN)

    def push(self, tag: str, content: bytes) -> Got:
        with self.client() as client:
            return push(client, tag, content)


def push(client: Pusher, tag: str, content: bytes) -> Got:
    """The answer that ended it: 201 for the manifest, or the first refusal."""
    sent = client.ask("POST", f"/v2/{NAME}/blobs/uploads/?digest={digest(content)}", body=content)
    if sent.status != 201:
        return sent
    manifest = manifest_of([(digest(content), len(content))])
    return client.ask("PUT", f"/v2/{NAME}/manifests/{tag}", headers={"Content-Type": OCI_MANIFEST}, body=manifest)


def pull(client: Pusher, tag: str) -> list[Got]:
    """A manifest with name and password, as containerd comes, and with a token, as Docker does."""
    made = client.ask("GET", f"/token?scope=repository:{NAME}:pull")
    if made.status != 200:
        return [made]
    bearer = {"Authorization": f"Bearer {json.loads(made.body)['token']}"}
    return [client.ask("GET", f"/v2/{NAME}/manifests/{tag}", headers=headers) for headers in ({}, bearer)]


class Load:
    """Clients that push and pull while the hub moves; ``held``: tags that were acknowledged, with their layer."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.held: dict[str, bytes] = {}
        self.refused: list[Got] = []
        self.faults: list[object] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._push, args=(number,)) for number in range(4)]
        self._threads.append(threading.Thread(target=self._pull))

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _push(self, number: int) -> None:
        turn = 0
        with self.place.client() as client:
            while not self._over.is_set():
                turn += 1
                time.sleep(0.05)  # the hub is at work, not at its limit
                tag, content = f"p{number}-{turn}", os.urandom(200_000 if turn % 2 else 500)
                reply = push(client, tag, content)
                if reply.status == 201:
                    self.held[tag] = content
                elif reply.status == 503:
                    self.refused.append(reply)
                else:
                    self.faults.append((tag, reply))

    def _pull(self) -> None:
        with self.place.client() as client:
            while not self._over.is_set():
                self.faults += [reply for reply in pull(client, "first") if reply.status != 200]


@pytest.fixture
def azurite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Bytes in Azure's own server."""
    server = s3.start("azurite", tmp_path)
    for name, value in azure.credentials(server.url).items():
        monkeypatch.setenv(name, value)
    yield s3.settings_at(server, "there")
    s3.stop(server)


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """Rows and bytes of a place that is no folder."""
    stored.only_files()
    postgres.only_sqlite()
    is_azure = getattr(request, "param", "") == "azurite"
    place = request.getfixturevalue("azurite") if is_azure else s3.settings_of(tmp_path / "there")
    url = postgres.shared().database()
    yield {"database_url": url, **place}
    postgres.shared().drop(url)


@pytest.fixture
def source(tmp_path: Path, settings: dict[str, str]) -> Iterator[Place]:
    del settings  # asked for first: the test may be skipped
    made = entrepot("init", "--data", str(tmp_path / "data"), "--email", LOGIN[0], "--password", LOGIN[1], "--json")
    keys = json.loads(made.stdout)
    place = Place(tmp_path / "data", (keys["PublicKey"], keys["PrivateKey"]))
    place.start()
    try:
        place.actions.call("CreateRepo", RepoName="depot")
        assert place.push("first", b"first" * 50_000).status == 201
        yield place
    finally:
        if place.process is not None:
            place.process.kill()
            place.process.wait()


def file_of(folder: Path, settings: dict[str, str]) -> str:
    """A TOML file of settings."""
    path = folder.with_suffix(".toml")
    path.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    return str(path)


def migrate(source: Place, *words: str) -> "subprocess.CompletedProcess[str]":
    environ = {**os.environ, **{f"ENTREPOT_{name.upper()}": value for name, value in source.settings.items()}}
    return entrepot("migrate-data", str(source.data), *words, env=environ)


def check_holds(place: Place, held: dict[str, bytes]) -> None:
    with place.client() as client:
        for tag, content in held.items():
            for reply in pull(client, tag):
                assert (reply.status, reply.body) == (200, manifest_of([(digest(content), len(content))])), tag
            assert client.ask("GET", f"/v2/{NAME}/blobs/{digest(content)}").body == content, tag


@pytest.mark.parametrize("settings", ["s3", "azurite"], indirect=True)
def test_a_hub_moves_under_its_clients_and_back(source: Place, settings: dict[str, str], tmp_path: Path) -> None:
    there = Place(tmp_path / "there", source.keys, **settings)
    to = (str(there.data), "--to", file_of(there.data, settings))
    with Load(source) as load:
        copied = migrate(source, *to)
        assert (copied.returncode, "Copied, not moved" in copied.stdout) == (0, True), copied.stdout + copied.stderr
        assert not load.refused, "nothing changes where the hub is"
        unopened = entrepot("gc", "--data", str(there.data), env={**os.environ, "ENTREPOT_CONFIG": to[2]})
        assert (unopened.returncode, "migrate-data" in unopened.stderr) == (3, True), unopened
        moved = migrate(source, *to, "--switch", "--json")
        assert moved.returncode == 0, moved.stdout + moved.stderr
        told = json.loads(moved.stdout)
        assert (told["done"], told["found"], told["damaged"]) == (True, [], [])
    assert load.faults == []
    assert len(load.held) > 10
    assert load.refused
    assert all("it is read only here" in reply.body.decode() for reply in load.refused)

    # The place that was left: pulls go on, also in a process that starts now, and nothing is taken.
    source.stop()
    source.start()
    check_holds(source, {"first": b"first" * 50_000, **load.held})
    assert source.push("late", b"late").status == 503
    with pytest.raises(ActionError, match="it is read only here"):
        source.actions.call("CreateRepo", RepoName="late")
    assert "migrate-data" in (tmp_path / f"serve-{source.port}.log").read_text()
    again = migrate(source, *to, "--switch")
    assert (again.returncode != 0, "holds this hub already" in again.stderr) == (True, True), again

    # The new place: all that was acknowledged, and pushes.
    there.start()
    check_holds(there, {"first": b"first" * 50_000, **load.held})
    assert there.push("late", b"late").status == 201

    # And back to files, while it serves.
    back = Place(tmp_path / "back", source.keys)
    home = migrate(there, str(back.data), "--to", file_of(back.data, {}), "--switch")
    assert (home.returncode, "Moved: " in home.stdout) == (0, True), home.stdout + home.stderr
    assert there.push("later", b"later").status == 503
    there.stop()
    back.start()
    check_holds(back, {**load.held, "late": b"late"})
    assert back.push("later", b"later").status == 201
    back.stop()
    source.stop()


def test_a_move_is_undone(source: Place, settings: dict[str, str], tmp_path: Path) -> None:
    there = Place(tmp_path / "there", source.keys, **settings)
    to = (str(there.data), "--to", file_of(there.data, settings))
    assert migrate(source, *to, "--switch").returncode == 0
    assert source.push("refused", b"x").status == 503
    undone = migrate(source, "--undo")
    assert (undone.returncode, "takes changes again" in undone.stdout) == (0, True), undone
    assert source.push("taken", b"x").status == 201
    assert "nothing was undone" in migrate(source, "--undo").stdout
    source.stop()


def test_two_places_that_share_something_are_refused(source: Place, settings: dict[str, str], tmp_path: Path) -> None:
    inside = source.data / "new"
    for words, reason in (
        ((str(inside), "--to", file_of(tmp_path / "a", {})), "inside the other"),
        ((str(tmp_path / "new"),), "migrate-data DATA NEW --to FILE"),
        ((str(tmp_path), "--to", file_of(tmp_path / "b", {})), "inside the other"),
        ((str(tmp_path / "new"), "--to", str(tmp_path / "missing.toml")), "missing.toml"),
        ((str(tmp_path / "new"), "--to", file_of(tmp_path / "c", {"databse_url": "x"})), "databse_url"),
    ):
        refused = migrate(source, *words, "--switch")
        assert (refused.returncode != 0, reason in refused.stderr) == (True, True), refused
    other = Place(tmp_path / "there", source.keys, **settings)
    assert migrate(source, str(other.data), "--to", file_of(other.data, settings), "--switch").returncode == 0
    assert migrate(source, "--undo").returncode == 0
    # Its rows and its bucket are taken now, whatever the folder.
    taken = migrate(source, str(tmp_path / "new"), "--to", file_of(tmp_path / "d", settings), "--switch")
    assert (taken.returncode != 0, "not empty" in taken.stderr) == (True, True), taken
    rows = {"database_url": settings["database_url"]}
    taken = migrate(source, str(tmp_path / "new"), "--to", file_of(tmp_path / "e", rows), "--switch")
    assert (taken.returncode != 0, "holds a hub" in taken.stderr) == (True, True), taken
    assert source.push("still", b"x").status == 201, "a refusal leaves the hub as it is"
    source.stop()
