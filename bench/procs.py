"""Processes of a run: each in a session of its own, so that all of it ends; ports, requests, memory of a tree."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

STOP_SECONDS = 20
GIVE_UP = 600


class Trouble(Exception):
    """What stops a run, in words for whoever started it."""


def start(words: list[str], log: Path, env: dict[str, str] | None = None) -> "subprocess.Popen[bytes]":
    """A server in the background; what it says goes to ``log``."""
    with log.open("ab") as out:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, start_new_session=True
        )


def stop(process: "subprocess.Popen[bytes]") -> None:
    """SIGTERM to the process, and what is left of its session after that is killed."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def run(
    words: list[str], *, seconds: float = GIVE_UP, env: dict[str, str] | None = None, folder: Path | None = None
) -> str:
    """Run a program to its end; what it wrote to standard output. It does not outlive this call."""
    process = subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
        cwd=folder,
        text=True,
        start_new_session=True,
    )
    try:
        out, told = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as fault:
        raise Trouble(f"{Path(words[0]).name} did not end in {seconds:.0f} s") from fault
    finally:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.returncode != 0:
        raise Trouble(f"{Path(words[0]).name} ended with {process.returncode}: {(told or out)[-1500:]}")
    return out


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def until_ready(process: "subprocess.Popen[bytes]", port: int, path: str, log: Path, seconds: float = 120) -> None:
    """Return at the first 200."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            if ask(port, "GET", path)[0] == 200:
                return
        except OSError:
            pass
        time.sleep(0.002)
    raise Trouble(f"a server did not start:\n{log.read_text('utf-8', 'replace')[-1500:]}")


def ask(
    port: int, method: str, path: str, headers: dict[str, str] | None = None, body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    """(status, headers in lower case, body) of one request on a connection of its own."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        client.request(method, path, body, headers or {})
        reply = client.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    except http.client.HTTPException as fault:
        raise OSError(str(fault)) from fault
    finally:
        client.close()


def tree(root: int) -> list[int]:
    """A process and all that came of it."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [root]
    for one in found:
        found += children.get(one, [])
    return found


def peak(root: int) -> int:
    """The most bytes each process of a tree ever had resident (VmHWM), added up."""
    total = 0
    for one in tree(root):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{one}/status").read_text("utf-8", "replace").splitlines():
                if line.startswith("VmHWM:"):
                    total += int(line.split()[1]) * 1024
    return total


def cpu(root: int) -> float:
    """Seconds of processor time that a tree has used; those of children that ended are not in it."""
    ticks = 0
    for one in tree(root):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
