"""Machines of a small network that can be cut: network namespaces on two bridges, a ``front`` line for clients and
nodes, a ``back`` line for nodes and what they share.

They have no names in the system and end with the test's process, however that ends. ``street()`` skips without root.
"""

import contextlib
import ctypes
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

_NEW_NETWORK = 0x40000000
_LINES = {"front": "10.213.0", "back": "10.213.1"}
_SLOW = "tbf rate 24mbit burst 64kb latency 3s"


class Place:
    """A network namespace. ``with place:`` puts the calling thread there, and what it starts."""

    def __init__(self) -> None:
        # Only a thread that ends afterwards may leave the process's own network without a way back.
        with ThreadPoolExecutor(1) as threads:
            self._network = threads.submit(self._make).result()
        self._before = threading.local()
        self.run("ip link set lo up")

    @staticmethod
    def _make() -> int:
        if _libc.unshare(_NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), "no network namespace can be made here")
        return os.open("/proc/thread-self/ns/net", os.O_RDONLY)

    def __enter__(self) -> None:
        self._before.network = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _go(self._network)

    def __exit__(self, *_: object) -> None:
        _go(self._before.network)
        os.close(self._before.network)

    @property
    def path(self) -> str:
        """The namespace as ``ip`` takes it."""
        return f"/proc/{os.getpid()}/fd/{self._network}"

    def run(self, command: str) -> str:
        """What a command of this machine prints."""
        with self:
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def close(self) -> None:
        os.close(self._network)


_libc = ctypes.CDLL(None, use_errno=True)


def _go(network: int) -> None:
    if _libc.setns(network, _NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")


class Street:
    """Machines by name. The last number of an address is the same on both lines."""

    def __init__(self) -> None:
        self._switch = Place()
        self._places: dict[str, Place] = {}
        for line in _LINES:
            self._switch.run(f"ip link add {line} type bridge")
            self._switch.run(f"ip link set {line} up")

    def add(self, name: str, number: int, *lines: str) -> Place:
        """A machine with a cable to each of ``lines``."""
        place = self._places[name] = Place()
        for line in lines:
            port = f"{name}.{line}"
            self._switch.run(f"ip link add {port} type veth peer name {line} netns {place.path}")
            self._switch.run(f"ip link set {port} master {line} up")
            place.run(f"ip address add {_LINES[line]}.{number}/24 dev {line}")
            place.run(f"ip link set {line} up")
        return place

    @contextlib.contextmanager
    def cut(self, name: str, line: str) -> Iterator[None]:
        """Nothing passes meanwhile, and nobody is told."""
        self._switch.run(f"ip link set {name}.{line} down")
        try:
            yield
        finally:
            self._switch.run(f"ip link set {name}.{line} up")

    @contextlib.contextmanager
    def slow(self, name: str, line: str) -> Iterator[Callable[[], int]]:
        """A narrow line with a long queue meanwhile, both ways. Yields what tells how often something had to wait."""
        ends = ((self._switch, f"{name}.{line}"), (self._places[name], line))
        for place, port in ends:
            place.run(f"tc qdisc add dev {port} root {_SLOW}")

        def held_up() -> int:
            told = [place.run(f"tc -s qdisc show dev {port} root") for place, port in ends]
            return sum(int(count) for text in told for count in re.findall(r"overlimits (\d+)", text))

        try:
            yield held_up
        finally:
            for place, port in ends:
                place.run(f"tc qdisc del dev {port} root")

    def close(self) -> None:
        for place in [*self._places.values(), self._switch]:
            place.close()


@contextlib.contextmanager
def street() -> Iterator[Street]:
    """An empty street; skips the test where the machine makes no networks."""
    try:
        made = Street()
    except (OSError, AssertionError) as fault:
        pytest.skip(f"no network namespaces here: {fault}")
    try:
        yield made
    finally:
        made.close()
