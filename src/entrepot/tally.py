"""What a serving hub counts: plain integers in memory that the processes of one server share, added up at a scrape.

Each process adds in a place of its own, so counting takes no lock; a process that takes the place of a dead one goes
on from its numbers, so no sum ever falls. Names are declared where the counted thing happens. Nothing here reads rows
or prints: that is `watch/scrape.py`.
"""

import contextlib
import mmap
import multiprocessing
import os
from bisect import bisect_left
from typing import Final, NamedTuple

METHODS = ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "other")
CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0)
"""Upper bounds of the classes of durations, in seconds; a last class takes what is slower."""

# The block of an endpoint: all nanoseconds, then one cell for each method, status class and class of durations. So a
# request is two additions.
_NANOSECONDS: Final = tuple(int(bound * 1e9) for bound in BOUNDS)
_FAST: Final = _NANOSECONDS[0]
_TIMES: Final = len(BOUNDS) + 1
_BY_METHOD: Final = {method: 1 + (place * len(CLASSES) - 1) * _TIMES for place, method in enumerate(METHODS)}
_OTHER: Final = _BY_METHOD["other"]
_WIDTH: Final = 1 + len(METHODS) * len(CLASSES) * _TIMES

_ALIVE: Final = 0
"""The first cell of a place: the process that has it."""
_SPARE: Final = 64
"""Cells for what is declared after a tally was made, by a module that is imported late."""


class Cell(NamedTuple):
    """One number: the metric it belongs to, its labels, and how the processes' numbers become one.

    ``kind``: counter (the sum of all that ever ran), gauge (the sum of those that run), newest (the largest of all).
    """

    name: str
    kind: str
    help: str
    labels: tuple[tuple[str, str], ...]
    place: int


class Endpoint(NamedTuple):
    """The block of cells for the requests of one door and route."""

    door: str
    route: str
    place: int


CELLS: list[Cell] = []
ENDPOINTS: dict[tuple[str, str], Endpoint] = {}
_PLACES: dict[int, Endpoint] = {}
_used = 1


def cell(name: str, kind: str, text: str, /, **labels: str) -> int:
    """Declare a number; where it lies. The label values are from a fixed set, never from a request."""
    global _used  # noqa: PLW0603 - declarations are made while modules are imported, one after another
    CELLS.append(Cell(name, kind, text, tuple(sorted(labels.items())), _used))
    _used += 1
    return _used - 1


def endpoint(door: str, route: str) -> int:
    """Declare a route of a door; where its block begins."""
    global _used  # noqa: PLW0603
    found = ENDPOINTS.get((door, route))
    if found is None:
        found = ENDPOINTS[door, route] = _PLACES[_used] = Endpoint(door, route, _used)
        _used += _WIDTH
    return found.place


_UNKNOWN: Final = Endpoint("hub", "none", 0)


def by_place(place: int) -> Endpoint:
    """The endpoint whose block begins there."""
    return _PLACES.get(place, _UNKNOWN)


class Requests(NamedTuple):
    """What was counted of an endpoint, over all processes."""

    by_class: dict[tuple[str, str], int]
    """(method, status class) -> how many; only those that came."""
    times: list[int]
    """How many were in each class of durations."""
    seconds: float


class Tally:
    """The numbers of one server. Make it before its processes are forked; each of them then calls ``join``."""

    def __init__(self, processes: int = 1) -> None:
        self._width = _used + _SPARE
        # While certificates are renewed there are twice as many processes, and dead ones may not be noticed yet.
        self._places = 2 * processes + 2
        self._memory = mmap.mmap(-1, 8 * self._width * self._places + 8)
        self._all = memoryview(self._memory).cast("q")
        self._lock = multiprocessing.get_context("fork").Lock()
        self._mine = -1
        self.cells = self._all[: self._width]
        """This process's numbers, by the places that ``cell`` and ``endpoint`` gave."""
        self.join()

    def join(self) -> None:
        """Take a place for this process: its own one, a free one, or that of a process that is gone."""
        me = os.getpid()
        with self._lock:
            owners = [self._all[place * self._width + _ALIVE] for place in range(self._places)]
            place = next((at for at, owner in enumerate(owners) if owner == me), -1)
            if place < 0:
                place = next((at for at, owner in enumerate(owners) if not _is_alive(owner)), self._places - 1)
            self._mine = place
            self.cells = self._all[place * self._width : (place + 1) * self._width]
            self.cells[_ALIVE] = me
            for one in CELLS:
                if one.kind == "gauge":
                    self.cells[one.place] = 0

    def leave(self) -> None:
        """Give the place back, its numbers stay: for a parent that has counted nothing and only watches."""
        self.cells[_ALIVE] = 0

    def add(self, place: int, number: int = 1) -> None:
        """Count."""
        self.cells[place] += number

    def put(self, place: int, number: int) -> None:
        """Set a gauge, or the time of something."""
        self.cells[place] = number

    def request(self, place: int, method: str, status: int, nanoseconds: int) -> None:
        """Count a request that was answered. This is on the path of every pull."""
        cells = self.cells
        cells[place] += nanoseconds
        place += _BY_METHOD.get(method, _OTHER) + status // 100 * _TIMES
        cells[place if nanoseconds <= _FAST else place + bisect_left(_NANOSECONDS, nanoseconds)] += 1

    def number(self, one: Cell) -> int:
        """What the processes' numbers come to."""
        numbers = [self._at(place, one.place) for place in range(self._places)]
        if one.kind == "newest":
            return max(numbers)
        if one.kind == "gauge":
            return sum(n for place, n in enumerate(numbers) if _is_alive(self._at(place, _ALIVE)))
        return sum(numbers)

    def requests(self, one: Endpoint) -> Requests:
        """What was counted of an endpoint."""
        block = [sum(self._at(place, one.place + step) for place in range(self._places)) for step in range(_WIDTH)]
        by_class: dict[tuple[str, str], int] = {}
        times = [0] * _TIMES
        for method in METHODS:
            for place, name in enumerate(CLASSES, start=1):
                first = _BY_METHOD[method] + place * _TIMES
                found = block[first : first + _TIMES]
                if any(found):
                    by_class[method, name] = sum(found)
                    times = [before + more for before, more in zip(times, found, strict=True)]
        return Requests(by_class, times, block[0] / 1e9)

    def processes(self) -> int:
        """How many processes count here now."""
        return sum(_is_alive(self._at(place, _ALIVE)) for place in range(self._places))

    @property
    def is_draining(self) -> bool:
        """Whether the server is about to stop: every process sees it at once."""
        return self._all[-1] != 0

    def drain(self) -> None:
        """Tell every process that the server is about to stop."""
        self._all[-1] = 1

    def _at(self, place: int, step: int) -> int:
        return self._all[place * self._width + step]


def _is_alive(process: int) -> bool:
    if not process:
        return False
    with contextlib.suppress(ProcessLookupError):
        try:
            os.kill(process, 0)
        except PermissionError:
            return True
        return True
    return False
