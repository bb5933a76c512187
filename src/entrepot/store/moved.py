"""A hub that has moved: its old rows refuse every change, while reads go on.

Triggers in the database itself refuse, not the program: so no process can acknowledge a write there, however old it is
and whenever it was started. ``sqlite_moved`` and ``postgres_moved`` make them; this is what they have in common.
"""

import contextlib
from collections.abc import Iterator

from entrepot.errors import HubError, Kind

OPEN = frozenset({"hold", "login_try", "commit_mark", "schema_migration"})
"""Tables that take changes all the same: what the engine itself needs, holds (the old place can still be backed up),
and the count of wrong passwords (whoever guesses is held up there, too). Nothing that is in them moves.
"""


def refusal() -> HubError:
    """What a write is answered."""
    return HubError(Kind.UNAVAILABLE, "this hub has moved; it is read only here")


def is_refusal(fault: HubError) -> bool:
    """Whether a write was refused because the hub has moved."""
    return fault.kind is Kind.UNAVAILABLE and fault.detail == refusal().detail


@contextlib.contextmanager
def overlooked() -> Iterator[None]:
    """Leave out what is written beside a read, for the sake of changes to come, where none can come."""
    try:
        yield
    except HubError as fault:
        if not is_refusal(fault):
            raise
