"""The registry clients of the Go world against a running hub: each logs in, pushes, pulls, copies, lists, deletes.

What held is noted (see gotools.Report). All talk to the hub through a relay, so that tests see what went over the wire.
"""

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import MAIN, READER, STRANGER, good, run
from tests.clients.gotools import FIRST, SECOND, Client, Report, Wire, blobs, wired
from tests.conftest import Live

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def wire(people: Live) -> Iterator[Wire]:
    made = wired(people)
    yield made
    made.close()


def packed(folder: Path, place: Path) -> Path:
    with tarfile.open(place, "w") as tar:
        for path in sorted(folder.rglob("*")):
            tar.add(path, str(path.relative_to(folder)), recursive=False)
    return place


def unpacked(place: Path, folder: Path) -> Path:
    with tarfile.open(place) as tar:
        tar.extractall(folder, filter="data")
    return folder


# --- crane


def test_crane(wire: Wire, layout: tuple[Path, str], tmp_path: Path) -> None:
    folder, name = layout
    crane = Client("crane", tmp_path, wire)
    one, two = f"{wire.host}/{FIRST}/crane", f"{wire.host}/{SECOND}/crane"
    crane.logs_in("auth", "login", wire.host, then=("catalog", wire.host))

    assert crane("push", str(folder), f"{one}:v1").endswith(name)
    assert crane("digest", f"{one}:v1") == name
    crane.report.holds("push")
    crane("pull", "--format", "oci", f"{one}:v1", str(tmp_path / "back"))
    assert blobs(tmp_path / "back") == blobs(folder)
    crane.report.holds("pull")

    (tmp_path / "more").write_bytes(os.urandom(100_000))
    with tarfile.open(tmp_path / "more.tar", "w") as tar:
        tar.add(tmp_path / "more", "more")
    words = ["append", "--platform", "linux/amd64", "-b", f"{one}:v1", "-f", str(tmp_path / "more.tar")]
    appended = crane(*words, "-t", f"{one}:more").rpartition("@")[2]
    assert crane("digest", f"{one}:more") == appended
    crane.report.holds("append a layer")

    mark = wire.mark()
    crane("copy", f"{one}:v1", f"{two}:v1")
    assert wire.mounts(mark) == 4
    assert crane("digest", f"{two}:v1") == name
    crane("validate", "--fast", "--remote", f"{two}:v1")
    crane.report.holds("copy by mount")

    crane("tag", f"{one}:v1", "v2")
    assert crane("ls", one).split() == ["more", "v1", "v2"]
    crane.report.holds("list tags")
    assert {f"{FIRST}/crane", f"{SECOND}/crane"} <= set(crane("catalog", wire.host).split())
    assert f"{FIRST}/crane" not in crane("catalog", wire.host, who="stranger")
    crane.report.holds("list repositories")

    for who in ("stranger", "nobody"):
        crane.refused(
            "pull",
            f"{one}:v1",
            str(tmp_path / "no"),
            who=who,
            says="name_unknown" if who == "stranger" else "unauthorized",
        )
    crane("manifest", f"{one}:v1", who="reader")
    crane.refused("push", str(folder), f"{one}:v3", who="reader", says="denied")
    crane.refused("delete", f"{one}:v2", who="reader", says="denied")
    crane.report.holds("another account is refused")

    crane("delete", f"{one}:v2")
    assert crane("ls", one).split() == ["more", "v1"]
    crane.report.holds("delete a tag")
    crane("delete", f"{one}@{name}")
    assert crane("ls", one).split() == ["more"]
    crane.refused("digest", f"{one}@{name}", who="main", says="404")
    crane.report.holds("delete a manifest")


# --- regctl


