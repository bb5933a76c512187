"""A real hub, real registry clients, real images. What the machine lacks is skipped with the reason."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import Live, entrepot

MAIN = ("main@example.com", "correct horse")
READER = ("reader@example.com", "battery staple")
STRANGER = ("stranger@example.com", "battery staple")


def run(*words: str, timeout: float = 300, **given: object) -> "subprocess.CompletedProcess[str]":
    """Run a client; proxies of the machine do not stand between it and the hub."""
    environ = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    environ.update(given.pop("env", {}))  # type: ignore[call-overload]
    return subprocess.run(
        list(words),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        env=environ,
        **given,  # type: ignore[call-overload]
    )


def good(*words: str, **given: object) -> str:
    """Run a client that must succeed; its output."""
    done = run(*words, **given)  # type: ignore[arg-type]
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def bad(*words: str, **given: object) -> str:
    """Run a client that must fail; what it said."""
    done = run(*words, **given)  # type: ignore[arg-type]
    assert done.returncode != 0, f"{' '.join(words)} went well:\n{done.stdout}"
    return done.stdout + done.stderr


@pytest.fixture(scope="session")
def people(live: Live) -> Live:
    """The hub with a reader in the first account and a stranger in another."""
    data = ["--data", str(live.data)]
    entrepot("user", "add", READER[0], *data, "--password", READER[1], "--rights", "pull")
    entrepot("user", "add", STRANGER[0], *data, "--password", STRANGER[1], "--new-account")
    return live


def make_bucket(live: Live, name: str, *, public: bool = False) -> str:
    made = entrepot("bucket", "create", name, "--data", str(live.data), *(["--public"] if public else []))
    assert made.returncode == 0, made.stderr
    return name


def digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="session")
def rootfs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tar of a Debian root made by debootstrap; where that cannot be had, of this machine's own files."""
    folder = tmp_path_factory.mktemp("rootfs")
    made = folder / "root.tar"
    if shutil.which("debootstrap") and os.getuid() == 0:
        root = folder / "root"
        done = run("debootstrap", "--variant=minbase", "bookworm", str(root), timeout=900)
        if done.returncode == 0:
            good("tar", "-C", str(root), "--exclude=./var/cache", "--exclude=./dev/*", "-cf", str(made), ".")
            shutil.rmtree(root, ignore_errors=True)
            return made
        print("debootstrap did not work; an image of this machine's /usr/bin is used")
    good("tar", "-C", "/", "-cf", str(made), "usr/bin", "etc/os-release")
    return made


@pytest.fixture(scope="session")
def layout(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An OCI layout of a two-platform index, made by hand, and the digest of the index."""
    folder = tmp_path_factory.mktemp("layout") / "multi"
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes, media_type: str, **more: object) -> dict[str, object]:
        name = digest(content)
        (blobs / name.partition(":")[2]).write_bytes(content)
        return {"mediaType": media_type, "digest": name, "size": len(content), **more}

    manifests = []
    for architecture in ("amd64", "arm64"):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as tar:
            info = tarfile.TarInfo("hello")
            info.size = 200_000
            tar.addfile(info, io.BytesIO(os.urandom(200_000)))
        layer = put(packed.getvalue(), "application/vnd.oci.image.layer.v1.tar")
        config = json.dumps(
            {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]}}
        ).encode()
        document = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": put(config, "application/vnd.oci.image.config.v1+json"),
            "layers": [layer],
        }
        manifests.append(
            put(
                json.dumps(document).encode(),
                str(document["mediaType"]),
                platform={"architecture": architecture, "os": "linux"},
            )
        )
    index_type = "application/vnd.oci.image.index.v1+json"
    index = put(json.dumps({"schemaVersion": 2, "mediaType": index_type, "manifests": manifests}).encode(), index_type)
    top = {"schemaVersion": 2, "manifests": [{**index, "annotations": {"org.opencontainers.image.ref.name": "v1"}}]}
    (folder / "index.json").write_text(json.dumps(top))
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return folder, str(index["digest"])


@dataclass
class Docker:
    """A Docker Engine of our own."""

    host: str
    config: Path

    def words(self, *more: str, user: str = "main") -> list[str]:
        return ["docker", "--host", self.host, "--config", str(self.config / user), *more]


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    if not shutil.which("docker") or not (shutil.which("dockerd") or Path("/usr/sbin/dockerd").exists()):
        pytest.skip("no Docker Engine on this machine")
    if os.getuid() != 0:
        pytest.skip("the Docker Engine needs root")
    folder = tmp_path_factory.mktemp("dk")
    environ = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    environ["PATH"] += ":/usr/sbin:/sbin"
    host = f"unix://{folder}/d.sock"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "dockerd",
                "--iptables=false",
                "--ip6tables=false",
                "--bridge=none",
                "--storage-driver=vfs",
                "--host",
                host,
                "--data-root",
                str(folder / "data"),
                "--exec-root",
                str(folder / "exec"),
                "--pidfile",
                str(folder / "pid"),
            ],
            stdout=log,
            stderr=log,
            env=environ,
        )
    made = Docker(host, folder / "config")
    for _ in range(150):
        if process.poll() is not None or run(*made.words("info")).returncode == 0:
            break
        time.sleep(0.2)
    if run(*made.words("info")).returncode != 0:
        process.kill()
        process.wait()
        pytest.skip("dockerd does not run here: " + (folder / "log").read_text()[-400:].replace("\n", " "))
    yield made
    process.terminate()
    process.wait(60)
