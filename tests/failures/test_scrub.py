"""The scrub inside a running server finds what rots on the disk, and the next push heals it."""

import os
import sqlite3
import time
from pathlib import Path

import pytest

from tests.failures.rig import NAME, Rig

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_finds_rot_by_itself(tmp_path: Path, workers: str) -> None:
    rig = Rig(tmp_path, workers=workers)
    content = os.urandom(5_000_000)
    assert rig.blob(content).status == 201
    rig.stop()
    [path] = [one for one in (rig.data / "blobs" / "sha256").rglob("*") if one.is_file()]
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with sqlite3.connect(rig.data / "hub.db") as rows:  # the last pass was long ago
        rows.execute("UPDATE scrub SET started_at = 0, position = 0")
    rows.close()
    rig.start()
    place = f"/v2/{NAME}/blobs/sha256:{path.name[:64]}"
    deadline = time.monotonic() + 90
    while rig.ask("HEAD", place).status == 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert rig.ask("GET", place).status == 404
    assert [one["Fault"] for one in rig.call("ListDamaged")["DamagedSet"]] == ["damaged"]
    assert [one["Action"] for one in rig.call("ListAuditRecords")["AuditSet"]].count("DamageFound") == 1
    assert [one.name for one in (rig.data / "blobs" / "quarantine").iterdir()] == [
        f"sha256_{path.parent.name}_{path.name}"
    ]
    assert rig.blob(content).status == 201
    assert rig.ask("GET", place).body == content
    rig.assert_no_storm()
    rig.assert_clean()
    rig.stop()
