"""The Database port: a *function* is shipped to the rows, never a statement.

``fn(rows, *args)`` holds one transaction, does no other I/O and may run again from its start if the
engine asks for it; the same function serves every engine. Statements are written in the shared dialect
(``:name`` parameters, ``ON CONFLICT``, ``RETURNING``).
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, runtime_checkable

P = ParamSpec("P")
T = TypeVar("T")


class Rows(Protocol):
    """One open transaction."""

    def one(self, sql: str, **params: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        ...

    def all(self, sql: str, **params: Any) -> list[tuple[Any, ...]]:
        """Every row; the statement bounds how many."""
        ...

    def run(self, sql: str, **params: Any) -> int:
        """Execute; the number of rows changed."""
        ...

    def run_many(self, sql: str, params: list[dict[str, Any]]) -> None:
        """Execute once per parameter set."""
        ...


SINGLE: set[object] = set()
"""What ``single`` marked."""


def single(fn: Callable[Concatenate[Rows, P], T]) -> Callable[Concatenate[Rows, P], T]:
    """Mark a read of one statement: that has one snapshot by itself, so an engine need not open a transaction for it.

    To ask a second one is a fault of the program; RuntimeError says so.
    """
    SINGLE.add(fn)
    return fn


class Database(Protocol):
    """Where rows live."""

    async def read(self, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` on one consistent snapshot."""
        ...

    async def write(self, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn`` in one transaction; when this returns, its effect survives a power cut.

        An exception raised by ``fn`` rolls back that function alone.
        """
        ...

    async def note(self, fn: Callable[Concatenate[Rows, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Like ``write``, without waiting for the disk: for rows that may be lost in a power cut.

        Every later ``write`` makes earlier notes durable too; a killed process loses none.
        """
        ...

    def alone(self, name: str) -> AbstractAsyncContextManager[bool]:
        """Whether this process does a chore now; True for one at a time where several nodes share the rows.

        It saves double work and no more: what must not happen twice is claimed in rows.
        """
        ...

    async def still_alone(self, name: str) -> bool:
        """Whether this process still holds a chore that ``alone`` gave it: a lost connection may have ended that."""
        ...

    async def damage(self, *, deep: bool) -> list[str]:
        """What is broken in the engine's own structures, a line each; empty where the engine sees to that itself."""
        ...

    async def snapshot(self, target: Path) -> None:
        """Copy every row as of one moment into a new SQLite file (``rows_file``); reads and writes go on meanwhile.

        Raises UNAVAILABLE, for a full disk too, and may leave a part of the file then.
        """
        ...

    async def is_read_only(self) -> bool:
        """Whether the hub has moved away: then every write raises UNAVAILABLE (``moved.is_refusal``)."""
        ...

    async def set_read_only(self, wanted: bool) -> None:
        """Refuse every write of every process from now on, durably, or take them again; no error a second time.

        What was acknowledged before is seen by every read after it. Raises UNAVAILABLE.
        """
        ...

    async def close(self) -> None:
        """Finish what was accepted, then release everything."""
        ...


class RowsPlace(Protocol):
    """Where the rows of a hub go that comes from elsewhere."""

    def check_empty(self) -> None:
        """Raise EXISTS where a hub has its rows already."""
        ...

    def check_fit(self, file: Path) -> None:
        """Raise UNSUPPORTED for rows that ``put`` would refuse, while there is time to mend them."""
        ...

    def put(self, file: Path) -> None:
        """Put all rows of a file (``rows_file``) there, durable when this returns; a kill leaves all or none.

        The file is gone then. A second time it changes nothing. Raises EXISTS where other rows are, UNSUPPORTED for
        what cannot be kept there.
        """
        ...


@runtime_checkable
class Watched(Protocol):
    """A database that tells how busy it is."""

    @property
    def waiting(self) -> int:
        """Writes that wait for their turn."""
        ...

    @property
    def commits(self) -> int:
        """How many groups of writes were committed by this process."""
        ...

    @property
    def writes(self) -> int:
        """How many writes there were in those."""
        ...
