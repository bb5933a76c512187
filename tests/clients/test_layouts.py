"""Exported layouts in other tools' hands, and theirs in ours; a backup of a server that goes on."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.clients.conftest import MAIN, good, make_bucket
from tests.clients.gotools import tool
from tests.clients.pushing import Pusher, push_image
from tests.conftest import Live, entrepot, free_port, serve
from tests.registry.kit import digest

pytestmark = [pytest.mark.clients]
SKOPEO = ("skopeo", "--insecure-policy")


def need_skopeo() -> None:
    if not shutil.which("skopeo"):
        pytest.skip("no skopeo on this machine")


def pushed(live: Live, layout: tuple[Path, str], bucket: str) -> str:
    """The two-platform image of the layout under team/app:v1, pushed by skopeo; its digest."""
    folder, name = layout
    make_bucket(live, bucket)
    login = ["--dest-tls-verify=false", "--dest-creds", ":".join(MAIN)]
    place = f"docker://127.0.0.1:{live.port}/{bucket}/team/app:v1"
    good(*SKOPEO, "copy", "--all", "--preserve-digests", *login, f"oci:{folder}:v1", place)
    return name


def exported(live: Live, bucket: str, target: Path, *words: str) -> Path:
    done = entrepot("export", str(live.data), bucket, str(target), *words)
    assert done.returncode == 0, done.stderr
    return target


def raw(reference: str) -> str:
    """The digest of what skopeo finds."""
    content = good(*SKOPEO, "inspect", "--raw", reference)
    return digest(content.encode())


def test_skopeo_reads_a_bucket_an_image_and_a_tar(live: Live, layout: tuple[Path, str], tmp_path: Path) -> None:
    need_skopeo()
    name = pushed(live, layout, "layout-out")
    whole = exported(live, "layout-out", tmp_path / "whole")
    alone = exported(live, "layout-out", tmp_path / "alone", "--image", "team/app")
    packed = exported(live, "layout-out", tmp_path / "whole.tar")
    assert raw(f"oci:{whole}:team/app:v1") == raw(f"oci:{alone}:v1") == raw(f"oci-archive:{packed}:team/app:v1") == name
    good(*SKOPEO, "copy", "--all", "--preserve-digests", f"oci:{whole}:team/app:v1", f"oci:{tmp_path}/back:v1")
    make_bucket(live, "layout-back")
    done = entrepot("import", str(live.data), "layout-back", str(tmp_path / "back"), "--image", "again", "--json")
    assert json.loads(done.stdout)["manifests"] == 3, done.stderr
    inspected = good(*SKOPEO, "inspect", "--raw", "--tls-verify=false", "--creds", ":".join(MAIN),
                     f"docker://127.0.0.1:{live.port}/layout-back/again:v1")  # fmt: skip
    assert digest(inspected.encode()) == name
    if shutil.which("podman"):
        pulled = good("podman", "pull", "-q", f"oci:{alone}:v1")
        good("podman", "rmi", pulled)


def test_crane_and_oras_read_ours_and_we_read_theirs(live: Live, layout: tuple[Path, str], tmp_path: Path) -> None:
    need_skopeo()
    crane, oras = tool("crane"), tool("oras")
    name = pushed(live, layout, "layout-go")
    alone = exported(live, "layout-go", tmp_path / "alone", "--image", "team/app")
    assert json.loads(good(oras, "manifest", "fetch", "--oci-layout", "--descriptor", f"{alone}:v1"))["digest"] == name
    assert good(oras, "repo", "tags", "--oci-layout", str(alone)) == "v1"
    good(oras, "cp", "-r", "--from-oci-layout", f"{alone}:v1", "--to-oci-layout", f"{tmp_path}/by-oras:v2")
    registry = f"127.0.0.1:{live.port}"
    good(crane, "auth", "login", registry, "-u", MAIN[0], "-p", MAIN[1], env={"DOCKER_CONFIG": str(tmp_path)})
    good(crane, "pull", "--insecure", "--format=oci", f"{registry}/layout-go/team/app:v1", str(tmp_path / "by-crane"),
         env={"DOCKER_CONFIG": str(tmp_path)})  # fmt: skip
    for maker, tag in (("by-oras", "v2"), ("by-crane", None)):
        bucket = make_bucket(live, f"layout-{maker}")
        done = entrepot("import", str(live.data), bucket, str(tmp_path / maker), "--image", "app", "--json")
        assert done.returncode == 0, done.stderr
        found = good(crane, "digest", "--insecure", f"{registry}/{bucket}/app" + (f":{tag}" if tag else f"@{name}"),
                     env={"DOCKER_CONFIG": str(tmp_path)})  # fmt: skip
        assert found == name


@pytest.mark.slow
def test_a_backup_of_a_server_under_pushes_and_kills(tmp_path: Path) -> None:
    """Pushes go on while backups are made and killed; each finished one holds what was acknowledged before it."""
    data, target = tmp_path / "data", tmp_path / "target"
    made = entrepot("init", "--data", str(data), "--email", MAIN[0], "--password", MAIN[1])
    assert made.returncode == 0, made.stderr
    assert entrepot("bucket", "create", "depot", "--data", str(data)).returncode == 0
    port = free_port()
    server = serve(data, port)
    acknowledged: list[tuple[str, str]] = []
    stop = threading.Event()

    def push() -> None:
        with Pusher(port, MAIN) as pusher:
            for place in itertools.count():
                if stop.is_set():
                    return
                tag = f"v{place}"
                acknowledged.append((tag, push_image(pusher, "depot/app", tag, os.urandom(200_000))[0]))
                if place % 3 == 2:  # and some are deleted
                    gone = acknowledged.pop(-2)
                    assert pusher.ask("DELETE", f"/v2/depot/app/manifests/{gone[0]}").status == 202

    pushing = threading.Thread(target=push)
    pushing.start()
    try:
        for turn in range(6):
            words = [sys.executable, "-m", "entrepot.cli.main", "backup", str(data), str(target), "--keep", "2"]
            child = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                child.wait(0.6 + turn * 0.2)
            except subprocess.TimeoutExpired:
                os.kill(child.pid, signal.SIGKILL)
                child.wait()
        before = list(acknowledged)
        done = entrepot("backup", str(data), str(target), "--keep", "2", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["damaged"] == []
    finally:
        stop.set()
        pushing.join()
        server.terminate()
        assert server.wait(30) == 0
    assert len(before) > 5, "too few pushes to mean anything"
    assert entrepot("backup", "--verify", str(target)).returncode == 0
    done = entrepot("restore", str(target), str(tmp_path / "back"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert entrepot("fsck", "--deep", "--data", str(tmp_path / "back")).stdout.strip() == "Clean."
    server = serve(tmp_path / "back", port)
    try:
        with Pusher(port, MAIN) as pusher:
            # The very last one may have been deleted while the backup began.
            for tag, name in before[:-1]:
                reply = pusher.ask("GET", f"/v2/depot/app/manifests/{tag}")
                assert (reply.status, digest(reply.body)) == (200, name), tag
    finally:
        server.terminate()
        assert server.wait(30) == 0
