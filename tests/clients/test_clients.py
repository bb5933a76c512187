"""Docker, podman, skopeo, buildah and oras against a running hub: log in, push, pull the same digests, be refused."""

import importlib.metadata
import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.clients.conftest import MAIN, READER, STRANGER, Docker, bad, good, make_bucket
from tests.clients.held import holds
from tests.conftest import Live

pytestmark = pytest.mark.clients


def need(name: str) -> None:
    if not shutil.which(name):
        pytest.skip(f"no {name} on this machine")


def version(client: str) -> str:
    """The number that a client says of itself."""
    return re.search(r"\d+\.\d+[.\w-]*", good(client, "--version"))[0]  # type: ignore[index]


def bucket_list(live: Live, name: str) -> dict[str, object]:
    """The bucket as the unchanged UCloud SDK sees it."""
    from ucloud.client import Client

    client = Client(
        {
            "region": "cn-bj2",
            "base_url": live.url,
            "public_key": live.public_key,
            "private_key": live.private_key,
            "project_id": live.project_id,
        }
    )
    answer = client.invoke("GetImageBucketList", {"BucketName": name})
    [found] = answer["ImageSet"]
    return dict(found)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if "proxy" in name.lower():
            monkeypatch.delenv(name)


# --- Docker Engine


def test_docker_pushes_pulls_and_the_sdk_sees_it(people: Live, docker: Docker, rootfs: Path) -> None:
    bucket = make_bucket(people, "by-docker")
    hub, image = f"127.0.0.1:{people.port}", f"127.0.0.1:{people.port}/{bucket}/debian:12"
    assert "unauthorized" in bad(*docker.words("login", hub, "-u", MAIN[0], "-p", "wrong")).lower()
    assert "Login Succeeded" in good(*docker.words("login", hub, "-u", MAIN[0], "-p", MAIN[1]))
    good(*docker.words("login", hub, "-u", people.public_key, "-p", people.private_key, user="key"))
    good(*docker.words("import", str(rootfs), image))
    pushed = good(*docker.words("push", image))
    name = pushed.rpartition("digest: ")[2].split()[0]
    assert bucket_list(people, bucket)["ImageCount"] == 1
    kept = good(*docker.words("image", "inspect", "-f", "{{.Id}}", image))
    good(*docker.words("rmi", "-f", image))
    good(*docker.words("pull", image, user="key"))
    assert good(*docker.words("image", "inspect", "-f", "{{.Id}}", image)) == kept
    assert name in good(*docker.words("image", "inspect", "-f", "{{.RepoDigests}}", image))
    good(*docker.words("rmi", "-f", image))
    good(*docker.words("pull", f"127.0.0.1:{people.port}/{bucket}/debian@{name}"))
    holds("docker", version("docker"), "login", "a wrong password is refused", "push", "pull")


def test_docker_is_refused_where_it_must_be(people: Live, docker: Docker, tmp_path: Path) -> None:
    bucket, public = make_bucket(people, "docker-private"), make_bucket(people, "docker-public", public=True)
    hub = f"127.0.0.1:{people.port}"
    archive = tmp_path / "small.tar"
    good("tar", "-C", "/etc", "-cf", str(archive), "os-release")
    good(*docker.words("login", hub, "-u", MAIN[0], "-p", MAIN[1]))
    for where in (bucket, public):
        good(*docker.words("import", str(archive), f"{hub}/{where}/app:v1"))
        good(*docker.words("push", f"{hub}/{where}/app:v1"))
    good(*docker.words("login", hub, "-u", READER[0], "-p", READER[1], user="reader"))
    good(*docker.words("login", hub, "-u", STRANGER[0], "-p", STRANGER[1], user="stranger"))
    good(*docker.words("pull", f"{hub}/{public}/app:v1", user="nobody"))
    good(*docker.words("pull", f"{hub}/{public}/app:v1", user="stranger"))
    good(*docker.words("pull", f"{hub}/{bucket}/app:v1", user="reader"))
    for user in ("nobody", "stranger"):
        bad(*docker.words("pull", f"{hub}/{bucket}/app:v1", user=user))
    good(*docker.words("tag", f"{hub}/{public}/app:v1", f"{hub}/{public}/app:v2"))
    assert "denied" in bad(*docker.words("push", f"{hub}/{public}/app:v2", user="reader")).lower()
    bad(*docker.words("push", f"{hub}/{public}/app:v2", user="stranger"))
    bad(*docker.words("push", f"{hub}/{public}/app:v2", user="nobody"))
    good(*docker.words("tag", f"{hub}/{public}/app:v1", f"{hub}/missing-bucket/app:v1"))
    said = bad(*docker.words("push", f"{hub}/missing-bucket/app:v1"))
    assert "bucket create missing-bucket" in said
    holds("docker", version("docker"), "anonymous pull of a public bucket", "another account is refused",
          "a reader may pull, not push")  # fmt: skip


