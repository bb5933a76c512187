"""How many wrong secrets a login name may be given from one address, in this process's memory.

A few at once, then one every few seconds: nobody guesses a password that way, fills the audit trail, or keeps the slow
password check busy. Counted per address, so that one who guesses does not lock the others out; and a secret that is
known to be right is never held up.
"""

from entrepot.errors import HubError, Kind
from entrepot.ops.context import Hub

AT_ONCE = 20
SECONDS = 3.0
"""How long it takes until one more may be tried."""
NAMES = 10_000
"""Most pairs of name and address remembered; the oldest is forgotten, which can only be to its favour."""


def check(hub: Hub, name: str, address: str) -> None:
    """Raise THROTTLED where too many wrong ones came; before work is done for another one."""
    if _left(hub, name, address) < 1:
        raise HubError(Kind.THROTTLED, f"wrong passwords; one more may be tried in {SECONDS:.0f} seconds")


def wrong(hub: Hub, name: str, address: str, hint: str = "") -> HubError:
    """Count a wrong one; the refusal: UNAUTHORIZED without telling what was wrong, or THROTTLED."""
    left = _left(hub, name, address)
    if left < 1:
        return HubError(Kind.THROTTLED, f"wrong passwords; one more may be tried in {SECONDS:.0f} seconds")
    hub.guesses.pop((name, address), None)
    while len(hub.guesses) >= NAMES:
        hub.guesses.pop(next(iter(hub.guesses)))
    hub.guesses[name, address] = (left - 1, hub.clock())
    return HubError(Kind.UNAUTHORIZED, f"name or password is wrong{hint}")


def _left(hub: Hub, name: str, address: str) -> float:
    left, at = hub.guesses.get((name, address), (float(AT_ONCE), hub.clock()))
    return min(float(AT_ONCE), left + max(0.0, hub.clock() - at) / SECONDS)
