"""How log lines are written: one line for each event, as key=value or JSON.

What others send cannot begin another line, nor move a terminal's cursor.
"""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

MOST = 2000
"""Characters of a value; a traceback may be longer."""


def configure(level: str, form: str) -> None:
    """Write to stderr from here on. ``form``: text or json."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event"])
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            plain_values,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def plain_values(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Show what a terminal would obey; newlines are left to the renderers, which escape them."""
    for name, value in event.items():
        if value is None or isinstance(value, int | float):
            continue
        text = str(value)
        shown = text if text.isprintable() else "".join(map(_shown, text))
        event[name] = shown if len(shown) <= MOST or name == "exception" else f"{shown[:MOST]}..."
    return event


def _shown(character: str) -> str:
    is_plain = character.isprintable() or character == "\n"
    return character if is_plain else character.encode("unicode_escape").decode("ascii")
