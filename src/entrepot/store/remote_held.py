"""What is held of an upload in a bucket: which parts and which tail, and under which names.

``Held`` is all that another process needs to go on, and lives in the upload's row, so it changes in the transaction
that acknowledges the bytes.
"""

import hashlib
import secrets

import msgspec

from entrepot.store.blobs import UPLOADED

PART = 8 * 1024 * 1024
"""Bytes of each of the first thousand parts; of the next thousand twice as many, and so on up to 2 GiB.

10,000 parts, more than which S3 does not take, hold 5.9 TiB; a block of Azure can have 4000 MiB.
"""
STEP, GROWS = 1000, 8
BLOBS = "blobs/"


def part_size(number: int, first: int) -> int:
    """Bytes of a full part; they count from 1."""
    return first << min((number - 1) // STEP, GROWS)


def parts_size(count: int, first: int) -> int:
    """Bytes of so many full parts."""
    steps = min(count // STEP, GROWS)
    return first * (STEP * ((1 << steps) - 1) + ((count - steps * STEP) << steps))


def shard_of(upload: str) -> str:
    """Two hex digits."""
    return hashlib.sha256(upload.encode()).hexdigest()[:2]


def new_key(upload: str) -> str:
    """A key that was never used."""
    return f"{UPLOADED}/{shard_of(upload)}/{upload}_{secrets.token_hex(6)}"


class Held(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was acknowledged: ``count`` full parts with these ETags, then ``rest`` bytes in the tail.

    ``last``: the ETag of the part that holds the tail's bytes too, should nothing come after them.
    """

    first: int
    size: int = 0
    key: str = ""
    id: str = ""
    count: int = 0
    etags: str = ""
    last: str = ""
    tail: str = ""

    @property
    def rest(self) -> int:
        """Bytes after the full parts."""
        return self.size - parts_size(self.count, self.first)

    def text(self) -> str:
        """As a row keeps it."""
        return msgspec.json.encode(self).decode() if self.size else ""


def held_of(text: str, first: int) -> Held:
    """What a row kept; nothing when it was written by another kind of store."""
    try:
        return msgspec.json.decode(text, type=Held) if text else Held(first)
    except msgspec.DecodeError:
        return Held(first)


def chain(etags: list[str]) -> str:
    """One digest of many ETags."""
    return hashlib.sha256("\n".join(etags).encode()).hexdigest()
