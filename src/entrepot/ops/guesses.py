"""How many wrong secrets a login may be given. The tries are counted in rows: all nodes and workers share them.

A few at once, then one every few seconds: nobody guesses a password that way, fills the audit trail, or keeps the slow
password check busy. Counted per address, so that one who guesses does not lock the others out; and a secret that is
known to be right is never held up.
"""

import hmac
from typing import NamedTuple

from entrepot.errors import HubError, Kind
from entrepot.ops.context import Hub
from entrepot.store.db import Rows
from entrepot.store.sql import tries as sql

AT_ONCE = 20
SECONDS = 3
"""How long it takes until one more may be tried."""


class Tries(NamedTuple):
    """What counts together under a keyed digest: ``most`` at once, and the seconds until one more is free."""

    mark: str
    most: int
    seconds: int

    def are_left(self, free_at: int, now: int) -> bool:
        """Whether one is left where all are free again at a time."""
        return free_at <= now + (self.most - 1) * self.seconds


def tries(hub: Hub, *whose: str, most: int, seconds: int) -> Tries:
    """The tries that count for a name, an address, or a name from an address."""
    text = "".join(f"{len(one)}:{one}" for one in whose)
    mark = hmac.digest(hub.vault.derive("login-tries"), text.encode(), "sha256").hex()[:32]
    return Tries(mark, most, seconds)


def _of(hub: Hub, name: str, address: str) -> Tries:
    return tries(hub, "registry", name, address, most=AT_ONCE, seconds=SECONDS)


async def check(hub: Hub, name: str, address: str) -> None:
    """Raise THROTTLED where too many wrong ones came; before work is done for another one."""
    one = _of(hub, name, address)
    if not one.are_left(await hub.db.read(sql.free_at, one.mark), int(hub.clock())):
        raise HubError(Kind.THROTTLED, f"wrong passwords; one more may be tried in {SECONDS} seconds")


async def wrong(hub: Hub, name: str, address: str, hint: str = "") -> HubError:
    """Count a wrong one; the refusal: UNAUTHORIZED without telling what was wrong, or THROTTLED."""
    if not await take(hub, [_of(hub, name, address)]):
        return HubError(Kind.THROTTLED, f"wrong passwords; one more may be tried in {SECONDS} seconds")
    return HubError(Kind.UNAUTHORIZED, f"name or password is wrong{hint}")


async def take(hub: Hub, wanted: list[Tries]) -> bool:
    """Use up one of each; False, and nothing is used up, where one has none left."""
    now = int(hub.clock())

    def all_or_none(rows: Rows) -> bool:
        if not all(one.are_left(sql.free_at(rows, one.mark), now) for one in wanted):
            return False
        for one in wanted:
            sql.take(rows, one.mark, one.seconds, now)
        return True

    return await hub.db.note(all_or_none)


async def give_back(hub: Hub, taken: list[Tries]) -> None:
    """What was taken before a check that went well."""

    def give(rows: Rows) -> None:
        for one in taken:
            sql.give_back(rows, one.mark, one.seconds)

    await hub.db.note(give)
