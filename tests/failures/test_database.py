"""hub.db is locked by somebody else, or damaged: a clear answer, no storm in the log, and what is healthy goes on."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.conftest import entrepot
from tests.failures.rig import NAME, Rig, refused

pytestmark = pytest.mark.slow


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.stop()


def test_locked_for_longer_than_a_writer_waits(rig: Rig) -> None:
    rig.push("v1")
    other = sqlite3.connect(rig.data / "hub.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    refused(rig.blob(b"x" * 1000), 503, "locked", "hub.db open")
    rig.assert_whole()  # reads do not wait for writers
    other.execute("ROLLBACK")
    other.close()
    rig.push("v2")
    rig.assert_whole()
    rig.assert_no_storm()
    rig.assert_clean()


def spoil(data: Path, table: str) -> None:
    """Overwrite the first page of a table or index, of the file that rows are in."""
    postgres.only_sqlite()
    path = data / "hub.db"
    with sqlite3.connect(path) as found:
        size = found.execute("PRAGMA page_size").fetchone()[0]
        [page] = found.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
    found.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xa5" * size)


def test_a_damaged_table_takes_nothing_else_with_it(rig: Rig) -> None:
    rig.push("v1")
    digest, content = rig.images["v1"]
    rig.stop()
    spoil(rig.data, "tag")
    rig.start()
    for _ in range(20):
        refused(rig.ask("GET", f"/v2/{NAME}/manifests/v1"), 503, "hub.db is damaged", "entrepot fsck")
    assert rig.ask("GET", f"/v2/{NAME}/manifests/{digest}").body == content
    assert rig.blob(b"y" * 1000).status == 201
    assert rig.call("GetImageBucketList", Region="cn-bj2")["TotalCount"] == 1
    rig.assert_no_storm()
    told = rig.fsck()
    assert told.returncode == 1
    assert "database: " in told.stdout
    assert "bring back a copy" in told.stdout
    assert "Traceback" not in told.stderr


def test_a_file_that_is_no_database_is_said_in_one_line(rig: Rig) -> None:
    rig.stop()
    with (rig.data / "hub.db").open("r+b") as file:
        file.write(b"\xa5" * 4096)
    for command, code in (("fsck", 2), ("serve", 4), ("gc", 4)):
        told = entrepot(command, "--data", str(rig.data), *(["--port", "0"] if command == "serve" else []))
        assert (told.returncode, "hub.db is no database" in told.stderr) == (code, True), told.stderr
        assert "Traceback" not in told.stderr


def test_fsck_of_a_folder_without_hub_could_not_run(tmp_path: Path) -> None:
    told = entrepot("fsck", "--data", str(tmp_path))
    assert (told.returncode, told.stdout) == (2, "")
    assert "holds no hub" in told.stderr


def test_fsck_finds_repairs_and_says_what_to_do(rig: Rig) -> None:
    rig.push("v1")
    rig.push("v2")
    lost, rotten = sorted(one for one in (rig.data / "blobs" / "sha256").rglob("*") if one.is_file())
    lost.unlink()
    rotten.write_bytes(b"x" + rotten.read_bytes()[1:])
    quick = rig.fsck()
    assert (quick.returncode, quick.stdout.count("missing: "), quick.stdout.count("damaged: ")) == (1, 1, 0)
    deep = rig.fsck("--deep", "--repair")
    assert (deep.returncode, deep.stdout.count("missing: "), deep.stdout.count("damaged: ")) == (1, 1, 1)
    assert deep.stdout.count("marked, not served") == 2
    assert "checked " in deep.stderr  # no terminal: plain lines
    assert (rig.data / "blobs" / "quarantine").is_dir()
    assert rig.call("ListDamaged")["TotalCount"] == 2
    assert rig.ask("HEAD", f"/v2/{NAME}/blobs/sha256:{rotten.name[:64]}").status == 404
    import json

    found = json.loads(rig.fsck("--json").stdout)
    assert {one["kind"] for one in found} == {"missing", "damaged"}
    assert all("push it again" in one["next"] for one in found)
