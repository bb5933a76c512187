"""Values as the types of templates: what fits as it is or without loss; everything else is a fault."""

import math
from collections.abc import Callable
from typing import Any

BIGGEST = 2**63 - 1
TYPES = frozenset({"INT64", "FLOAT64", "STRING", "BOOL", "OBJECT", "ARRAY"})
ITEM_TYPES = frozenset({"INT64", "FLOAT64", "STRING", "BOOL"})


def is_type(text: str) -> bool:
    """Whether this names a type: a plain one, or a list of plain ones such as []STRING."""
    return text in TYPES or (text.startswith("[]") and text[2:] in ITEM_TYPES)


class TypeFault(Exception):
    """A value that is not of the type that was declared."""


def fit(value: Any, kind: str) -> Any:
    """The value as this type; None stays None. Raises TypeFault."""
    if value is None:
        return None
    if kind.startswith("[]"):
        if not isinstance(value, list):
            raise TypeFault(f"an array is expected, not {type(value).__name__}")
        return [fit(one, kind[2:]) for one in value]
    as_kind = _FIT.get(kind)
    made = as_kind(value) if as_kind else None
    if made is None:
        shown = str(value)
        raise TypeFault(f"{shown[:40]!r} is no {kind}")
    return made


def _int(value: Any) -> int | None:
    if isinstance(value, str) and len(value) <= 20:
        try:
            value = int(value)
        except ValueError:
            return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= BIGGEST else None


def _float(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str) or len(str(value)) > 400:
        return None
    try:
        made = float(value)
    except (ValueError, OverflowError):
        return None
    return made if math.isfinite(made) else None


def _bool(value: Any) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


_FIT: dict[str, Callable[[Any], Any]] = {
    "INT64": _int,
    "FLOAT64": _float,
    "BOOL": _bool,
    "STRING": _text,
    "ARRAY": lambda value: value if isinstance(value, list) else None,
    "OBJECT": lambda value: value if isinstance(value, dict) else None,
}
