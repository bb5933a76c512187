"""A relay before PostgreSQL's socket that breaks a connection at a chosen word."""

import contextlib
import socket
import threading
from pathlib import Path

SOCKET = ".s.PGSQL.5432"


class Relay:
    """Passes everything on; ``cut_at`` breaks the connection that sends a word next, before or after it arrives."""

    def __init__(self, folder: Path, server: Path) -> None:
        self._server = server / SOCKET
        self._word = b""
        self._passes_on = False
        self.cuts = 0
        self._silent: socket.socket | None = None
        """The way to the server whose next answer goes to nobody."""
        self._answered = threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / SOCKET))
        self._listener.listen()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def cut_at(self, word: bytes, *, passes_on: bool) -> None:
        """``passes_on``: the server gets it and does it, but its answer is lost."""
        self._passes_on = passes_on
        self._word = word

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(str(self._server))
                self._open += [client, upstream]
                for turn in ((client, upstream, True), (upstream, client, False)):
                    thread = threading.Thread(target=self._pass, args=turn, daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if is_client and self._word and self._word in data:
                    self._word = b""
                    self.cuts += 1
                    if self._passes_on:
                        self._answered.clear()
                        self._silent = target
                        target.sendall(data)
                        # Only the other direction reads from the server: two readers would race for the answer.
                        assert self._answered.wait(10)
                    break
                if source is self._silent:
                    self._silent = None
                    self._answered.set()
                    break
                target.sendall(data)
        for one in (source, target):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        for one in self._open:
            one.close()
