"""Digests: ``algorithm:encoded`` (OCI image-spec, descriptor.md). sha256 and sha512 are spoken here."""

import hashlib
import re
from typing import TYPE_CHECKING, NamedTuple

from entrepot.errors import HubError, Kind

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

ALGORITHMS = ("sha256", "sha512")
_GRAMMAR = re.compile(r"(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})")


class Digest(NamedTuple):
    """A checked digest; only these two parts ever become part of a storage key."""

    algorithm: str
    hex: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.hex}"


def parse(text: str) -> Digest:
    """A valid digest of an algorithm that is spoken here; raises DIGEST_INVALID."""
    if not _GRAMMAR.fullmatch(text):
        raise HubError(Kind.DIGEST_INVALID, f"{text[:160]!r}; sha256:<64 hex> or sha512:<128 hex>, lower case")
    algorithm, _, encoded = text.partition(":")
    return Digest(algorithm, encoded)


def is_valid(text: str) -> bool:
    """Whether ``parse`` would take it."""
    return _GRAMMAR.fullmatch(text) is not None


def hasher(algorithm: str) -> "Hash":
    """A running hash; raises DIGEST_INVALID for an algorithm that is not spoken here."""
    if algorithm not in ALGORITHMS:
        raise HubError(Kind.DIGEST_INVALID, f"algorithm {algorithm[:40]!r}; use sha256 or sha512")
    return hashlib.new(algorithm, usedforsecurity=True)


def of(content: bytes, algorithm: str = "sha256") -> str:
    """The digest of bytes in memory."""
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"
