"""docs/events.md says what the hub does."""

import re
import time
from pathlib import Path
from typing import Any

from entrepot.flows.deliveries import PAUSES, SECONDS, SIGNATURE, sign
from entrepot.model import events

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()


def test_every_kind_is_told() -> None:
    table = PAGE[PAGE.index("## Kinds") : PAGE.index("## A request")]
    assert set(re.findall(r"`(\w+\.\w+)`", table)) == {*events.KINDS, events.TEST}


def test_the_sample_checks_signatures() -> None:
    sample: dict[str, Any] = {}
    exec(PAGE.partition("```python\n")[2].partition("```")[0], sample)
    now, body = int(time.time()), b'{"id": "1/1"}'
    is_from_the_hub = sample["is_from_the_hub"]
    assert is_from_the_hub("secret", sign("secret", now, body), body)
    assert not is_from_the_hub("secret", sign("secret", now, body), body + b" ")
    assert not is_from_the_hub("other", sign("secret", now, body), body)
    assert not is_from_the_hub("secret", sign("secret", now - 1000, body), body)


def test_the_numbers_are_the_hubs() -> None:
    words = "10 s, 30 s, 1, 5, 15 and 30 minutes, 1, 2, 4 and 8 hours"
    assert words in PAGE
    assert (10, 30, *(60 * one for one in (1, 5, 15, 30)), *(3600 * one for one in (1, 2, 4, 8))) == PAUSES
    assert f"within {SECONDS:.0f} seconds" in PAGE
    assert SIGNATURE in PAGE
