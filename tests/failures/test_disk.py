"""The disk under a running server is full, read-only, or fails. What was acknowledged stays, reads go on, the error
says what to do, and the service is back by itself when the disk is.
"""

import contextlib
import hashlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.pushing import Pusher
from tests.failures.rig import MAIN, NAME, Rig, compiled, refused

MIB = 1024 * 1024
pytestmark = pytest.mark.slow


@contextlib.contextmanager
def running(folder: Path, **given: str) -> Iterator[Rig]:
    rig = Rig(folder, **given)
    try:
        yield rig
    finally:
        rig.stop()


@pytest.fixture
def volume(tmp_path: Path) -> Iterator[Path]:
    """A small disk at the place of the data folder."""
    (tmp_path / "data").mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "none", str(tmp_path / "data")], capture_output=True, check=False
    ) if os.getuid() == 0 else None  # fmt: skip
    if made is None or made.returncode != 0:
        pytest.skip("a small disk cannot be mounted here (root is needed): the disk is never full")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path / "data")], check=True)


@pytest.fixture
def failing(tmp_path: Path) -> Iterator[tuple[Rig, Path]]:
    """A server whose file calls fail while a file of that name is in the folder."""
    when = tmp_path / "when"
    when.mkdir()
    environ = {"LD_PRELOAD": str(compiled(tmp_path)), "FAIL_UNDER": str(tmp_path / "data"), "FAIL_WHEN": str(when)}
    rig = Rig(tmp_path, environ)
    yield rig, when
    for one in when.iterdir():
        one.unlink()
    rig.stop()


def fill(data: Path) -> Path:
    """Take the last byte of a disk."""
    filler = data / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        for size in (65_536, 4096, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"\0" * size)
    return filler


def test_full_by_pushes(volume: Path) -> None:
    with running(volume) as rig:
        got = None
        for number in range(60):
            rig.push(f"v{number}", 200_000) if number < 5 else None
            got = rig.blob(os.urandom(MIB))
            if got.status != 201:
                break
        assert got is not None
        refused(got, 507, "full", "nothing was lost", "operator")
        rig.assert_whole()
        for one in range(5):
            refused(rig.blob(os.urandom(3 * MIB + one)), 507, "full")
        # No half upload stays behind to take the room of the others.
        assert [one for one in (rig.data / "uploads").iterdir() if one.stat().st_size] == []
        rig.assert_whole()
        rig.assert_no_storm()
        rig.assert_clean()


def test_full_to_the_last_byte_and_back(volume: Path) -> None:
    with running(volume) as rig:
        rig.push("v1")
        filler = fill(rig.data)
        refused(rig.blob(os.urandom(MIB)), 507, "full")
        answers = [rig.blob(os.urandom(60_000)) for _ in range(30)] + [rig.retag("v1", f"t{one}") for one in range(3)]
        refused(next(one for one in answers if one.status != 201), 507, "full")
        assert {one.status for one in answers} <= {201, 507}
        rig.assert_whole()
        rig.assert_no_storm()
        filler.unlink()
        rig.push("v2")
        assert rig.retag("v2", "v3").status == 201
        rig.assert_whole()
        rig.assert_clean()
        # A start on a full disk serves what is there.
        filler = fill(rig.data)
        rig.stop()
        rig.start()
        rig.assert_whole()
        filler.unlink()
        rig.push("v4")
        rig.assert_clean()


def test_a_session_goes_on_when_there_is_room_again(volume: Path) -> None:
    with running(volume) as rig, Pusher(rig.port, MAIN) as hub:
        content = os.urandom(MIB + 200_000)
        place = hub.start(NAME)
        got = hub.ask("PATCH", place, body=content[:MIB])
        place = got.headers["location"]
        filler = fill(rig.data)
        refused(hub.ask("PATCH", place, body=content[MIB:]), 507, "full")
        filler.unlink()
        status = rig.ask("GET", place)
        assert (status.status, status.headers["range"]) == (204, f"0-{MIB - 1}")
        place = rig.ask("PATCH", place, body=content[MIB:]).headers["location"]
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        assert rig.ask("PUT", f"{place}?digest={digest}").status == 201
        assert rig.ask("GET", f"/v2/{NAME}/blobs/{digest}").body == content
        rig.assert_clean()


