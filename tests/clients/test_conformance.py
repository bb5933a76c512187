"""The OCI conformance suite, its newest level, everything on. The table in docs/conformance.md is what it printed.

`ENTREPOT_WRITE_DOCS=1` writes the page; without it, a page that differs fails.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import MAIN, run
from tests.conftest import entrepot, free_port, serve

pytestmark = [pytest.mark.clients]
MODULE = "github.com/opencontainers/distribution-spec/conformance"
VERSION = "v0.0.0-20260831232431-97274622c111"
PAGE = Path(__file__).parents[2] / "docs" / "conformance.md"


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The suite, built from its Go module."""
    if not shutil.which("go"):
        pytest.skip("no Go toolchain on this machine")
    folder = tmp_path_factory.mktemp("go")
    done = subprocess.run(["go", "install", f"{MODULE}@{VERSION}"], env={**os.environ, "GOBIN": str(folder)},
                          cwd=folder, capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"the suite cannot be had: {done.stderr.strip()[-200:]}")
    return folder / "conformance"


def test_everything_passes_and_nothing_is_skipped(suite: Path, tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    entrepot("init", "--data", str(data), "--email", MAIN[0], "--password", MAIN[1])
    entrepot("bucket", "create", "conformance", "--data", str(data))
    process = serve(data, port, missing_content="accept")
    try:
        done = run(str(suite), cwd=tmp_path, env={
            "OCI_REGISTRY": f"127.0.0.1:{port}", "OCI_TLS": "disabled", "OCI_REPO1": "conformance/repo1",
            "OCI_REPO2": "conformance/repo2", "OCI_USERNAME": MAIN[0], "OCI_PASSWORD": MAIN[1], "OCI_VERSION": "dev",
            "OCI_API_BLOBS_MOUNT_ANONYMOUS": "true", "OCI_DATA_SPARSE": "true", "OCI_DATA_SHA512": "true",
            "OCI_RESULTS_DIR": str(tmp_path / "results"),
        })  # fmt: skip
    finally:
        process.terminate()
        assert process.wait(20) == 0
    text = done.stdout
    counts = dict(re.findall(r"^  (Disabled|Skip|Pass|FAIL|Error)\.*: +(\d+)$", text, re.MULTILINE))
    faults = [line for line in text.splitlines() if re.search(r": (FAIL|Skip|Disabled|Error)$", line)]
    assert int(counts["Pass"]) > 900
    assert {counts[name] for name in ("Disabled", "Skip", "FAIL", "Error")} == {"0"}, faults
    assert done.returncode == 0
    page = render(text, counts)
    if os.environ.get("ENTREPOT_WRITE_DOCS"):
        PAGE.write_text(page, "utf-8")
    assert PAGE.read_text("utf-8") == page


def render(text: str, counts: dict[str, str]) -> str:
    """The page: what was on, and what came of it."""
    lines = [
        "<!-- Printed by tests/clients/test_conformance.py; ENTREPOT_WRITE_DOCS=1 writes it anew. -->", "",
        "# OCI conformance", "",
        f"`{MODULE}` at `{VERSION}`,",
        "`OCI_VERSION=dev`, every API and data switch on: sha512, anonymous mount, upload",
        "cancel, `?tag=`, sparse images (with `ENTREPOT_MISSING_CONTENT=accept`). Through the token login, on one",
        "worker.",
        "", "| result | tests |", "|:---|---:|",
        *(f"| {name} | {counts[name]} |" for name in ("Pass", "FAIL", "Error", "Skip", "Disabled")),
    ]  # fmt: skip
    for title in ("API conformance", "Data conformance"):
        block = text.partition(f"{title}:\n")[2].partition("\n\n")[0]
        lines += ["", f"## {title}", "", "| feature | result |", "|:---|:---|"]
        for line in block.splitlines():
            name, _, result = line.strip().rpartition(":")
            lines.append(f"| {name.strip('. ')} | {result.strip()} |")
    return "\n".join(lines) + "\n"
