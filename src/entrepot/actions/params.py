"""From an HTTP request to the set of parameters that was signed. Values stay the text that was received."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from entrepot.errors import HubError, Kind
from entrepot.model.signing import Number

MOST = 2000
"""Most parameters in one place."""


@dataclass(slots=True)
class Params:
    """``signed`` is the only set that an action may see: what stands elsewhere in the request, nobody vouched for.

    ``fault``: why the place that would hold it cannot be read; to be raised once the action is known to exist.
    """

    action: str = ""
    signed: dict[str, Any] = field(default_factory=dict)
    fault: HubError | None = None

    def text(self, name: str) -> str:
        """A parameter as the text that a form would carry; "" when absent or no single value."""
        value = self.signed.get(name, "")
        if isinstance(value, bool):
            return "true" if value else "false"
        return value if isinstance(value, str) else ""


def read(query_string: bytes, body: bytes) -> Params:
    """The parameters of a request.

    The signed set is the place where Signature stands: the body, else the query; the other place may hold anything,
    even what cannot be read. Action may stand in the query alone (it is signed then all the same), or in both: the Go
    SDK does so.
    """
    query_text = query_string.decode("ascii", "replace")
    query, query_fault = _tried(_form, query_text)
    inside, body_fault = _tried(_body, body)
    in_body = "Signature" in inside or ("Signature" not in query and bool(inside))
    signed, fault = (inside, body_fault) if in_body else (query, query_fault)
    if "Signature" not in signed:
        fault = body_fault or query_fault
    action = signed.get("Action") or _first(query_text, "Action")
    if "Action" not in signed and action:
        signed = {**signed, "Action": action}
    return Params(action if isinstance(action, str) else "", signed, fault)


def _tried(parse: Callable[[Any], dict[str, Any]], raw: Any) -> tuple[dict[str, Any], HubError | None]:
    try:
        return parse(raw), None
    except HubError as fault:
        return {}, fault


def _first(query: str, name: str) -> str:
    """A parameter of a query that may be unreadable otherwise."""
    if name not in query:
        return ""
    pairs = parse_qsl(query, keep_blank_values=True, errors="replace")
    return next((value for key, value in pairs if key == name), "")


def _body(body: bytes) -> dict[str, Any]:
    text = body.lstrip()
    if not text:
        return {}
    # curl without a Content-Type labels JSON as a form: the first byte tells.
    if text[:1] == b"{":
        return _json(text)
    try:
        return _form(body.decode("utf-8"))
    except UnicodeDecodeError as fault:
        raise HubError(Kind.BAD_REQUEST, "the body is neither a form nor a JSON object") from fault


def _form(text: str) -> dict[str, Any]:
    if not text:
        return {}
    try:
        pairs = parse_qsl(text.strip("\r\n"), keep_blank_values=True, errors="strict", max_num_fields=MOST)
    except ValueError as fault:
        raise HubError(Kind.BAD_REQUEST, f"a form holds at most {MOST} parameters, percent-encoded UTF-8") from fault
    if not _is_text([text for pair in pairs for text in pair]):
        raise _no_text()
    return _once(pairs)


def _json(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(
            text, parse_int=Number, parse_float=Number, parse_constant=_no_constant, object_pairs_hook=_once
        )
    except (ValueError, RecursionError) as fault:
        raise HubError(Kind.BAD_REQUEST, "the body is no JSON object") from fault
    if not isinstance(value, dict):
        raise HubError(Kind.BAD_REQUEST, "the body is no JSON object")
    if not _is_text(value):
        raise _no_text()
    return value


def _is_text(value: Any) -> bool:
    """Whether all names and values can be stored: whole characters, and no NUL, which PostgreSQL keeps in no text."""
    try:
        return b"\0" not in "".join(_texts(value)).encode()
    except (UnicodeEncodeError, RecursionError):
        return False


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _no_text() -> HubError:
    return HubError(Kind.BAD_REQUEST, "a parameter holds a NUL or half a character (a lone surrogate)")


def _no_constant(text: str) -> None:
    raise ValueError(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """One value for each name: no separators are signed, so a second value could be smuggled in."""
    if len(pairs) > MOST:
        raise HubError(Kind.BAD_REQUEST, f"at most {MOST} parameters")
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found and found[name] != value:
            raise HubError(Kind.BAD_PARAM, name[:60])
        found[name] = value
    return found