def test_read_only(failing: tuple[Rig, Path]) -> None:
    rig, when = failing
    rig.push("v1")
    (when / "readonly").touch()
    refused(rig.blob(os.urandom(200_000)), 503, "Read-only")
    refused(rig.blob(os.urandom(1000)), 503, "hub.db")
    refused(rig.retag("v1", "v2"), 503, "hub.db")
    rig.assert_whole()
    (when / "readonly").unlink()
    rig.push("v2")
    rig.assert_whole()
    rig.assert_no_storm()
    rig.assert_clean()


def in_a_known_folder(rig: Rig) -> tuple[bytes, str]:
    """Content whose blob goes to a folder that the server has made and synced before."""
    folders = {one.name for one in (rig.data / "blobs" / "sha256").iterdir()}
    while True:
        content = os.urandom(200_000)
        digest = hashlib.sha256(content).hexdigest()
        if digest[:2] in folders:
            return content, f"sha256:{digest}"


def test_a_failed_sync_promises_nothing_and_the_next_one_is_not_believed(failing: tuple[Rig, Path]) -> None:
    rig, when = failing
    rig.push("v1")
    content, digest = in_a_known_folder(rig)
    with Pusher(rig.port, MAIN) as hub:
        place = hub.ask("PATCH", hub.start(NAME), body=content).headers["location"]
        (when / "sync").touch()
        refused(hub.ask("PUT", f"{place}?digest={digest}"), 503, "data folder")
        refused(rig.blob(os.urandom(1000)), 503, "disk failed")
        refused(rig.retag("v1", "v2"), 503, "disk failed")
        (when / "sync").unlink()
        log = rig.data / "hub.db-wal"
        size_in_doubt = log.stat().st_size
        # The system has forgotten which pages it could not write: the bytes must come again.
        again = hub.ask("PUT", f"{place}?digest={digest}")
        assert (again.status, b"BLOB_UPLOAD_UNKNOWN" in again.body) == (404, True)
        # And the log may have holes: all of it went to the database file before anything was promised again.
        assert log.stat().st_size < size_in_doubt
    assert rig.blob(content).status == 201
    rig.push("v2")
    rig.assert_whole()
    rig.assert_no_storm()
    rig.stop()
    rig.start()
    rig.assert_whole()
    rig.assert_clean()


def test_writes_that_fail(failing: tuple[Rig, Path]) -> None:
    rig, when = failing
    rig.push("v1")
    (when / "write").touch()
    refused(rig.blob(os.urandom(MIB)), 503, "data folder")
    refused(rig.retag("v1", "v2"), 503, "disk failed")
    rig.assert_whole()
    (when / "write").unlink()
    rig.push("v2")
    rig.assert_whole()
    rig.assert_no_storm()
    rig.assert_clean()


def test_a_blob_that_cannot_be_read_is_found_and_heals(failing: tuple[Rig, Path]) -> None:
    rig, when = failing
    content = os.urandom(3 * MIB)
    assert rig.blob(content).status == 201
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    path = f"/v2/{NAME}/blobs/{digest}"
    (when / "read").touch()
    refused(rig.ask("GET", path, headers={"Range": f"bytes=0-{2 * MIB}"}), 503, "cannot be read", "try again")
    deadline = time.monotonic() + 60
    while rig.ask("HEAD", path).status == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    got = rig.ask("GET", path)
    assert (got.status, b"push it again" in got.body) == (404, True)
    assert [one["Fault"] for one in rig.call("ListDamaged")["DamagedSet"]] == ["unreadable"]
    (when / "read").unlink()
    assert rig.blob(content).status == 201
    assert rig.ask("GET", path).body == content
    assert rig.call("ListDamaged")["TotalCount"] == 0
    rig.assert_no_storm()
    rig.assert_clean()
