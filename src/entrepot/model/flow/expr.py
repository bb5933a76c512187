"""Expressions: ``${step.output.Name}``, ``@func("class#method", ...)``, and text with references in it."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from entrepot.model.flow.functions import FUNCTIONS, FunctionError

LONGEST = 16_384
DEPTH = 16
"""How deep calls may be nested."""
GROWN = 1_048_576
"""Most characters that a text may have once its references are filled in."""

_REF = re.compile(r"\$\{([A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*)\}")
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_SPACE = re.compile(r"\s*")
_OPEN = re.compile(r"@func\s*\(")


class ExprError(Exception):
    """An expression that cannot be read or worked out; the text says why."""


class Ref(NamedTuple):
    """``${a.b.0}``: where a value stands."""

    path: tuple[str, ...]

    def __str__(self) -> str:
        return "${" + ".".join(self.path) + "}"


class Call(NamedTuple):
    """``@func("class#method", ...)``."""

    name: str
    args: tuple[Any, ...]


class Mixed(NamedTuple):
    """Text with references in it; its value is text."""

    parts: tuple[Any, ...]


Resolve = Callable[[Ref], Any]


class Env(NamedTuple):
    """What expressions are worked out with: where references lead, and the time of the run in Unix seconds.

    The time is given, so that a run that is done again from its records takes the same ways.
    """

    resolve: Resolve
    now: float = 0.0


def parse(text: str) -> Any:
    """Text as it stands, a Ref or Call where it is nothing else, or a Mixed. Raises ExprError."""
    if "${" not in text and "@func" not in text:
        return text
    if len(text) > LONGEST:
        raise ExprError(f"an expression has at most {LONGEST} characters")
    bare = text.strip()
    if whole := _REF.fullmatch(bare):
        return Ref(tuple(whole[1].split(".")))
    if _OPEN.match(bare):
        call, end = _call(bare, 0, DEPTH)
        if end != len(bare):
            raise ExprError(f"after the call stands {bare[end : end + 20]!r}; one @func(...) alone is expected")
        return call
    if "${" not in text:
        return text
    return _mixed(text)


def _mixed(text: str) -> Mixed:
    parts: list[Any] = []
    place = 0
    for match in _REF.finditer(text):
        parts += [text[place : match.start()], Ref(tuple(match[1].split(".")))]
        place = match.end()
    parts.append(text[place:])
    for part in parts:
        if isinstance(part, str) and "${" in part:
            raise ExprError("a reference looks like ${step.output.Name}: words with dots between them")
    return Mixed(tuple(part for part in parts if part != ""))


def _call(text: str, start: int, depth: int) -> tuple[Call, int]:
    if depth == 0:
        raise ExprError(f"calls are nested deeper than {DEPTH}")
    opened = _OPEN.match(text, start)
    assert opened is not None
    args: list[Any] = []
    place = _skip(text, opened.end())
    while True:
        value, place = _arg(text, place, depth)
        args.append(value)
        place = _skip(text, place)
        if text[place : place + 1] == ")":
            break
        if text[place : place + 1] != ",":
            raise ExprError("a comma or ) is missing in @func(...)")
        place = _skip(text, place + 1)
    name, *rest = args
    if not isinstance(name, str) or name not in FUNCTIONS:
        raise ExprError(f"there is no function {name!r}; known are {', '.join(sorted(FUNCTIONS))}")
    least, most = FUNCTIONS[name].least, FUNCTIONS[name].most
    if not least <= len(rest) <= most:
        raise ExprError(f"{name} takes {least if least == most else f'{least} to {most}'} arguments, not {len(rest)}")
    return Call(name, tuple(rest)), place + 1


def _arg(text: str, place: int, depth: int) -> tuple[Any, int]:
    if _OPEN.match(text, place):
        return _call(text, place, depth - 1)
    if match := _REF.match(text, place):
        return Ref(tuple(match[1].split("."))), match.end()
    if match := _STRING.match(text, place):
        try:
            inside = json.loads(match[0], strict=False)
        except ValueError as fault:
            raise ExprError(f"{match[0][:40]} is no text") from fault
        inner = parse(inside) if "${" in inside else inside
        return inner, match.end()
    if match := _NUMBER.match(text, place):
        return _number(match[0]), match.end()
    for word, value in (("true", True), ("false", False), ("null", None)):
        if text.startswith(word, place):
            return value, place + len(word)
    raise ExprError(
        f'an argument is "text", a number, true, false, null, a reference or a call, not {text[place : place + 20]!r}'
    )


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _skip(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return match.end() if match else place


def refs(value: Any) -> Iterator[Ref]:
    """Every reference in a parsed expression."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, Call):
        for one in value.args:
            yield from refs(one)
    elif isinstance(value, Mixed):
        for one in value.parts:
            yield from refs(one)


def inside(value: Any, where: str = "") -> Iterator[tuple[str, str]]:
    """(field, text) of every text in a JSON value."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from inside(one, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from inside(one, f"{where}.{place}")


def evaluate(value: Any, env: Env) -> Any:
    """A JSON value with every expression in it worked out. Raises ExprError."""
    if isinstance(value, str):
        return _value(parse(value), env)
    if isinstance(value, dict):
        return {key: evaluate(one, env) for key, one in value.items()}
    if isinstance(value, list):
        return [evaluate(one, env) for one in value]
    return value


def _value(parsed: Any, env: Env) -> Any:
    if isinstance(parsed, Ref):
        return env.resolve(parsed)
    if isinstance(parsed, Mixed):
        text = "".join(part if isinstance(part, str) else as_text(env.resolve(part)) for part in parsed.parts)
        if len(text) > GROWN:
            raise ExprError(f"a text would have more than {GROWN} characters")
        return text
    if isinstance(parsed, Call):
        function = FUNCTIONS[parsed.name]
        args = [_value(one, env) for one in parsed.args]
        try:
            return function.do(env.now, *args) if function.clocked else function.do(*args)
        except FunctionError as fault:
            raise ExprError(f"{parsed.name}: {fault}") from fault
    return parsed


def as_text(value: Any) -> str:
    """A value inside a text: text as it is, nothing for null, JSON for the rest."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def weight(value: Any, most: int = 1 << 24) -> int:
    """About how many characters a JSON value has as text; it stops counting a little above ``most``.

    One text may stand in many places of a value: it costs nothing until somebody writes the whole down.
    """
    if isinstance(value, str):
        return len(value) + 2
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    total = 8 + (sum(map(len, value)) if isinstance(value, dict) else 0)
    for one in parts:
        total += weight(one, most - total)
        if total > most:
            break
    return total


def walk(value: Any, path: tuple[str, ...]) -> Any:
    """What stands at a path of names and list places; None where there is nothing."""
    for word in path:
        if isinstance(value, dict):
            value = value.get(word)
        elif isinstance(value, list) and word.isascii() and word.isdecimal() and len(word) < 9:
            value = value[int(word)] if int(word) < len(value) else None
        else:
            return None
    return value
