"""Serve in ``workers`` processes, under this one; see ``listening.py`` for what signals do."""

import threading
import time
from typing import Any

import click
from granian.server.mp import MPServer

from entrepot import wiring
from entrepot.cli import listening
from entrepot.cli.certificate import LOOK_SECONDS, Certificate
from entrepot.config import Settings
from entrepot.tally import Tally


class Processes(MPServer):
    """Waits between the signal and the stop; lets processes with an old certificate finish what they began."""

    def __init__(self, settings: Settings, tally: Tally, certificate: Certificate | None) -> None:
        super().__init__(
            "entrepot",
            **listening.options(settings),
            workers=settings.workers,
            respawn_failed_workers=True,
            workers_kill_timeout=settings.stop_seconds,
        )
        self._drain_seconds = settings.drain_seconds
        self._tally = tally
        self._certificate = certificate
        self._leaving: list[Any] = []
        listening.show(self, certificate)

    def signal_handler_interrupt(self, *_: Any, **__: Any) -> None:
        """Drain first; the second time, stop."""
        if self._tally.is_draining:
            super().signal_handler_interrupt()  # type: ignore[no-untyped-call]
            return
        self._tally.drain()
        timer = threading.Timer(self._drain_seconds, super().signal_handler_interrupt)
        timer.daemon = True
        timer.start()

    def _reload(self, spawn_target: Any, target_loader: Any) -> None:
        # granian's own would end each old process after workers_kill_timeout, and whatever it is in the middle of.
        self.reload_signal = False
        self.main_loop_interrupt.clear()
        if self._certificate is None or not self._certificate.renew():
            return
        listening.show(self, self._certificate)
        old, self.wrks = self.wrks, []
        self._spawn_workers(spawn_target, target_loader)  # type: ignore[no-untyped-call]
        time.sleep(listening.OVERLAP_SECONDS)
        for worker in old:
            worker.terminate()  # type: ignore[no-untyped-call]
        self._leaving = [worker for worker in (*self._leaving, *old) if worker.is_alive()]

    def _stop_workers(self) -> None:
        self.wrks += [worker for worker in self._leaving if worker.is_alive()]
        super()._stop_workers()  # type: ignore[no-untyped-call]

    def watch(self) -> None:
        """Take a renewed certificate when its files change; for a thread of its own."""
        assert self._certificate is not None
        while True:
            time.sleep(LOOK_SECONDS)
            if self._certificate.is_other():
                self.signal_handler_reload()  # type: ignore[no-untyped-call]


def serve(settings: Settings, lines: str) -> None:
    """Serve until a signal."""
    tally = Tally(settings.workers)
    tally.leave()
    certificate = listening.certificate_of(settings, tally)
    server = Processes(settings, tally, certificate)
    server.on_startup(lambda: click.echo(lines))
    if certificate is not None:
        threading.Thread(target=server.watch, daemon=True).start()
    server.serve(target_loader=lambda *_: wiring.app_for(settings, tally), wrap_loader=False)
