"""Refusals explained to people: what a kind means, what was wrong in this case, what to do next, in both languages.

The words are data, ``words/*.toml``. Where a refusal is raised its detail is written in English; its Chinese is found
by the text around the values in it, and a detail that is not known there stays as it is.
"""

import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import NamedTuple

from entrepot.console.flow_words import in_words
from entrepot.errors import HubError, Kind

LONGEST = 4000
"""Characters of a detail that are looked at; a longer one stays English."""
_FOLDER = resources.files("entrepot.console") / "words"


class Explained(NamedTuple):
    """``what``: what was wrong, in a few words; ``detail``: of this case; ``next``: what to do."""

    what: str
    detail: str
    next: str


class Saying(NamedTuple):
    """An English text around its values, and the Chinese one."""

    parts: tuple[str, ...]
    zh: str


class _Value(str):
    """A value of a detail: spoken too where the Chinese text says ``:say``, elsewhere it is somebody's own word."""

    __slots__ = ()

    def __format__(self, spec: str) -> str:
        return _spoken(self) if spec == "say" else str(self)


def _read(name: str) -> dict[str, dict[str, str]]:
    return tomllib.loads((_FOLDER / name).read_text("utf-8"))


def _sayings(table: dict[str, str]) -> tuple[Saying, ...]:
    """The particular before the general: what begins with words of its own first, then what has more of them."""
    listed = [Saying(tuple(en.split("{}")), zh) for en, zh in table.items()]
    return tuple(sorted(listed, key=lambda one: (not one.parts[0], -sum(map(len, one.parts)))))


WORDS: dict[str, tuple[str, str, str, str]] = {
    kind: (words[0], words[1], words[2], words[3])
    for kinds, words in tomllib.loads((_FOLDER / "refusals.toml").read_text("utf-8")).items()
    for kind in kinds.split()
}
"""kind -> (what is wrong, what to do), English and Chinese."""
_DETAILS, _PHRASES = (_sayings(_read("details.toml")[part]) for part in ("details", "phrases"))


def explain(fault: HubError, lang: str) -> Explained:
    """A refusal for its reader."""
    en, en_next, zh, zh_next = WORDS[fault.kind.name]
    return Explained(zh, said(fault, lang), zh_next) if lang == "zh" else Explained(en, fault.detail, en_next)


def meaning(kind: Kind, lang: str) -> str:
    """A kind in a few words."""
    return WORDS[kind.name][2 if lang == "zh" else 0]


def said(fault: HubError, lang: str) -> str:
    """The detail of a refusal in the language of its reader."""
    if lang != "zh" or len(fault.detail) > LONGEST:
        return fault.detail
    if fault.kind is Kind.FLOW_INVALID:
        return _faults(fault.detail)
    return _found(_DETAILS, fault.detail) or fault.detail


def told(message: str, lang: str) -> str:
    """A refusal that was written down as its whole message, in the language of its reader."""
    for kind in Kind if lang == "zh" else ():
        if values := _values(tuple(kind.row.message.split("{}")), message):
            return f"{meaning(kind, lang)}：{said(HubError(kind, values[0]), lang)}"
    return message


def phrase(text: str, lang: str) -> str:
    """A warning, or why something happens, in the language of its reader."""
    return _spoken(text) if lang == "zh" and len(text) <= LONGEST else text


def _faults(text: str) -> str:
    """Faults of a template, each with its place; one may have the mark between them inside."""
    told, held = [], ""
    for piece in text.split("; "):
        held = f"{held}; {piece}" if held else piece
        place, _, fault = held.partition(": ")
        if (chinese := in_words(fault, "zh")) != fault:
            told.append(f"{place}：{chinese}")
            held = ""
    return "；".join([*told, held] if held else told)


def _found(sayings: Iterable[Saying], text: str) -> str | None:
    for one in sayings:
        values = _values(one.parts, text)
        if values is not None:
            return one.zh.format(*map(_Value, values))
    return None


def _spoken(text: str) -> str:
    """A part of a detail: a phrase, or a list of phrases; anything else is a value and stays."""
    pieces = [_piece(one) for one in text.split("; ")]
    return text if None in pieces else "；".join(filter(None, pieces))


def _piece(text: str) -> str | None:
    pieces = [_found(_PHRASES, one) for one in text.split(", ")]
    return _found(_PHRASES, text) if None in pieces else "，".join(filter(None, pieces))


def _values(parts: tuple[str, ...], text: str) -> list[str] | None:
    """What stands between the parts, if the text is made of them; each place is looked for once, so it stays linear."""
    first, *rest = parts
    if not rest:
        return [] if text == first else None
    last = rest[-1]
    if not (text.startswith(first) and text.endswith(last)) or len(text) < len(first) + len(last):
        return None
    values, place, end = [], len(first), len(text) - len(last)
    for part in rest[:-1]:
        found = text.find(part, place, end) if part else place
        if found < 0:
            return None
        values.append(text[place:found])
        place = found + len(part)
    return [*values, text[place:end]]