# --- skopeo


def skopeo(login: tuple[str, str] | None, side: str = "") -> list[str]:
    flags = [f"--{side}tls-verify=false"]
    if side:
        return [*flags, f"--{side}creds={':'.join(login)}"] if login else [*flags, f"--{side}no-creds"]
    return [*flags, f"--creds={':'.join(login)}"] if login else [*flags, "--no-creds"]


def test_skopeo_copies_an_index_and_gets_the_same_digests_back(
    people: Live, layout: tuple[Path, str], tmp_path: Path
) -> None:
    need("skopeo")
    folder, name = layout
    bucket = make_bucket(people, "by-skopeo")
    place = f"docker://127.0.0.1:{people.port}/{bucket}/multi:v1"
    good("skopeo", "copy", "--all", "--preserve-digests", *skopeo(MAIN, "dest-"), f"oci:{folder}:v1", place)
    good("skopeo", "copy", "--all", "--preserve-digests", *skopeo(MAIN, "src-"), place, f"oci:{tmp_path}/back:v1")
    index = json.loads((tmp_path / "back" / "index.json").read_text())
    assert index["manifests"][0]["digest"] == name
    sent = {path.name for path in (folder / "blobs" / "sha256").iterdir()}
    assert {path.name for path in (tmp_path / "back" / "blobs" / "sha256").iterdir()} == sent
    listed = json.loads(good("skopeo", "list-tags", *skopeo(MAIN), place.rpartition(":")[0]))
    assert listed["Tags"] == ["v1"]
    other = f"docker://127.0.0.1:{people.port}/{make_bucket(people, 'skopeo-copy')}/multi:v2"
    good("skopeo", "copy", "--all", "--preserve-digests", *skopeo(MAIN, "src-"), *skopeo(MAIN, "dest-"), place, other)
    assert name in good("skopeo", "inspect", *skopeo(MAIN), other)
    for login in (None, STRANGER, (MAIN[0], "wrong")):
        bad("skopeo", "inspect", *skopeo(login), place)
    good("skopeo", "inspect", *skopeo(READER), place)
    bad("skopeo", "delete", *skopeo(READER), place)
    bad("skopeo", "copy", "--all", *skopeo(READER, "dest-"), f"oci:{folder}:v1", place)
    good("skopeo", "delete", *skopeo(MAIN), place)
    bad("skopeo", "inspect", *skopeo(MAIN), place)
    holds("skopeo", version("skopeo"), "login", "a wrong password is refused", "push", "pull", "list tags",
          "copy between buckets", "another account is refused", "a reader may pull, not push",
          "delete a manifest")  # fmt: skip


# --- podman and buildah


