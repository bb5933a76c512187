"""The functions of expressions. Each takes exactly the types it names and fails with anything else."""

import base64
import binascii
import math
import re
import zoneinfo
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from entrepot.model.flow.types import BIGGEST, ITEM_TYPES, TypeFault, fit

GROWN = 1_048_576
"""Most characters or items that a function answers."""


class FunctionError(Exception):
    """A function that cannot work with what it was given."""


class Function(NamedTuple):
    """What to do, and how many arguments it takes; ``clocked`` ones are given the run's time before them."""

    do: Callable[..., Any]
    least: int
    most: int
    clocked: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise FunctionError(f"a STRING is expected, not {_named(value)}")
    return value


def _int(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FunctionError(f"an INT64 is expected, not {_named(value)}")
    return _whole(value)


def _whole(value: int) -> int:
    if abs(value) > BIGGEST:
        raise FunctionError("the number does not fit in an INT64")
    return value


def _float(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FunctionError(f"a FLOAT64 is expected, not {_named(value)}")
    return _finite(float(value))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise FunctionError("the number does not fit in a FLOAT64")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise FunctionError(f"an array is expected, not {_named(value)}")
    return value


def _named(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _bounded(text: str) -> str:
    if len(text) > GROWN:
        raise FunctionError(f"the text would have more than {GROWN} characters")
    return text


def _concat(*texts: Any) -> str:
    return _bounded("".join(_text(one) for one in texts))


def _replace(text: Any, old: Any, new: Any) -> str:
    before, wanted, put = _text(text), _text(old), _text(new)
    places = before.count(wanted) if wanted else len(before) + 1
    if len(before) + places * max(len(put) - len(wanted), 0) > GROWN:
        raise FunctionError(f"the text would have more than {GROWN} characters")
    return before.replace(wanted, put)


def _from_text(text: Any, make: Callable[[str], Any], pattern: str, name: str) -> Any:
    if not re.fullmatch(pattern, _text(text), re.ASCII) or len(text) > 400:
        raise FunctionError(f"{text[:40]!r} is no {name}")
    return make(text)


def _float_text(value: Any, digits: Any) -> str:
    places = _int(digits)
    if not 0 <= places <= 30:
        raise FunctionError("0 to 30 digits")
    return f"{_float(value):.{places}f}"


def _both(left: Any, right: Any, do: Callable[[Any, Any], Any]) -> Any:
    for one in (left, right):
        _float(one)
    try:
        made = do(left, right)
    except (ZeroDivisionError, OverflowError) as fault:
        raise FunctionError(str(fault)) from fault
    return _whole(made) if isinstance(made, int) else _finite(made)


def _div(left: Any, right: Any) -> Any:
    if isinstance(left, int) and isinstance(right, int):
        quotient = abs(left) // abs(right)  # towards zero, as the int64 of the documents does
        return quotient if (left < 0) == (right < 0) else -quotient
    return left / right


_LAYOUT = {
    "2006": "%Y", "01": "%m", "02": "%d", "15": "%H", "04": "%M", "05": "%S", "06": "%y", "03": "%I", "PM": "%p",
    "January": "%B", "Jan": "%b", "Monday": "%A", "Mon": "%a", "-0700": "%z", "MST": "%Z",
}  # fmt: skip
_LAYOUT_WORD = re.compile("|".join(sorted(map(re.escape, _LAYOUT), key=len, reverse=True)))


def _now(now: float, zone: Any, layout: Any) -> str:
    name = _text(zone)
    try:
        where = UTC if name.upper() in {"", "UTC"} else zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as fault:
        raise FunctionError(f"{name[:40]!r} is no time zone such as Asia/Shanghai") from fault
    moment = datetime.fromtimestamp(now, where)
    return _LAYOUT_WORD.sub(lambda match: moment.strftime(_LAYOUT[match[0]]), _text(layout)[:200])


def _from_base64(text: Any) -> str:
    try:
        return base64.b64decode(_text(text), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as fault:
        raise FunctionError("this is no base64 of UTF-8 text") from fault


def _append(kind: Any, items: Any, item: Any) -> list[Any]:
    name = _text(kind).upper()
    if name not in ITEM_TYPES:
        raise FunctionError(f"the type of an item is one of {', '.join(sorted(ITEM_TYPES))}")
    try:
        made = [*_list(items), fit(item, name)]
    except TypeFault as fault:
        raise FunctionError(str(fault)) from fault
    if len(made) > GROWN // 16:
        raise FunctionError("the array is too long")
    return made


FUNCTIONS: dict[str, Function] = {
    "strings#concat": Function(_concat, 1, 50),
    "strings#trim": Function(lambda text, cut=None: _text(text).strip(None if cut is None else _text(cut)), 1, 2),
    "strings#trimLeft": Function(lambda text, cut: _text(text).lstrip(_text(cut)), 2, 2),
    "strings#trimRight": Function(lambda text, cut: _text(text).rstrip(_text(cut)), 2, 2),
    "strings#replace": Function(_replace, 3, 3),
    "convert#int64ToString": Function(lambda value: str(_int(value)), 1, 1),
    "convert#float64ToString": Function(_float_text, 2, 2),
    "convert#stringToInt64": Function(lambda text: _whole(_from_text(text, int, r"[+-]?\d{1,19}", "INT64")), 1, 1),
    "convert#stringToFloat64": Function(
        lambda text: _finite(_from_text(text, float, r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", "FLOAT64")), 1, 1
    ),
    "convert#isNull": Function(lambda value: int(value is None), 1, 1),
    "convert#isEqual": Function(lambda left, right: int(type(left) is type(right) and left == right), 2, 2),
    "convert#int64ToFloat64": Function(lambda value: float(_int(value)), 1, 1),
    "convert#float64ToInt64": Function(lambda value: _whole(int(_float(value))), 1, 1),
    "time#now": Function(_now, 2, 2, clocked=True),
    "time#unixNow": Function(int, 0, 0, clocked=True),
    "encoding#toBase64": Function(lambda text: _bounded(base64.b64encode(_text(text).encode()).decode()), 1, 1),
    "encoding#fromBase64": Function(_from_base64, 1, 1),
    "array#append": Function(_append, 3, 3),
    "array#len": Function(lambda items: len(_list(items)), 1, 1),
    "number#neg": Function(lambda value: _both(0, value, lambda left, right: left - right), 1, 1),
    "number#plus": Function(lambda left, right: _both(left, right, lambda a, b: a + b), 2, 2),
    "number#mal": Function(lambda left, right: _both(left, right, lambda a, b: a * b), 2, 2),
    "number#div": Function(lambda left, right: _both(left, right, _div), 2, 2),
}
