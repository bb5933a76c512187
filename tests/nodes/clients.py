"""Clients that do not give up: they repeat what got no answer, as real ones do, and go on with uploads."""

import http.client
import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TypeVar

from entrepot.client.actions import ActionError
from entrepot.errors import Kind
from tests.clients.load import NO_ANSWER, Ledger, Noting, work
from tests.clients.pushing import Got
from tests.conftest import Live

T = TypeVar("T")
AGAIN = frozenset({429, 502, 503, 504})
ELSEWHERE = 416
"""An earlier try of the same piece is still being written, or was."""
PATIENCE = 120.0
"""Seconds for one turn, with everything that goes wrong in it."""


class Again(OSError):
    """No answer, or none that says anything: what was asked may be asked anew."""


class GaveUp(Exception):
    """A turn did not end, however often its client tried."""


class Stubborn(Noting):
    """Repeats each request until it is answered; an upload of which a part came goes on from there, or starts anew."""

    def __init__(self, hub: Live, ledger: Ledger) -> None:
        super().__init__(hub, ledger)
        self.repeats = 0
        self.until = time.monotonic() + PATIENCE
        self._why = ""

    def ask(
        self,
        method: str,
        path: str,
        *,
        headers: dict[str, str] | None = None,
        body: bytes | Iterable[bytes] | None = None,
    ) -> Got:
        while True:
            try:
                got = super().ask(method, path, headers=headers, body=body)
            except (OSError, http.client.HTTPException) as fault:
                self.client.close()
                self._why = f"{method} {path[:80]}: {fault!r}"
            else:
                self._why = f"{method} {path[:80]}: {got.status} {got.body[:200]!r}"
                if method == "DELETE" and got.status == 404:
                    return Got(202, got.headers, b"")  # an earlier try did it; the judge sees whether that is so
                if got.status not in AGAIN and got.status != ELSEWHERE:
                    return got
            self._pause()
            if body is not None and "/manifests/" not in path:
                raise Again(self._why)  # of the bytes of an upload a part may have come

    def _pause(self) -> None:
        self.repeats += 1
        if time.monotonic() > self.until:
            raise GaveUp(self._why)
        time.sleep(random.uniform(0.1, 0.4))

    def blob(self, name: str, content: bytes) -> str:
        return self._anew(super().blob, name, content)

    def upload_in_pieces(self, name: str, content: bytes) -> str:
        return self._anew(super().upload_in_pieces, name, content)

    def leave(self, name: str, content: bytes) -> None:
        self._anew(super().leave, name, content)

    def _anew(self, upload: Callable[[str, bytes], T], name: str, content: bytes) -> T:
        while True:
            try:
                return upload(name, content)
            except Again:
                continue

    def send(self, place: str, content: bytes, first: int, end: int) -> None:
        while first < end:
            try:
                super().send(place, content, first, end)
            except Again:
                first = self._reached(place)
            else:
                return

    def _reached(self, place: str) -> int:
        """How many bytes of an upload the hub has."""
        got = self.ask("GET", place)
        if got.status == 404:
            raise Again(f"{place}: gone")
        held = int(got.headers["range"].partition("-")[2])
        return held + 1 if held else 0


class Client(threading.Thread):
    """Takes turn after turn at a place until it is stopped, and notes what it could not get over."""

    def __init__(self, number: int, hub: Live, ledger: Ledger, place: AbstractContextManager[None]) -> None:
        super().__init__(name=f"client {number}")
        self._number, self._hub, self._ledger, self._place = number, hub, ledger, place
        self._stopped = threading.Event()
        self.turns = self.repeats = 0
        self.fault = ""

    def run(self) -> None:
        source = random.Random(f"{self._number} {time.time()}")
        with self._place, Stubborn(self._hub, self._ledger) as hub:
            while not self._stopped.is_set():
                hub.until = time.monotonic() + PATIENCE
                try:
                    work(hub, self._number, source)
                except ActionError as fault:
                    if fault.ret_code not in {NO_ANSWER, Kind.UNAVAILABLE.row.ret_code}:
                        self.fault = repr(fault)
                        return
                except (GaveUp, AssertionError, StopIteration) as fault:
                    self.fault = repr(fault)[:600]
                    return
                self.turns += 1
                self.repeats = hub.repeats

    def stop(self) -> None:
        self._stopped.set()
