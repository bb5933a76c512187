"""How many calls a key may make: a bucket of calls that refills, in this process's memory.

SDKs repeat a failing call up to three times at once (JavaScript even after a refusal). Such a burst is one wish of its
user, so repeats of the same signed request within two seconds count once.
"""

from dataclasses import dataclass

from entrepot.errors import HubError, Kind
from entrepot.ops.context import Hub

REPEATS = 3
SAME = 2.0
KEYS = 10_000
"""Most keys remembered; the oldest is forgotten, which can only be to its favour."""


@dataclass(slots=True)
class Meter:
    """One key: calls left, when that was, and the last request with how often it came again."""

    left: float
    at: float
    last: str = ""
    last_at: float = 0.0
    repeats: int = 0


def take(hub: Hub, public_key: str, signature: str) -> None:
    """Count a call that is known to be the key's own; raises THROTTLED."""
    rate = hub.settings.calls_per_second
    if not rate:
        return
    now = hub.clock()
    meter: Meter | None = hub.meters.pop(public_key, None)
    if meter is None:
        while len(hub.meters) >= KEYS:
            hub.meters.pop(next(iter(hub.meters)))
        meter = Meter(2.0 * rate, now)
    hub.meters[public_key] = meter
    meter.left = min(2.0 * rate, meter.left + max(0.0, now - meter.at) * rate)
    meter.at = now
    if signature == meter.last and now - meter.last_at < SAME and meter.repeats < REPEATS:
        meter.repeats += 1
        return
    if meter.left < 1:
        raise HubError(Kind.THROTTLED, f"a key may make {rate} calls a second")
    meter.left -= 1
    meter.last, meter.last_at, meter.repeats = signature, now, 0
