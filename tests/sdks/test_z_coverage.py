"""Which client called which action, from the hub's own log; runs last. docs/api-coverage.md is printed from it."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.conftest import Live

pytestmark = pytest.mark.clients
RECORD = Path(__file__).parents[2] / "docs" / "api-clients.json"
FAMILIES = {
    "UCloud-CLI": "ucloud CLI", "GO-SDK": "Go SDK", "Python-SDK": "Python SDK", "Java-SDK": "Java SDK",
    "JS-SDK": "JavaScript SDK", "PHP-SDK": "PHP SDK (replayed)", "curl": "curl",
}  # fmt: skip
LINE = re.compile(r'event=call action=(\w+) ret_code=0 agent=("[^"]*"|\S*) ')


def seen(live: Live) -> dict[str, set[str]]:
    """Actions that succeeded, by client."""
    log = (live.data.parent / f"serve-{live.port}.log").read_text("utf-8", "replace")
    found: dict[str, set[str]] = {}
    for action, agent in LINE.findall(log):
        family = next((name for mark, name in FAMILIES.items() if mark in agent), None)
        if family:
            found.setdefault(family, set()).add(action)
    return found


def test_the_record_is_what_ran(live: Live) -> None:
    """A client that ran here called at least what is recorded of it. Written anew with ENTREPOT_WRITE_DOCS=1."""
    now = seen(live)
    recorded: dict[str, list[str]] = json.loads(RECORD.read_text("utf-8")) if RECORD.exists() else {}
    if os.environ.get("ENTREPOT_WRITE_DOCS"):
        kept = {(action, family) for action, families in recorded.items() for family in families if family not in now}
        pairs = kept | {(action, family) for family, actions in now.items() for action in actions}
        merged = {name: sorted(family for action, family in pairs if action == name) for name, _ in sorted(pairs)}
        RECORD.write_text(json.dumps(merged, indent=1) + "\n", "utf-8")
        return
    for family, actions in now.items():
        assert {action for action, families in recorded.items() if family in families} <= actions, family