def test_regctl(wire: Wire, layout: tuple[Path, str], tmp_path: Path) -> None:
    folder, name = layout
    regctl = Client("regctl", tmp_path, wire)
    one, two = f"{wire.host}/{FIRST}/regctl", f"{wire.host}/{SECOND}/regctl"
    for who in ("main", "reader", "stranger", "wrong", "nobody"):
        regctl("registry", "set", wire.host, "--tls", "disabled", "--skip-check", who=who)
    regctl.logs_in("registry", "login", wire.host)

    regctl("image", "import", f"{one}:v1", str(packed(folder, tmp_path / "layout.tar")))
    assert regctl("image", "digest", f"{one}:v1") == name
    regctl.report.holds("push")
    regctl("image", "export", f"{one}:v1", str(tmp_path / "back.tar"))
    assert blobs(unpacked(tmp_path / "back.tar", tmp_path / "back")) == blobs(folder)
    regctl.report.holds("pull")

    mark = wire.mark()
    regctl("image", "copy", f"{one}:v1", f"{two}:v1")
    assert wire.mounts(mark) == 4
    assert regctl("image", "digest", f"{two}:v1") == name
    regctl.report.holds("copy by mount")

    regctl("image", "copy", f"{one}:v1", f"{one}:v2")
    assert regctl("tag", "ls", one).split() == ["v1", "v2"]
    assert regctl("tag", "ls", "--limit", "1", "--last", "v1", one).split() == ["v2"]
    regctl.report.holds("list tags")
    assert {f"{FIRST}/regctl", f"{SECOND}/regctl"} <= set(regctl("repo", "ls", wire.host).split())
    regctl.report.holds("list repositories")

    words = ["artifact", "put", "--artifact-type", "application/vnd.example.note", "--subject", f"{one}:v1"]
    attached = regctl(*words, "--format", "{{.Manifest.GetDescriptor.Digest}}", input="a note")
    assert attached.startswith("sha256:")
    regctl.report.holds("attach")
    mark = wire.mark()
    listed = json.loads(regctl("artifact", "list", "--format", "{{json .}}", f"{one}:v1"))
    assert [entry["digest"] for entry in listed["descriptors"]] == [attached]
    assert any("/referrers/" in path and status == 200 for _, path, status in wire.seen[mark:])
    found = regctl(
        "artifact", "get", "--subject", f"{one}:v1", "--filter-artifact-type", "application/vnd.example.note"
    )
    assert found == "a note"
    regctl("image", "copy", "--referrers", f"{one}:v1", f"{two}:with")
    assert attached in regctl("artifact", "list", "--format", "{{json .}}", f"{two}:with")
    regctl.report.holds("list referrers")

    regctl.refused("image", "export", f"{one}:v1", str(tmp_path / "no.tar"), who="stranger", says="not found")
    regctl.refused("image", "export", f"{one}:v1", str(tmp_path / "no.tar"), who="nobody", says="unauthorized")
    regctl("manifest", "get", f"{one}:v1", who="reader")
    regctl.refused("tag", "rm", f"{one}:v2", who="reader", says="denied")
    regctl.report.holds("another account is refused")

    regctl("tag", "rm", f"{one}:v2")
    assert regctl("tag", "ls", one).split() == ["v1"]
    regctl.report.holds("delete a tag")
    regctl("manifest", "delete", f"{one}@{name}")
    regctl.refused("image", "digest", f"{one}:v1", who="main", says="not found")
    assert regctl("image", "digest", f"{two}:v1") == name
    regctl.report.holds("delete a manifest")


def test_regctl_goes_on_where_the_line_broke(wire: Wire, tmp_path: Path) -> None:
    regctl = Client("regctl", tmp_path, wire)
    words = ["--host", f"reg={wire.host},tls=disabled,user={MAIN[0]},pass={MAIN[1]}"]
    regctl(
        "registry", "set", wire.host, "--tls", "disabled", "--skip-check", "--blob-chunk", "400000", "--blob-max", "1"
    )
    content = os.urandom(500_000).hex()
    (tmp_path / "blob").write_text(content)
    mark = wire.mark()
    wire.cut("PATCH", 150_000)
    with (tmp_path / "blob").open("rb") as source:
        name = regctl("blob", "put", *words, f"{wire.host}/{FIRST}/regctl-broken", stdin=source)
    assert name == "sha256:" + hashlib.sha256(content.encode()).hexdigest()
    steps = [(method, status) for method, path, status in wire.seen[mark:] if "/blobs/uploads/" in path]
    assert ("PATCH", 0) in steps, steps
    assert steps.count(("PATCH", 202)) >= 3, steps
    assert steps[-1] == ("PUT", 201), steps
    regctl.report.holds("resume an upload")
    mark = wire.mark()
    wire.cut("GET", 500_000)
    assert regctl("blob", "get", *words, f"{wire.host}/{FIRST}/regctl-broken", name) == content
    assert [(method, status) for method, path, status in wire.seen[mark:] if path.endswith(name)][-2:] == [
        ("GET", 0),
        ("GET", 206),
    ]
    regctl.report.holds("resume a download")