def test_podman(people: Live, layout: tuple[Path, str], tmp_path: Path) -> None:
    need("podman")
    if os.getuid() != 0:
        pytest.skip("podman is tested as root")
    folder, _ = layout
    bucket = make_bucket(people, "by-podman")
    hub = f"127.0.0.1:{people.port}"
    base = [
        "podman",
        "--root",
        str(tmp_path / "root"),
        "--runroot",
        str(tmp_path / "run"),
        "--storage-driver=vfs",
        "--cgroup-manager=cgroupfs",
    ]
    auth = ["--authfile", str(tmp_path / "auth.json")]
    bad(*base, "login", "--tls-verify=false", *auth, "-u", MAIN[0], "-p", "wrong", hub)
    good(*base, "login", "--tls-verify=false", *auth, "-u", MAIN[0], "-p", MAIN[1], hub)
    loaded = good(*base, "pull", "-q", f"oci:{folder}:v1").splitlines()[-1]
    good(*base, "tag", loaded, f"{hub}/{bucket}/app:v1")
    file = tmp_path / "digest"
    good(*base, "push", "--tls-verify=false", *auth, "--digestfile", str(file), f"{hub}/{bucket}/app:v1")
    good(*base, "rmi", "-f", loaded)
    good(*base, "pull", "-q", "--tls-verify=false", *auth, f"{hub}/{bucket}/app@{file.read_text()}")
    nobody = ["--authfile", str(tmp_path / "none.json")]
    (tmp_path / "none.json").write_text("{}")
    bad(*base, "pull", "-q", "--tls-verify=false", *nobody, f"{hub}/{bucket}/app:v1")
    reader = ["--tls-verify=false", "--creds", ":".join(READER)]
    good(*base, "pull", "-q", *reader, f"{hub}/{bucket}/app:v1")
    bad(*base, "push", *reader, f"{hub}/{bucket}/app:v1", f"{hub}/{bucket}/app:v2")
    bad(*base, "pull", "-q", "--tls-verify=false", "--creds", ":".join(STRANGER), f"{hub}/{bucket}/app:v1")
    holds("podman", version("podman"), "login", "a wrong password is refused", "push", "pull",
          "another account is refused", "a reader may pull, not push")  # fmt: skip
    assert bucket_list(people, bucket)["ImageCount"] == 1


def test_buildah_pushes_a_debian_root_and_pulls_it_back(people: Live, rootfs: Path, tmp_path: Path) -> None:
    need("buildah")
    if os.getuid() != 0:
        pytest.skip("buildah is tested as root")
    bucket = make_bucket(people, "by-buildah")
    hub = f"127.0.0.1:{people.port}"
    base = ["buildah", "--root", str(tmp_path / "root"), "--runroot", str(tmp_path / "run"), "--storage-driver=vfs"]
    auth = ["--tls-verify=false", "--authfile", str(tmp_path / "auth.json")]
    good(*base, "login", *auth, "-u", MAIN[0], "-p", MAIN[1], hub)
    made = good(*base, "from", "scratch")
    good(*base, "add", made, str(rootfs), "/")
    good(*base, "commit", "--format", "oci", made, f"{hub}/{bucket}/debian:12")
    file = tmp_path / "digest"
    good(*base, "push", *auth, "--digestfile", str(file), f"{hub}/{bucket}/debian:12")
    good(*base, "rm", made)
    good(*base, "rmi", "-f", f"{hub}/{bucket}/debian:12")
    good(*base, "pull", *auth, f"{hub}/{bucket}/debian:12")
    inspected = good(
        *base, "inspect", "--type", "image", "--format", "{{.FromImageDigest}}", f"{hub}/{bucket}/debian:12"
    )
    assert inspected == file.read_text().strip()
    reader = ["--tls-verify=false", "--creds", ":".join(READER)]
    good(*base, "pull", *reader, f"{hub}/{bucket}/debian:12")
    bad(*base, "push", *reader, f"{hub}/{bucket}/debian:12", f"docker://{hub}/{bucket}/debian:13")
    good(*base, "rmi", "-f", f"{hub}/{bucket}/debian:12")
    bad(*base, "pull", "--tls-verify=false", "--creds", ":".join(STRANGER), f"{hub}/{bucket}/debian:12")
    holds("buildah", version("buildah"), "login", "push", "pull", "another account is refused",
          "a reader may pull, not push")  # fmt: skip


# --- oras (Python)


def test_oras_artifact(people: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import oras.client

    bucket = make_bucket(people, "by-oras")
    content = os.urandom(300_000)
    monkeypatch.chdir(tmp_path)
    Path("artifact.bin").write_bytes(content)
    client = oras.client.OrasClient(hostname=f"127.0.0.1:{people.port}", insecure=True, auth_backend="token")
    client.login(username=MAIN[0], password=MAIN[1], hostname=f"127.0.0.1:{people.port}")
    client.push(files=["artifact.bin"], target=f"127.0.0.1:{people.port}/{bucket}/thing:v1")
    Path("artifact.bin").unlink()
    [back] = client.pull(target=f"127.0.0.1:{people.port}/{bucket}/thing:v1", outdir=str(tmp_path / "out"))
    assert Path(back).read_bytes() == content
    holds("oras (Python)", importlib.metadata.version("oras"), "login", "push", "pull")
