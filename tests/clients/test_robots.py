"""Real clients log in as robots, under both spellings of the name: push, pull, and no further than their bucket."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.clients.conftest import Docker, bad, digest, good, make_bucket
from tests.clients.gotools import Client, Wire, wired
from tests.clients.test_clients import need, skopeo
from tests.conftest import Live, entrepot

pytestmark = pytest.mark.clients


class Robot(NamedTuple):
    """A robot that may pull and push, its bucket, and a bucket of the same account that it must not see."""

    login: tuple[str, str]
    bucket: str
    other: str


def robot(live: Live, bucket: str) -> Robot:
    for name in (bucket, f"{bucket}-2"):
        make_bucket(live, name)
    made = entrepot(
        "bucket", "robot", "create", bucket, "ci", "--rights", "pull push", "--data", str(live.data), "--json"
    )
    assert made.returncode == 0, made.stderr
    secrets = json.loads(made.stdout)
    return Robot((secrets["LoginName"], secrets["Secret"]), bucket, f"{bucket}-2")


def spellings(one: Robot) -> list[str]:
    return [one.login[0], one.login[0].replace("$", "+")]


def told(said: str) -> str:
    """The one digest that a client named."""
    [named] = set(re.findall(r"sha256:[0-9a-f]{64}", said))
    return str(named)


def end(live: Live, one: Robot) -> None:
    done = entrepot("bucket", "robot", "delete", one.bucket, "ci", "--data", str(live.data))
    assert done.returncode == 0, done.stderr


def test_docker(people: Live, docker: Docker, tmp_path: Path) -> None:
    one, hub = robot(people, "robot-docker"), f"127.0.0.1:{people.port}"
    archive = tmp_path / "small.tar"
    good("tar", "-C", "/etc", "-cf", str(archive), "os-release")
    for place, name in enumerate(spellings(one)):
        user, image = f"robot{place}", f"{hub}/{one.bucket}/app:v{place}"
        good(*docker.words("login", hub, "-u", name, "--password-stdin", user=user), input=one.login[1])
        good(*docker.words("import", str(archive), image))
        pushed = good(*docker.words("push", image, user=user))
        good(*docker.words("rmi", "-f", image))
        assert told(pushed) == told(good(*docker.words("pull", image, user=user)))
        good(*docker.words("tag", image, f"{hub}/{one.other}/app:v1"))
        bad(*docker.words("push", f"{hub}/{one.other}/app:v1", user=user))
    end(people, one)
    assert "unauthorized" in bad(*docker.words("pull", f"{hub}/{one.bucket}/app:v0", user="robot0"))
    assert "unauthorized" in bad(*docker.words("login", hub, "-u", one.login[0], "-p", one.login[1], user="late"))


def test_podman(people: Live, layout: tuple[Path, str], tmp_path: Path) -> None:
    need("podman")
    one, hub = robot(people, "robot-podman"), f"127.0.0.1:{people.port}"
    base = ["podman", "--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"), "--storage-driver=vfs",
            "--cgroup-manager=cgroupfs"]  # fmt: skip
    loaded = good(*base, "pull", "-q", f"oci:{layout[0]}:v1").splitlines()[-1]
    for place, name in enumerate(spellings(one)):
        auth = ["--tls-verify=false", "--authfile", str(tmp_path / f"auth{place}.json")]
        good(*base, "login", *auth, "-u", name, "--password-stdin", hub, input=one.login[1])
        image = f"{hub}/{one.bucket}/app:v{place}"
        good(*base, "push", *auth, loaded, image)
        assert good(*base, "pull", "-q", *auth, image).splitlines()[-1] == loaded  # the configuration's digest
        bad(*base, "push", *auth, loaded, f"{hub}/{one.other}/app:v1")
    end(people, one)
    assert "unauthorized" in bad(*base, "pull", "-q", *auth, f"{hub}/{one.bucket}/app:v0")


def test_skopeo(people: Live, layout: tuple[Path, str]) -> None:
    need("skopeo")
    one = robot(people, "robot-skopeo")
    hub = f"docker://127.0.0.1:{people.port}"
    for place, name in enumerate(spellings(one)):
        login = (name, one.login[1])
        image = f"{hub}/{one.bucket}/app:v{place}"
        good("skopeo", "copy", "--all", "--preserve-digests", *skopeo(login, "dest-"), f"oci:{layout[0]}:v1", image)
        assert digest(good("skopeo", "inspect", "--raw", *skopeo(login), image).encode()) == layout[1]
        bad("skopeo", "copy", *skopeo(login, "dest-"), f"oci:{layout[0]}:v1", f"{hub}/{one.other}/app:v1")
    end(people, one)
    assert "unauthorized" in bad("skopeo", "inspect", "--raw", *skopeo(login), image)


@pytest.fixture(scope="module")
def wire(people: Live) -> Iterator[Wire]:
    made = wired(people)
    yield made
    made.close()


def test_helm(people: Live, wire: Wire, tmp_path: Path) -> None:
    one, helm = robot(people, "robot-helm"), Client("helm", tmp_path, wire)
    place = f"oci://{wire.host}/{one.bucket}"
    (tmp_path / "chart").mkdir()
    helm("create", str(tmp_path / "chart" / "app"))
    for number, name in enumerate(spellings(one)):
        who = f"robot{number}"
        helm("registry", "login", "--plain-http", wire.host, "-u", name, "-p", one.login[1], who=who)
        helm("package", str(tmp_path / "chart" / "app"), "--version", f"0.{number}.0", "-d", str(tmp_path))
        chart = tmp_path / f"app-0.{number}.0.tgz"
        helm("push", "--plain-http", str(chart), place, who=who)
        sent = chart.read_bytes()
        chart.unlink()
        helm("pull", "--plain-http", f"{place}/app", "--version", f"0.{number}.0", who=who, cwd=tmp_path)
        assert chart.read_bytes() == sent
        other = f"oci://{wire.host}/{one.other}"
        helm.refused("push", "--plain-http", str(tmp_path / "app-0.0.0.tgz"), other, who=who, says="does not exist")
    end(people, one)
    helm.refused("pull", "--plain-http", f"{place}/app", "--version", "0.0.0", who="robot0", says="401", cwd=tmp_path)
