"""What SQLite's refusals mean for whoever reads them: full, busy, damaged, read-only, failing."""

import contextlib
import sqlite3
from collections.abc import Iterator

from entrepot.errors import HubError, Kind
from entrepot.store import moved

_SAYS = {
    sqlite3.SQLITE_BUSY: "another process keeps the database locked; if this lasts, look for a copy or a tool that has "
    "hub.db open",
    sqlite3.SQLITE_LOCKED: "the database is locked",
    sqlite3.SQLITE_READONLY: "hub.db is read-only; look at the mount and the owner of the data folder",
    sqlite3.SQLITE_IOERR: "the disk failed under hub.db; look at the system's log",
    sqlite3.SQLITE_CANTOPEN: "hub.db cannot be opened; look at the data folder and its owner",
    sqlite3.SQLITE_CORRUPT: "hub.db is damaged here; its operator runs `entrepot fsck` and brings back a copy",
    sqlite3.SQLITE_NOTADB: "hub.db is no database (any more); its operator brings back a copy",
}


def _code(fault: BaseException) -> int:
    return int(getattr(fault, "sqlite_errorcode", 0))


def plain(fault: Exception) -> Exception:
    """The refusal in the hub's words; what is a fault of the program stays what it is."""
    if _code(fault) == sqlite3.SQLITE_CONSTRAINT_TRIGGER:
        return moved.refusal()
    if not isinstance(fault, sqlite3.Error) or isinstance(fault, sqlite3.IntegrityError | sqlite3.ProgrammingError):
        return fault
    primary = _code(fault) & 0xFF
    if primary == sqlite3.SQLITE_FULL:
        return HubError(Kind.NO_SPACE, "the database cannot grow")
    return HubError(Kind.UNAVAILABLE, _SAYS.get(primary, f"the database answers: {fault}"))


def shakes_trust(fault: BaseException) -> bool:
    """Whether the disk may not hold what was written before: it failed to write or to sync."""
    return _code(fault) & 0xFF == sqlite3.SQLITE_IOERR


@contextlib.contextmanager
def plain_faults() -> Iterator[None]:
    """What SQLite raises inside comes out as ``plain`` makes it."""
    try:
        yield
    except sqlite3.Error as fault:
        raise plain(fault) from fault