# --- oras


def test_oras(wire: Wire, layout: tuple[Path, str], tmp_path: Path) -> None:
    oras = Client("oras", tmp_path, wire)
    one, two = f"{wire.host}/{FIRST}/oras", f"{wire.host}/{SECOND}/oras"
    plain = "--plain-http"
    oras.logs_in("login", plain, wire.host)

    content = os.urandom(300_000)
    (tmp_path / "thing.bin").write_bytes(content)
    words = ["push", plain, "--artifact-type", "application/vnd.example.thing", "--format", "json", f"{one}:v1,v2"]
    name = json.loads(oras(*words, "thing.bin", cwd=tmp_path))["digest"]
    assert oras("resolve", plain, f"{one}:v1") == name
    oras("cp", "--from-oci-layout", "--to-plain-http", f"{layout[0]}:v1", f"{one}:multi")
    assert oras("resolve", plain, f"{one}:multi") == layout[1]
    oras.report.holds("push")
    oras("pull", plain, "-o", str(tmp_path / "out"), f"{one}@{name}")
    assert (tmp_path / "out" / "thing.bin").read_bytes() == content
    oras("cp", "--from-plain-http", "--to-oci-layout", f"{one}:multi", f"{tmp_path}/back:v1")
    assert blobs(tmp_path / "back") == blobs(layout[0])
    oras.report.holds("pull")

    (tmp_path / "note.txt").write_text("a note")
    words = ["attach", plain, "--artifact-type", "application/vnd.example.note", "--format", "json", f"{one}:v1"]
    attached = json.loads(oras(*words, "note.txt", cwd=tmp_path))["digest"]
    oras.report.holds("attach")
    mark = wire.mark()
    listed = json.loads(oras("discover", plain, "--format", "json", f"{one}:v1"))
    assert [entry["digest"] for entry in listed["referrers"]] == [attached]
    assert any("/referrers/" in path and status == 200 for _, path, status in wire.seen[mark:])
    filtered = oras(
        "discover", plain, "--artifact-type", "application/vnd.example.other", "--format", "json", f"{one}:v1"
    )
    assert not json.loads(filtered)["referrers"]
    oras.report.holds("list referrers")

    mark = wire.mark()
    oras("cp", "-r", "--from-plain-http", "--to-plain-http", f"{one}:v1", f"{two}:v1")
    assert wire.mounts(mark) >= 2
    assert oras("resolve", plain, f"{two}:v1") == name
    assert attached in oras("discover", plain, "--format", "json", f"{two}:v1")
    oras.report.holds("copy by mount")

    assert oras("repo", "tags", plain, one).split() == ["multi", "v1", "v2"]
    oras.report.holds("list tags")
    assert {f"{FIRST}/oras", f"{SECOND}/oras"} <= set(oras("repo", "ls", plain, wire.host).split())
    oras.report.holds("list repositories")

    oras.refused("pull", plain, f"{one}:v1", who="stranger", says="not found", cwd=tmp_path)
    oras.refused("pull", plain, f"{one}:v1", who="nobody", says="unauthorized", cwd=tmp_path)
    oras("manifest", "fetch", plain, f"{one}:v1", who="reader")
    oras.refused("push", plain, f"{one}:v3", "note.txt", who="reader", says="denied", cwd=tmp_path)
    oras.report.holds("another account is refused")

    oras("manifest", "delete", plain, "--force", f"{one}@{attached}")
    assert not json.loads(oras("discover", plain, "--format", "json", f"{one}:v1"))["referrers"]
    oras("manifest", "delete", plain, "--force", f"{one}@{name}")
    assert oras("repo", "tags", plain, one).split() == ["multi"]
    oras.fails("resolve", plain, f"{one}:v1")
    oras.report.holds("delete a manifest")


