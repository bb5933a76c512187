"""The matrix of clients in docs/clients.md is what really ran; runs last. Written anew with ENTREPOT_WRITE_DOCS=1."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.clients.held import HELD

pytestmark = pytest.mark.clients
RECORD = Path(__file__).parents[2] / "docs" / "clients.json"


def test_the_record_is_what_ran() -> None:
    recorded: dict[str, Any] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    if os.environ.get("ENTREPOT_WRITE_DOCS"):
        merged = dict(sorted({**recorded, **HELD}.items()))
        RECORD.write_text(json.dumps(merged, indent=1) + "\n", "utf-8")
        return
    for name, entry in HELD.items():
        missing = set(recorded[name]["capabilities"]) - set(entry["capabilities"])
        assert not missing, f"{name}: docs/clients.md says so, this run did not show it"
