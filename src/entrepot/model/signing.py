"""UCloud's request signature: sorted names and values run together, the private key behind, SHA-1 in hex.

Source: UCloud API documentation, "signature algorithm"; where clients differ from it, the rules that accept all of
them. JSON numbers are kept as the text that was received, because clients sign that text or a rendering of it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_DIGITS = 400
"""A number whose plain form would be longer is signed as its text: nothing may grow from a short exponent."""


class Number(str):
    """A JSON number as it was written."""

    __slots__ = ()

    @property
    def plain(self) -> str:
        """Without exponent, and without zeros or a dot at its end: 42.0 is 42, 1E-7 is 0.0000001."""
        if not any(mark in self for mark in ".eE"):
            return str(self)
        value = Decimal(self)
        exponent = value.as_tuple().exponent
        if not isinstance(exponent, int) or abs(exponent) > _DIGITS or len(self) > _DIGITS:
            return str(self)
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text


def _plain(value: bool | Number) -> str:
    return value.plain if isinstance(value, Number) else ("true" if value else "false")


def _raw(value: bool | Number) -> str:
    return str(value) if isinstance(value, Number) else _plain(value)


def _java(value: bool | Number) -> str:
    """The Java SDK signs 0.5 as .5 (and sends 0.5)."""
    text = _plain(value)
    return text.replace("0.", ".", 1) if isinstance(value, Number) and text.lstrip("-").startswith("0.") else text


def _php(value: bool | Number) -> str:
    """The PHP SDK signs true as 1, false as nothing and 1.0e-7 as 1.0E-7 (and sends true, false and 1.0e-7)."""
    if isinstance(value, Number):
        return value.upper() if "e" in value else value.plain
    return "1" if value else ""


STYLES = (_plain, _raw, _java, _php)


def _render(value: Any, style: Any) -> str:
    if isinstance(value, bool | Number):
        return str(style(value))
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "".join(key + _render(value[key], style) for key in sorted(value, key=str.encode))
    if isinstance(value, list | tuple):
        return "".join(_render(one, style) for one in value)
    raise TypeError(f"cannot be signed: {type(value).__name__}")


def canonical(params: Mapping[str, Any], style: Any = _plain) -> str:
    """Names in byte order, each followed by its value; ``Signature`` is left out."""
    return _render({name: value for name, value in params.items() if name != "Signature"}, style)


def sign(params: Mapping[str, Any], private_key: str, style: Any = _plain) -> str:
    """The signature: 40 lower-case hex digits."""
    return hashlib.sha1((canonical(params, style) + private_key).encode()).hexdigest()  # noqa: S324 - the wire's scheme


def verify(params: Mapping[str, Any], signature: str, private_key: str) -> bool:
    """Whether the signature is right, in constant time per style; at most three more hashes for disputed renderings."""
    given = signature.encode("utf-8", "surrogatepass")
    styles = STYLES if _is_disputed(params) else STYLES[:1]
    return any(hmac.compare_digest(sign(params, private_key, style).encode(), given) for style in styles)


def _is_disputed(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(_is_disputed(one) for one in value.values())
    if isinstance(value, list):
        return any(_is_disputed(one) for one in value)
    return isinstance(value, bool | Number)