# --- ctr


class Ctr(Client):
    """containerd of our own and its client; ctr has no login, each call names a person."""

    def __init__(self, folder: Path, wire: Wire) -> None:
        self.binary, self.home, self.wire = "ctr", folder, wire
        self.report = Report("ctr", good("ctr", "--version").split()[2])
        self.address = str(folder / "s")
        (folder / "config.toml").write_text('version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n')
        words = [
            "--config",
            str(folder / "config.toml"),
            "--root",
            str(folder / "root"),
            "--state",
            str(folder / "state"),
        ]
        environ = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                ["containerd", *words, "--address", self.address], stdout=log, stderr=log, env=environ
            )
        for _ in range(100):
            if run("ctr", "-a", self.address, "version").returncode == 0:
                return
            time.sleep(0.1)
        self.stop()
        raise AssertionError((folder / "log").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)

    def words(self, *words: str, login: tuple[str, str] | None = MAIN) -> list[str]:
        user = ["--user", ":".join(login)] if login else []
        remote = ["--plain-http", *user] if words[1] in {"pull", "push", "fetch"} else []
        return ["-a", self.address, *words[:2], *remote, *words[2:]]


@pytest.fixture
def ctr(wire: Wire, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ctr]:
    for name in ("containerd", "ctr"):
        if not shutil.which(name):
            pytest.skip(f"no {name} on this machine")
    if os.getuid() != 0:
        pytest.skip("containerd needs root")
    made = Ctr(tmp_path_factory.mktemp("c"), wire)
    yield made
    made.stop()


def test_ctr(ctr: Ctr, wire: Wire, layout: tuple[Path, str], tmp_path: Path) -> None:
    folder, name = layout
    one, two = f"{wire.host}/{FIRST}/ctr", f"{wire.host}/{SECOND}/ctr"
    kept = str(packed(folder, tmp_path / "layout.tar"))
    ctr(*ctr.words("images", "import", "--all-platforms", "--no-unpack", "--base-name", one, kept))
    said = ctr.fails(*ctr.words("images", "push", f"{one}:v1", login=(MAIN[0], "wrong")))
    assert "401" in said or "unauthorized" in said
    ctr.report.holds("a wrong password is refused")
    ctr(*ctr.words("images", "push", f"{one}:v1"))
    ctr.report.holds("login")
    ctr.report.holds("push")

    ctr(*ctr.words("images", "rm", "--sync", f"{one}:v1"))
    assert name not in ctr(*ctr.words("content", "ls"))
    for login, says in (
        (STRANGER, "not found"),
        (None, "authorization failed"),
        ((MAIN[0], "wrong"), "401 unauthorized"),
    ):
        said = ctr.fails(*ctr.words("content", "fetch", "--all-platforms", f"{one}:v1", login=login))
        assert says in said, said
    mark = wire.mark()
    ctr(*ctr.words("content", "fetch", "--all-platforms", f"{one}:v1"))
    assert sum("/blobs/" in path and status == 200 for _, path, status in wire.seen[mark:]) == 4
    assert name in ctr(*ctr.words("images", "ls", f"name=={one}:v1"))
    for blob in blobs(folder):
        assert f"sha256:{blob}" in ctr(*ctr.words("content", "ls", "-q"))
    ctr.report.holds("pull")

    ctr(*ctr.words("images", "tag", f"{one}:v1", f"{two}:v1"))
    mark = wire.mark()
    ctr(*ctr.words("images", "push", f"{two}:v1"))
    assert wire.mounts(mark) == 4
    ctr.report.holds("copy by mount")
    ctr(*ctr.words("images", "tag", f"{one}:v1", f"{one}:v2"))
    mark = wire.mark()
    ctr.fails(*ctr.words("images", "push", f"{one}:v2", login=READER))
    # Of the answer and its own closed pipe, ctr tells whichever it met first; the wire tells what the hub said.
    assert 403 in {status for _, path, status in wire.seen[mark:] if f"{FIRST}/ctr/" in path}, wire.seen[mark:]
    ctr.report.holds("another account is refused")
