"""The container image: built from deploy/Containerfile, pushed to a hub, pulled, and started as a hub itself."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.clients.conftest import MAIN, good, make_bucket, run
from tests.clients.test_clients import need
from tests.conftest import Live, free_port
from tests.watch.kit import answers, until

pytestmark = pytest.mark.clients
ROOT = Path(__file__).parents[2]


class Builder:
    """buildah with a storage of its own."""

    def __init__(self, folder: Path) -> None:
        self._storage = ["--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"]

    def words(self, command: str, *more: str) -> list[str]:
        # chroot: no container runtime, no cgroups and no network of its own are asked of the machine.
        isolation = ["--isolation", "chroot"] if command in {"build", "run"} else []
        return ["buildah", *self._storage, command, *isolation, *more]

    def __call__(self, command: str, *more: str) -> str:
        return good(*self.words(command, *more), timeout=1800)


@pytest.fixture
def builder(tmp_path: Path) -> Builder:
    need("buildah")
    if os.getuid() != 0:
        pytest.skip("a root file system is made by root only")
    return Builder(tmp_path / "storage")


@pytest.fixture
def base(builder: Builder, tmp_path: Path) -> str:
    """An image with Python, for no registry can be asked for one."""
    need("debootstrap")
    root = tmp_path / "base"
    words = ["--variant=minbase", "--include=python3,python3-venv,ca-certificates", "bookworm", str(root)]
    if run("debootstrap", *words, timeout=1800).returncode != 0:
        pytest.skip("debootstrap cannot reach a mirror of Debian")
    made = builder("from", "scratch")
    builder("copy", "--quiet", made, str(root), "/")
    shutil.rmtree(root)
    builder("commit", "--quiet", "--rm", made, "localhost/base")
    return "localhost/base"


def own_pip() -> list[str]:
    """How pip reaches packages on this machine, for the pip in the build."""
    names = ["/etc/pip.conf", os.environ.get("PIP_CERT", ""), *os.environ.get("PIP_FIND_LINKS", "").split()]
    return [word for name in names if name and Path(name).exists() for word in ("--volume", f"{name}:{name}:ro")]


def test_built_pushed_pulled_and_run(people: Live, builder: Builder, base: str) -> None:
    file = str(ROOT / "deploy" / "Containerfile")
    builder("build", "-f", file, "--build-arg", f"BASE={base}", "--network", "host", *own_pip(), "-t", "hub", str(ROOT))
    name = f"127.0.0.1:{people.port}/{make_bucket(people, 'by-container')}/entrepot:0.1.0"
    builder("push", "--tls-verify=false", "--creds", ":".join(MAIN), "hub", f"docker://{name}")
    builder("rmi", "--all", "--force")
    container = builder("from", "--tls-verify=false", "--creds", ":".join(MAIN), f"docker://{name}")
    inside = builder("run", container, "--", "sh", "-c", "id -u; stat -c '%u %a' /data; ls /opt/entrepot/bin").split()
    assert inside[:3] == ["10001", "10001", "700"]
    assert "entrepot" in inside
    assert "pip" not in inside
    port = free_port()
    # What the image starts, but on an address that only this machine reaches.
    words = builder.words("run", container, "--", "entrepot", "serve", "--host", "127.0.0.1", "--port", str(port))
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        until(lambda: answers(port) or process.poll() is not None, 60)
        assert process.poll() is None, process.communicate()[0]
        os.kill(serving(port), signal.SIGTERM)
        assert b"Serving on" in process.communicate(timeout=30)[0]
        assert process.returncode == 0
    finally:
        process.kill()


def serving(port: int) -> int:
    """The process that serves on a port, inside of what buildah runs."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            # buildah's own processes have the same words behind a name of theirs.
            if words[0].endswith(b"/python3") and words[-3:] == [b"--port", str(port).encode(), b""]:
                return int(process.name)
    raise LookupError(port)
