"""Globs over images and tags: ``*`` stands for any text, also for none, and everything else for itself.

A pattern is ``<tag glob>``, good for every image of a bucket, or ``<image glob>:<tag glob>``. Nothing here is a regular
expression of somebody else's: a match costs at most the length of the glob times that of the name.
"""

import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

from entrepot.errors import HubError, Kind
from entrepot.model.names import NAME_LENGTH

PATTERNS = 20
"""Most patterns in one list: each may be held against every tag of a bucket."""
STARS = 8
"""Most stars in one pattern."""
_IMAGE = re.compile(r"[a-z0-9._/*-]+")
_TAG = re.compile(r"[a-zA-Z0-9._*-]{1,128}")


def matches(glob: str, text: str) -> bool:
    """Whether a glob stands for the whole text; upper and lower case differ."""
    return _fits(glob.split("*"), text)


def _fits(parts: list[str], text: str) -> bool:
    """Whether the text is these parts in this order, with anything between them."""
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return text == first
    if not (text.startswith(first) and text.endswith(last)):
        return False
    place = len(first)
    for part in parts[1:-1]:
        found = text.find(part, place)
        if found < 0:
            return False
        place = found + len(part)
    return len(text) - len(last) >= place


def faults(patterns: Iterable[str]) -> list[str]:
    """What is wrong with each of the patterns that is no pattern."""
    return [f"{one[:60]!r} is no pattern" for one in patterns if not _is_pattern(one)]


HINT = f"write <tag glob> or <image glob>:<tag glob>, letters, digits, . _ - / and at most {STARS} * for any text"


def _is_pattern(text: str) -> bool:
    image, colon, tag = text.rpartition(":")
    if colon and not (len(image) <= NAME_LENGTH and _IMAGE.fullmatch(image)):
        return False
    return text.count("*") <= STARS and _TAG.fullmatch(tag) is not None


class Selection(NamedTuple):
    """Tags that some patterns name and no exception does."""

    patterns: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()

    def has(self, image: str, tag: str) -> bool:
        """Whether the tag of the image is selected."""
        return _any(self.patterns, image, tag) and not _any(self.exceptions, image, tag)

    @property
    def text(self) -> str:
        """One line to store; ``selection`` reads it."""
        return " ".join([*self.patterns, *(f"!{one}" for one in self.exceptions)])


def _any(patterns: tuple[str, ...], image: str, tag: str) -> bool:
    for pattern in patterns:
        images, tags = _parts(pattern)
        if _fits(tags, tag) and _fits(images, image):
            return True
    return False


@functools.lru_cache(maxsize=4096)
def _parts(pattern: str) -> tuple[list[str], list[str]]:
    """What stands between the stars of the image glob, and of the tag glob."""
    images, colon, tags = pattern.rpartition(":")
    return (images if colon else "*").split("*"), tags.split("*")


@functools.lru_cache(maxsize=256)
def selection(text: str) -> Selection:
    """The selection behind its ``text``; no pattern selects nothing."""
    words = text.split()
    return Selection(
        tuple(one for one in words if not one.startswith("!")),
        tuple(one.removeprefix("!") for one in words if one.startswith("!")),
    )


def select(patterns: list[str], exceptions: list[str]) -> Selection:
    """A selection out of lists that somebody wrote; raises BAD_PARAM that names everything that is wrong in them."""
    found = faults([*patterns, *exceptions])
    found += [f"at most {PATTERNS} patterns in a list" for one in (patterns, exceptions) if len(one) > PATTERNS]
    if exceptions and not patterns:
        found.append("exceptions from nothing: give patterns as well")
    if found:
        raise HubError(Kind.BAD_PARAM, f"{'; '.join(found[:20])}; {HINT}")
    return Selection(tuple(dict.fromkeys(patterns)), tuple(dict.fromkeys(exceptions)))
