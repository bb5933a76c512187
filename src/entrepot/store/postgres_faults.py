"""What PostgreSQL's refusals mean for whoever reads them, and what may be done again after one."""

import contextlib
import re
from collections.abc import Iterator

import psycopg
from psycopg import errors

from entrepot.errors import HubError, Kind
from entrepot.store import moved
from entrepot.store.postgres_moved import STATE as MOVED_STATE

_SAYS: dict[str, str] = {
    "25006": "the database server takes no writes (a standby?); look at database_url",
    "28": "the database server refuses the hub's login; look at database_url",
    "3D": "the database of database_url does not exist",
    "42501": "the hub's role may not do this in the database; look at its rights there",
    "53300": "the database server has no connection left for the hub; raise its max_connections",
    "55P03": "another node keeps the rows locked; if this lasts, look at pg_stat_activity for who waits",
    "XX001": "rows are damaged here; the operator of the database runs `entrepot fsck --deep` and brings back a copy",
}
_AGAIN = frozenset({"40001", "40P01", "40003"})
_SECRET = re.compile(r"(://[^:/@\s]*:)[^@\s]*@|(password\s*=\s*)\S+", re.IGNORECASE)


def shown(text: str) -> str:
    """A text without the password of a URL in it."""
    return _SECRET.sub(lambda found: f"{found[1]}***@" if found[1] else f"{found[2]}***", text)


def is_gone(fault: BaseException) -> bool:
    """Whether the connection is lost, or the server on its way down or up: what was asked may be asked elsewhere."""
    if not isinstance(fault, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    state = fault.sqlstate or ""
    return not state or state.startswith("08") or state in {"57P01", "57P02", "57P03", "57P05", "25P03"}


def is_again(fault: BaseException) -> bool:
    """Whether the transaction may simply be run again: it met another one."""
    return isinstance(fault, psycopg.Error) and (fault.sqlstate or "") in _AGAIN


def plain(fault: Exception) -> Exception:
    """The refusal in the hub's words; what is a fault of the program stays what it is."""
    if not isinstance(fault, psycopg.Error) or isinstance(fault, errors.IntegrityError):
        return fault
    state = fault.sqlstate or ""
    if state == MOVED_STATE:
        return moved.refusal()
    if state in {"53100", "54000"}:
        return HubError(Kind.NO_SPACE, "the database cannot grow")
    for known, says in _SAYS.items():
        if state.startswith(known):
            return HubError(Kind.UNAVAILABLE, says)
    if is_gone(fault):
        return HubError(Kind.UNAVAILABLE, "the database server does not answer")
    if isinstance(fault, psycopg.DataError) and not state and "NUL" in str(fault):  # the driver's word before it asks
        return HubError(Kind.BAD_REQUEST, "a NUL stands where a text is expected")
    if isinstance(fault, psycopg.ProgrammingError | psycopg.DataError) and state[:2] != "42":
        return fault
    return HubError(Kind.UNAVAILABLE, f"the database answers: {shown(str(fault)).splitlines()[0]}")


@contextlib.contextmanager
def plain_faults() -> Iterator[None]:
    """What PostgreSQL raises inside comes out as ``plain`` makes it, without the driver's own words behind it."""
    try:
        yield
    except psycopg.Error as fault:
        raise plain(fault) from None
