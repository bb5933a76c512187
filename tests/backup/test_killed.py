"""kill -9 at every place of a backup, a restore and an export; a disk that is full."""

import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import stored
from tests.backup.kit import BackupFolder, back_up, verified
from tests.backup.test_backup import image
from tests.conftest import TestHub, entrepot


@pytest.mark.slow
def test_a_kill_anywhere_leaves_whole_backups_and_no_half_hub(hub: TestHub, tmp_path: Path) -> None:
    stored.only_files()
    hub.bucket("depot")
    target = tmp_path / "target"
    for place in range(3):
        name, _ = image(hub, "depot/app", f"v{place}")
        if place < 2:
            hub.run(back_up(hub.hub, target))
            hub.request("DELETE", f"/v2/depot/app/manifests/{name}", login=hub.main)
    words = [str(hub.settings.data_dir), str(target), str(tmp_path / "scratch")]
    done = subprocess.run(
        [sys.executable, "-m", "tests.backup.killed", *words], capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr
    kills = [int(word) for word in done.stdout.split()]
    assert kills[0] > 30, "too few places to mean anything"
    assert min(kills[1:]) > 15
    print("places:", kills)


def test_a_full_disk_is_told_and_costs_no_backup(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    image(hub, "depot/app", "v1", 200_000)
    target = tmp_path / "target"
    hub.run(back_up(hub.hub, target))
    image(hub, "depot/app", "v2", 5_000_000)

    def little_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))

    data = str(hub.settings.data_dir)
    done = entrepot("backup", data, str(target), preexec_fn=little_room)
    assert done.returncode == 4
    assert f"{target / 'blobs'} cannot be written: File too large" in done.stderr
    assert (len(BackupFolder(target).generations()), verified(target)) == (1, [])
    assert not list((target / "uploads").iterdir()) if (target / "uploads").exists() else True

    def no_room() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))

    hub.reopen()  # the log is short now: only the copy of the rows is longer than that
    done = entrepot("backup", data, str(target), preexec_fn=no_room)
    assert done.returncode == 4
    assert f"the rows cannot be copied to {target}" in done.stderr
    done = entrepot("backup", data, str(target), "--json")
    assert done.returncode == 0, done.stderr
    assert (len(BackupFolder(target).generations()), verified(target)) == (2, [])
