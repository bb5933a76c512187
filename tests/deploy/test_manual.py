"""docs/operations.md: its commands run as they stand there, and what it names exists."""

import os
import re
import subprocess
import sys
from pathlib import Path

from entrepot.cli import certificate  # noqa: F401 - it declares a metric
from entrepot.config import Settings
from tests.conftest import TestHub, free_port
from tests.watch.kit import answers, scrape, until

ROOT = Path(__file__).parents[2]
MANUAL = ROOT / "docs" / "operations.md"
TEXT = MANUAL.read_text("utf-8")


def test_its_commands_work(tmp_path: Path) -> None:
    program = tmp_path / "entrepot"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m entrepot.cli.main "$@"\n')
    program.chmod(0o755)
    port = free_port()
    environ = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": f"{ROOT / 'src'}:{os.environ.get('PYTHONPATH', '')}",
        "ENTREPOT_PORT": str(port),
    }
    place = {"cwd": tmp_path, "env": environ, "shell": True}
    commands = re.findall(r"(?m)^    (entrepot .+)$", TEXT)
    assert len(commands) > 5
    server: subprocess.Popen[bytes] | None = None
    for command in commands:
        if command.startswith("entrepot serve"):
            server = subprocess.Popen(f"exec {command}", stdout=subprocess.DEVNULL, **place)
            until(lambda: answers(port))
            continue
        done = subprocess.run(command, capture_output=True, text=True, check=False, **place)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
    assert server is not None
    server.terminate()
    assert server.wait(20) == 0


def test_its_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)", TEXT):
        assert (MANUAL.parent / link).exists(), link


def test_its_settings_and_metrics_exist(hub: TestHub) -> None:
    words = set(re.findall(r"`([a-z]+_[a-z_]+)(?: = [^`]*)?`", TEXT))
    metrics = {word for word in words if word.startswith("entrepot_")}
    assert words - metrics <= set(Settings.__struct_fields__)
    assert metrics <= set(re.findall(r"entrepot_[a-z_]+", scrape(hub).text))
    assert len(words) > 10
    assert metrics
