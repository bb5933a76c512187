"""Two workers on one data folder, and a way to hold one of them between two steps while the other goes on.

Each has its own event loop in a thread of its own, its own connections and its own open files, as two processes have.
"""

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from entrepot import failpoint
from entrepot.ops import collect
from entrepot.ops.collect import Report
from tests.conftest import Loop
from tests.registry.test_collect import Aging

T = TypeVar("T")
PATIENCE = 30
"""Seconds after which a story that hangs is called a failure."""


@contextlib.contextmanager
def twin(hub: Aging) -> Iterator[Aging]:
    """Another worker of the same hub, with the same clock."""
    made = copy.copy(hub)
    made.loop = Loop()
    made.open()
    made.hub.clock = lambda: hub.now

    def later(seconds: float) -> Report:
        hub.now += seconds  # there is one time for both
        return made.run(collect.collect(made.hub))

    made.later = later  # type: ignore[method-assign]
    yield made
    made.close()
    made.loop.close()


class Held:
    """Somebody who stands still at a failpoint. ``go_on`` lets it, and returns what came of it."""

    def __init__(self, point: str, visit: int) -> None:
        self._point, self._left = point, visit
        self._lock = threading.Lock()
        self._there, self._go = threading.Event(), threading.Event()
        self._work: Future[Any] | None = None

    def pass_by(self, point: str) -> None:
        with self._lock:
            self._left -= point == self._point
            is_it = point == self._point and self._left == 0
        if is_it:
            self._there.set()
            assert self._go.wait(PATIENCE), f"nobody let go of {point}"

    def wait_for(self, work: "Future[Any]") -> None:
        self._work = work
        while not self._there.wait(0.01):
            assert not work.done(), f"it ended with {work.result()} and never came to {self._point}"

    def go_on(self) -> Any:
        assert self._work is not None
        self._go.set()
        return self._work.result(PATIENCE)

    def let_go(self) -> None:
        self._go.set()


@contextlib.contextmanager
def held(point: str, does: Callable[..., T], *args: Any, visit: int = 1, **given: Any) -> Iterator[Held]:
    """``does`` is under way, and stands still at its ``visit``-th pass of a failpoint; everybody else passes it."""
    found = Held(point, visit)
    before = failpoint.hook
    failpoint.hook = found.pass_by
    with ThreadPoolExecutor(1) as pool:
        try:
            found.wait_for(pool.submit(does, *args, **given))
            yield found
        finally:
            found.let_go()
            failpoint.hook = before
