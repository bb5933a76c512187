"""The commands: what they print, what they refuse, and their exit codes."""

import json
import os
import re
from pathlib import Path

from tests import stored
from tests.backup.test_backup import flip, image
from tests.conftest import TestHub, entrepot


def test_a_hub_goes_into_a_folder_and_comes_back_by_command(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    image(hub, "depot/app", "v1")
    data, target, back = str(hub.settings.data_dir), str(tmp_path / "target"), str(tmp_path / "back")
    done = entrepot("backup", data, target)  # the hub is open meanwhile
    assert done.returncode == 0, done.stderr
    assert "1 buckets, 1 manifests, 1 tags, 2 blobs; 1 objects (195.3 KiB) were new" in done.stdout
    assert "hub.key is in it" in done.stdout
    assert re.search(r"objects: [\d.]+ KiB of 195.3 KiB", done.stderr)
    done = entrepot("backup", data, target, "--without-key", "--keep", "1", "--json")
    told = json.loads(done.stdout)
    assert (told["copied"], told["has_key"], len(told["dropped"]), done.stderr) == (0, False, 1, "")
    [listed] = json.loads(entrepot("backup", "--list", target, "--json").stdout)
    assert (listed["Name"], listed["Key"], listed["Blobs"]) == (told["generation"], False, 2)
    assert entrepot("backup", "--verify", target).stdout == "Every backup is whole.\n"
    done = entrepot("restore", target, back)
    assert done.returncode == 2
    assert "--key" in done.stderr
    done = entrepot("serve", "--data", back, "--port", "0")
    assert done.returncode == 3
    assert "run `entrepot restore` again" in done.stderr
    done = entrepot("restore", target, back, "--key", f"{data}/hub.key")
    assert done.returncode == 0, done.stderr
    assert f"entrepot serve --data {back}" in done.stdout
    assert entrepot("fsck", "--deep", "--data", back).stdout == "Clean.\n"
    done = entrepot("restore", target, back)
    assert done.returncode == 1
    assert "not empty" in done.stderr


def test_a_restore_fills_a_data_folder_and_says_so_where_rows_or_key_are_elsewhere(tmp_path: Path) -> None:
    for name, value in (("DATABASE_URL", "postgresql://hub@db/hub"), ("KEY_FILE", str(tmp_path / "hub.key"))):
        environ = {**os.environ, f"ENTREPOT_{name}": value}
        done = entrepot("restore", str(tmp_path / "target"), str(tmp_path / "back"), env=environ)
        assert done.returncode == 2, done.stderr
        assert "unset database_url and key_file" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_damage_is_named_and_told_by_the_exit_code(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    image(hub, "depot/app", "v1")
    data, target, back = str(hub.settings.data_dir), tmp_path / "target", str(tmp_path / "back")
    assert entrepot("backup", data, str(target)).returncode == 0
    [kept] = [one for one in (target / "blobs").rglob("*") if one.is_file()]
    flip(kept)
    done = entrepot("backup", "--verify", str(target))
    assert (done.returncode, str(kept) in done.stdout) == (1, True)
    assert len(json.loads(entrepot("backup", "--verify", str(target), "--json").stdout)) == 1
    done = entrepot("restore", str(target), back)
    assert done.returncode == 1
    assert "1 objects are lost" in done.stdout
    done = entrepot("restore", str(target), back, "--accept-losses", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["done"], len(told["lost"]), len(told["found"])) == (1, True, 1, 1)
    done = entrepot("backup", data, str(target), "--verify", "--json")
    assert (done.returncode, json.loads(done.stdout)["copied"]) == (0, 1)
    [held] = stored.objects(hub)
    held.unlink()
    kept.unlink()
    done = entrepot("backup", data, str(target))
    assert done.returncode == 1
    assert "damaged in the hub: blob sha256:" in done.stdout


def test_wrong_words_are_told_what_to_write(hub: TestHub, tmp_path: Path) -> None:
    data = str(hub.settings.data_dir)
    for words in ([data], [data, "a", "b"], ["--list", data, "b"]):
        done = entrepot("backup", *words)
        assert done.returncode == 2
        assert "backup DATA TARGET" in done.stderr
    for one, other in ((data, f"{data}/inside"), (data, data), (f"{data}/sub", data)):
        done = entrepot("backup", one, other)
        assert done.returncode == 2
        assert "another disk" in done.stderr
    assert entrepot("backup", str(tmp_path / "no-hub"), str(tmp_path / "target")).returncode == 3
    assert entrepot("restore", str(tmp_path / "nothing"), str(tmp_path / "back")).returncode == 3
    assert not (tmp_path / "back").exists()
    assert not (tmp_path / "target").exists()
    assert not (tmp_path / "no-hub").exists()
    assert entrepot("backup", data, str(tmp_path / "target"), "--keep", "0").returncode == 2


def test_export_and_import_by_command(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    hub.bucket("other")
    image(hub, "depot/team/app", "v1")
    data = str(hub.settings.data_dir)
    done = entrepot("export", data, "depot", str(tmp_path / "out.tar"))
    assert (done.returncode, done.stdout) == (
        0, "Exported 1 images, 1 manifests, 1 tags; 3 blobs (195.7 KiB) were written.\n",
    )  # fmt: skip
    done = entrepot("import", data, "other", str(tmp_path / "out.tar"), "--json")
    assert json.loads(done.stdout)["tags"] == 1
    assert hub.request("GET", "/v2/other/team/app/manifests/v1", login=hub.main).status == 200
    assert entrepot("export", data, "nothing", str(tmp_path / "no")).returncode == 1
    done = entrepot("import", data, "nothing", str(tmp_path / "out.tar"))
    assert "entrepot bucket create nothing" in done.stderr
    assert entrepot("import", data, "other", str(tmp_path / "none.tar")).returncode == 2
