"""Failpoints: names for the places between two steps of a verb, so that a test can end or hold a process right there.

In a hub that serves people ``at`` looks at one variable and returns. A process kills itself here only when it was
started with two variables that no setting, flag, file or request can stand for: ``ENTREPOT_CRASH_TEST=1``, and in
``ENTREPOT_FAILPOINT`` the points to pass, in this order; at the last one it dies as by kill -9. ``name:3`` is a point
that is passed three times. Without the first variable the second one means nothing.
"""

import os
import signal
import threading
from collections.abc import Callable, Mapping


def at(name: str) -> None:
    """What is named has just been done, and nothing after it."""
    if hook is not None:
        hook(name)


def path(text: str) -> list[str]:
    """The points of ``a b:2`` one by one: a, b, b. Raises ValueError for a count that is none."""
    counted = [word.partition(":") for word in text.split()]
    return [name for name, _, count in counted for _ in range(int(count or "1"))]


def _killer(environ: Mapping[str, str]) -> Callable[[str], None] | None:
    left = path(environ.get("ENTREPOT_FAILPOINT", "")) if environ.get("ENTREPOT_CRASH_TEST") == "1" else []
    lock = threading.Lock()

    def kill_at_last(name: str) -> None:
        with lock:
            if left[0] != name:
                return
            if len(left) > 1:
                left.pop(0)
                return
            os.write(2, f"failpoint {name}: killed\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    return kill_at_last if left else None


hook: Callable[[str], None] | None = _killer(os.environ)
"""Called at each point with its name; a test in the same process sets its own, to hold a verb between two steps."""
