"""On which line of a JSON text each of its values stands, and on which the faults of a template do."""

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)
_DEEP = 64

Path = tuple[Any, ...]


class Marked(NamedTuple):
    """A fault with the line it is told at; ``place``: of the activity, None for the template."""

    activity: str
    field: str
    message: str
    line: int
    place: int | None


def locate(text: str) -> dict[Path, int]:
    """Path (names and numbers) of each value of valid JSON -> its line, from 1; nothing deeper than it may be."""
    found: dict[Path, int] = {}
    stack: list[tuple[bool, Path]] = []
    keys: list[Any] = []
    line, seen = 1, 0
    for match in _TOKEN.finditer(text):
        line += text.count("\n", seen, match.start())
        seen, piece = match.start(), match[0]
        if piece in {"}", "]"}:
            stack.pop()
            keys.pop()
        elif piece == ",":
            keys[-1] = None if stack[-1][0] else keys[-1] + 1
        elif piece == ":":
            continue
        elif stack and stack[-1][0] and keys[-1] is None:
            keys[-1] = json.loads(piece)
            found.setdefault((*stack[-1][1], keys[-1]), line)
        else:
            path = (*stack[-1][1], keys[-1]) if stack else ()
            found.setdefault(path, line)
            if piece in {"{", "["}:
                stack.append((piece == "{", path))
                keys.append(None if piece == "{" else 0)
                if len(stack) > _DEEP:
                    break
    return found


def mark(lines: dict[Path, int], value: Any, faults: Iterable[Any]) -> list[Marked]:
    """Each fault (activity, field, message) at the line of its field, or of the nearest thing that is there.

    ``lines``: what ``locate`` says of the text; empty where it is no JSON.
    """
    return [
        Marked(one.activity, one.field, one.message, _line(lines, value, one), _place(value, one.activity))
        for one in faults
    ]


def broken_line(text: str) -> int:
    """The line at which a text stops being JSON; 0 where it does not."""
    try:
        json.loads(text)
    except json.JSONDecodeError as fault:
        return fault.lineno
    except (ValueError, RecursionError):
        return 1
    return 0


def _listed(value: Any) -> tuple[str, list[Any]]:
    for name in ("Activities", "Activites"):
        if isinstance(value, dict) and isinstance(value.get(name), list) and value[name]:
            return name, value[name]
    return "Activities", []


def _place(value: Any, activity: str) -> int | None:
    if not activity:
        return None
    _, listed = _listed(value)
    for place, one in enumerate(listed):
        if isinstance(one, dict) and one.get("Name") == activity:
            return place
    number = activity.removeprefix("#")
    return int(number) if number.isdigit() and len(number) < 5 and int(number) < len(listed) else None


def _line(lines: dict[Path, int], value: Any, fault: Any) -> int:
    path: Path = ()
    here = value
    place = _place(value, fault.activity)
    if place is not None:
        name, listed = _listed(value)
        path, here = (name, place), listed[place]
    for part in fault.field.split("."):
        key: Any = None
        if isinstance(here, dict):
            key = next((one for one in here if one.lower() == part.lower()), None)
        elif isinstance(here, list) and part.isdigit() and len(part) < 7 and int(part) < len(here):
            key = int(part)
        if key is None:
            break
        path, here = (*path, key), here[key]
    return lines.get(path, 1)
