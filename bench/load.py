"""One measurement at a time: wrk for GET, the driver for everything else."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import procs, tools
from bench.content import ACCEPT
from bench.procs import Trouble
from bench.servers import Server

LUA = Path(__file__).parent / "lua"
MIB = 1024 * 1024


@dataclass(frozen=True)
class Pace:
    """How long and how often; ``quick`` is for looking whether all works, not for numbers to show."""

    rounds: int = 5
    seconds: float = 5
    threads: int = 2
    connections: int = 32
    images: int = 200
    tags: int = 100_000
    manifests: int = 100
    starts: int = 5
    buckets: int = 1_000_000

    @staticmethod
    def quick() -> "Pace":
        """A run of a few minutes."""
        return Pace(rounds=2, seconds=1, images=80, tags=10_000, manifests=30, starts=2, buckets=20_000)


@dataclass(frozen=True)
class Seen:
    """What wrk counted, per second."""

    requests: float
    mib: float


def wrk(
    pace: Pace, server: Server, path: str, script: str = "get", headers: dict[str, str] | None = None, *words: str
) -> Seen:
    """Load one URL; any answer but 2xx, and any broken connection, ends the run."""
    told = [tools.wrk(), f"-t{pace.threads}", f"-c{pace.connections}", f"-d{pace.seconds:g}s", "--timeout", "60s"]
    told += ["-s", str(LUA / f"{script}.lua")]
    for name, value in {"Accept": ACCEPT, **(headers or {})}.items():
        told += ["-H", f"{name}: {value}"]
    told.append(server.url + path)
    if words:
        told += ["--", *words]
    out = procs.run(told, env={**os.environ, "BENCH_LUA": str(LUA)})
    line = next((one for one in out.splitlines() if one.startswith("BENCH ")), "")
    if not line:
        raise Trouble(f"wrk told nothing of {server.name}:\n{out[-500:]}")
    seen = json.loads(line.removeprefix("BENCH "))
    if seen["refused"] or seen["failed"]:
        raise Trouble(f"{server.name} refused {seen['refused']} and broke {seen['failed']} requests of {path}")
    return Seen(seen["requests"] / seen["seconds"], seen["bytes"] / MIB / seen["seconds"])


def drive(server: Server, mode: str, **flags: Any) -> dict[str, Any]:
    """Run the driver on a server; what it printed."""
    told = [tools.driver(), "-mode", mode, "-url", server.url, "-data", str(server.data)]
    if server.login and mode not in {"head", "pages"}:
        told += ["-user", server.login[0], "-password", server.login[1]]
    for name, value in flags.items():
        told.append(f"-{name}={str(value).lower() if isinstance(value, bool) else value}")
    try:
        answer: dict[str, Any] = json.loads(procs.run(told, seconds=3600))
    except Trouble as fault:
        raise Trouble(f"{server.name}: {fault}") from fault
    return answer
