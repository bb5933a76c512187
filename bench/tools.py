"""What the benchmarks need beside Python: wrk, the driver (built once), an S3 server, and zot where it can be had."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from bench import procs
from bench.procs import Trouble

HERE = Path(__file__).parent
CACHE = Path(tempfile.gettempdir()) / "entrepot-clients"
GATEWAY_MODULE = "github.com/versity/versitygw"
ZOT_MODULES = ("zotregistry.dev/zot/v2", "zotregistry.io/zot")


def wrk() -> str:
    """The path of wrk."""
    found = shutil.which("wrk")
    if not found:
        raise Trouble("wrk is needed: apt-get install wrk")
    return found


def driver() -> str:
    """The path of the driver for these sources."""
    sources = sorted([*(HERE / "driver").glob("*.go"), HERE / "driver" / "go.mod"])
    mark = hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    made = CACHE / f"bench-driver-{mark}"
    if made.exists():
        return str(made)
    go = shutil.which("go")
    if not go:
        raise Trouble("Go is needed to build the driver of the writes")
    CACHE.mkdir(parents=True, exist_ok=True)
    fresh = CACHE / f"bench-driver-{mark}.{os.getpid()}"
    procs.run([go, "build", "-trimpath", "-o", str(fresh), "."], folder=HERE / "driver", env=_quiet_go())
    fresh.rename(made)
    return str(made)


def _quiet_go() -> dict[str, str]:
    return {**os.environ, "GOFLAGS": "-buildvcs=false", "GOWORK": "off"}


def zot() -> tuple[str, str]:
    """(path of zot, "") or ("", why there is none). Built from its module when a module proxy serves one."""
    named = os.environ.get("ENTREPOT_BENCH_ZOT") or shutil.which("zot") or ""
    if named:
        return (named, "") if shutil.which(named) else ("", f"not to be had here: {named} is no program")
    made = CACHE / "bench-zot" / "zot"
    if made.exists():
        return str(made), ""
    go = shutil.which("go")
    if not go:
        return "", "not to be had here: no zot on the path, and no Go to build one"
    for module in ZOT_MODULES:
        if _is_served(go, module):
            return _build_zot(go, module, made)
    return "", "not to be had here: no zot on the path, and the Go module proxy serves no version of it"


def versitygw() -> str:
    """The path of an S3 server over a folder."""
    named = shutil.which("versitygw")
    made = CACHE / "bench-versitygw" / "versitygw"
    if named or made.exists():
        return named or str(made)
    go = shutil.which("go")
    if not go:
        raise Trouble("versitygw is needed, or Go to build it")
    env = {**_quiet_go(), "GOBIN": str(made.parent), "CGO_ENABLED": "0"}
    procs.run([go, "install", f"{GATEWAY_MODULE}/cmd/versitygw@latest"], seconds=1800, env=env)
    return str(made)


def _is_served(go: str, module: str) -> bool:
    with tempfile.TemporaryDirectory() as empty:
        try:
            told = procs.run([go, "list", "-m", "-versions", module], seconds=60, env=_quiet_go(), folder=Path(empty))
        except Trouble:
            return False
    return len(told.split()) > 1


def _build_zot(go: str, module: str, made: Path) -> tuple[str, str]:
    env = {**_quiet_go(), "GOBIN": str(made.parent), "CGO_ENABLED": "0"}
    try:
        procs.run([go, "install", f"{module}/cmd/zot@latest"], seconds=1800, env=env)
    except Trouble as fault:
        return "", f"not to be had here: its module does not build ({str(fault)[-200:]})"
    return (str(made), "") if made.exists() else ("", "not to be had here: its build left no program")
