"""The command line as processes: what a person types is what is tested."""

import base64
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.conftest import Live, entrepot, free_port, serve


def test_init_prints_the_secrets_once_and_a_second_one_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = entrepot("init", "--data", str(data), "--json")
    secrets = json.loads(made.stdout)
    assert set(secrets) == {"Email", "Password", "PublicKey", "PrivateKey", "ProjectId"}
    assert len(secrets["Password"]) >= 20
    assert secrets["ProjectId"].startswith("org-")
    assert (data / "hub.key").stat().st_mode & 0o777 == 0o600
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    again = entrepot("init", "--data", str(data), "--password", "another one", "--json")
    assert (again.returncode, again.stdout) == (3, "")
    assert "already initialised" in again.stderr
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before
    other = json.loads(entrepot("init", "--data", str(tmp_path / "two"), "--json").stdout)
    assert other["Password"] != secrets["Password"]
    assert other["PrivateKey"] != secrets["PrivateKey"]


def test_no_secret_ever_looks_like_an_option() -> None:
    from entrepot.ops.people import new_secret

    made = [new_secret(24) for _ in range(500)]
    assert all(one.isalnum() and len(one) == 24 for one in made)
    assert len(set(made)) == 500


def test_an_init_that_was_killed_half_way_is_done_again(tmp_path: Path) -> None:
    from entrepot.ops.vault import create_key_file

    create_key_file(tmp_path / "hub.key")
    assert entrepot("init", "--data", str(tmp_path), "--json").returncode == 0


@pytest.mark.parametrize(
    "words",
    [["--email", "no-at-sign"], ["--password", "short"], ["--email", "a b@c.d"]],
)
def test_init_refuses_bad_input_in_one_line(tmp_path: Path, words: list[str]) -> None:
    made = entrepot("init", "--data", str(tmp_path / "data"), *words)
    assert made.returncode == 2
    assert made.stderr.startswith("entrepot: ")
    assert made.stderr.count("\n") == 1


def test_serve_makes_an_empty_folder_a_hub_and_its_lines_work_when_pasted(tmp_path: Path) -> None:
    port = free_port()
    process = serve(tmp_path / "data", port)
    try:
        log = tmp_path / f"serve-{port}.log"
        for _ in range(100):
            if "Stop with" in log.read_text():
                break
            time.sleep(0.02)
        text = log.read_text()
        assert f"Serving on http://127.0.0.1:{port}" in text
        assert "PrivateKey" in text
        pasted = [line.strip() for line in text.splitlines() if line.startswith(("  curl", "  ENTREPOT", "  python3"))]
        assert len(pasted) == 3
        bin_dir = Path(sys.executable).parent
        environ = {**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}", "no_proxy": "*", "NO_PROXY": "*"}
        for line in pasted:
            done = subprocess.run(line, shell=True, capture_output=True, text=True, env=environ, check=False)
            assert "TotalCount" in done.stdout, (line, done.stderr)
    finally:
        process.terminate()
        assert process.wait(20) == 0
    again = serve(tmp_path / "data", port)
    again.terminate()
    assert again.wait(20) == 0
    assert log.read_text().count("PrivateKey  ") == 1, "secrets are shown once"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_lets_a_running_upload_finish(tmp_path: Path, workers: str) -> None:
    data, port = tmp_path / "data", free_port()
    entrepot("init", "--data", str(data), "--email", "a@b.c", "--password", "correct horse")
    entrepot("bucket", "create", "depot", "--data", str(data))
    process = serve(data, port, "--workers", workers)
    head = {"Authorization": "Basic YUBiLmM6Y29ycmVjdCBob3JzZQ=="}
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    client.request("POST", "/v2/depot/app/blobs/uploads/", headers=head)
    place = client.getresponse().headers["location"]
    client.close()
    result: list[int] = []

    def slowly() -> None:
        def body():
            for _ in range(10):
                yield b"x" * 1000
                time.sleep(0.2)

        upload = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        upload.request("PATCH", place, body=body(), headers=head, encode_chunked=True)
        result.append(upload.getresponse().status)
        upload.close()

    thread = threading.Thread(target=slowly)
    thread.start()
    time.sleep(0.5)
    process.send_signal(signal.SIGTERM)
    thread.join(30)
    assert result == [202]
    assert process.wait(20) == 0


def test_a_taken_port_is_said_in_one_line_and_nothing_is_made(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        made = entrepot("serve", "--data", str(tmp_path / "data"), "--port", str(taken.getsockname()[1]))
    assert made.returncode == 4
    assert "cannot listen on" in made.stderr
    assert "--port 0" in made.stderr
    assert not (tmp_path / "data").exists()


def test_several_workers_serve_one_folder(tmp_path: Path) -> None:
    data, port = tmp_path / "data", free_port()
    process = serve(data, port, "--workers", "2")
    try:
        for _ in range(20):
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
            client.request("GET", "/v2/")
            assert client.getresponse().status == 401
            client.close()
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_people_keys_and_buckets(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    assert entrepot("user", "list", "--data", data).returncode == 3
    entrepot("init", "--data", data, "--email", "main@example.com")
    made = json.loads(
        entrepot("user", "add", "x@example.com", "--data", data, "--rights", "pull push", "--json").stdout
    )
    assert made["Email"] == "x@example.com"
    twice = entrepot("user", "add", "x@example.com", "--data", data)
    assert (twice.returncode, "exists already" in twice.stderr) == (1, True)
    assert entrepot("user", "add", "y@example.com", "--data", data, "--rights", "fly").returncode == 2
    entrepot("user", "add", "z@example.com", "--data", data, "--new-account")
    entrepot("user", "disable", "x@example.com", "--data", data)
    listed = json.loads(entrepot("user", "list", "--data", data, "--json").stdout)
    assert [(one["Email"], one["Account"], one["Main"], one["Active"], one["Rights"]) for one in listed] == [
        ("main@example.com", 1, True, True, "all"),
        ("x@example.com", 1, False, False, "pull push"),
        ("z@example.com", 2, True, True, "all"),
    ]
    key = json.loads(entrepot("key", "create", "main@example.com", "--data", data, "--json").stdout)["PublicKey"]
    assert len(json.loads(entrepot("key", "list", "main@example.com", "--data", data, "--json").stdout)) == 2
    assert entrepot("key", "delete", key, "--data", data).returncode == 0
    assert entrepot("key", "delete", key, "--data", data).returncode == 1
    assert entrepot("bucket", "create", "depot", "--data", data, "--public", "--region", "hk").returncode == 0
    assert entrepot("bucket", "create", "theirs", "--data", data, "--email", "z@example.com").returncode == 0
    assert "is taken" in entrepot("bucket", "create", "depot", "--data", data).stderr
    assert entrepot("bucket", "share", "depot", "--private", "--data", data).returncode == 0
    listed = json.loads(entrepot("bucket", "list", "--data", data, "--json").stdout)
    assert [(one["Name"], one["Region"], one["Public"]) for one in listed] == [
        ("depot", "hk", False),
        ("theirs", "cn-bj2", False),
    ]
    assert entrepot("bucket", "delete", "theirs", "--data", data).returncode == 1, "not the first account's"
    assert entrepot("bucket", "delete", "depot", "--data", data).returncode == 0
    assert "depot" not in entrepot("bucket", "list", "--data", data).stdout


def test_api_commands_come_from_the_declarations(live: Live) -> None:
    keys = ["--url", live.url, "--public-key", live.public_key, "--private-key", live.private_key]
    listed = entrepot("api", "--help").stdout
    assert "GetImageBucketList" in listed
    helped = entrepot("api", "DeleteImage", "--help").stdout
    assert "--Tag" in helped
    made = entrepot("api", "CreateDockerImageBucket", "--Region", "cn-bj2", "--BucketName", "fromcli", *keys)
    assert json.loads(made.stdout)["RetCode"] == 0, made.stderr
    gone = entrepot(
        "api",
        "DeleteImage",
        "--Region",
        "cn-bj2",
        "--BucketName",
        "fromcli",
        "--ImageName",
        "app",
        "--Tag",
        "a",
        "--Tag",
        "b",
        *keys,
    )
    assert (gone.returncode, "RetCode 43045" in gone.stderr) == (1, True)
    near = entrepot("api", "GetImageBucketLists", *keys)
    assert "did you mean GetImageBucketList?" in near.stderr
    wrong = entrepot("api", "GetRegion", "--url", live.url, "--public-key", "x", "--private-key", "y")
    assert "RetCode 172" in wrong.stderr
    nowhere = entrepot(
        "api", "GetRegion", "--url", f"http://127.0.0.1:{free_port()}", "--public-key", "x", "--private-key", "y"
    )
    assert (nowhere.returncode, "no answer from" in nowhere.stderr) == (1, True)
    without = {key: value for key, value in os.environ.items() if "KEY" not in key}
    assert "ENTREPOT_PUBLIC_KEY" in entrepot("api", "GetRegion", "--url", live.url, env=without).stderr


def test_settings_come_from_flag_environment_file_default_in_this_order(tmp_path: Path) -> None:
    from entrepot import config
    from entrepot.errors import HubError, Kind

    file = tmp_path / "hub.toml"
    file.write_text('port = 1111\nhost = "0.0.0.0"\ntoken_seconds = 120\n')
    environ = {"ENTREPOT_PORT": "2222", "ENTREPOT_TOKEN_SECONDS": "240"}
    made = config.load(str(file), environ, port=3333)
    assert (made.port, made.token_seconds, made.host, made.workers) == (3333, 240, "0.0.0.0", 1)
    for bad in (
        {"ENTREPOT_PORT": "x"},
        {"ENTREPOT_WORKERS": "0"},
        {"ENTREPOT_DEFAULT_REGION": "mars"},
        {"ENTREPOT_CONFIG": str(tmp_path / "none.toml")},
        {"ENTREPOT_LOG_LEVEL": "loud"},
        {"ENTREPOT_TRUSTED_PROXIES": "not-a-network"},
    ):
        with pytest.raises(HubError) as refused:
            config.load(environ=bad)
        assert refused.value.kind is Kind.CONFIG_INVALID
    file.write_text("ports = 1\n")
    with pytest.raises(HubError, match="ports"):
        config.load(str(file), {})


def test_quotas_on_the_spot(tmp_path: Path) -> None:
    data = str(tmp_path / "data")
    project = json.loads(entrepot("init", "--data", data, "--json").stdout)["ProjectId"]
    entrepot("bucket", "create", "depot", "--data", data)
    made = entrepot("quota", "set", "--data", data, "--project", project, "--buckets", "none", "--bytes", "2G")
    assert (made.returncode, made.stdout) == (0, f"The quotas of {project} are set.\n")
    assert entrepot("quota", "set", "--data", data, "--bucket", "depot", "--tags", "20").returncode == 0
    shown = json.loads(entrepot("quota", "show", "--data", data, "--bucket", "depot", "--json").stdout)
    assert [(one["Kind"], one["Most"], one["Used"]) for one in shown] == [
        ("buckets", "none", 1), ("bytes", 2 * 2**30, 0), ("bytes", "none", 0),
    ]  # fmt: skip
    assert entrepot("quota", "set", "--data", data, "--project", project, "--buckets", "default").returncode == 0
    assert json.loads(entrepot("quota", "show", "--data", data, "--json").stdout)[0]["Most"] == 8
    for words, text in (
        (["--bucket", "depot", "--buckets", "3"], "buckets: a bucket has no such quota"),
        (["--bucket", "nothing", "--bytes", "3"], "does not exist"),
        (["--project", project, "--bytes", "lots"], "is no number"),
        (["--bytes", "3"], "either --project or --bucket"),
        (["--project", project], "--buckets, --bytes or --tags"),
    ):
        refused = entrepot("quota", "set", "--data", data, *words)
        assert refused.returncode != 0
        assert text in refused.stderr


def test_retention_on_the_spot(live: Live, tmp_path: Path) -> None:
    where = ("--data", str(live.data))
    assert entrepot("bucket", "create", "spot-bucket", *where).returncode == 0
    for tag in ("v1", "v2", "v3"):
        _push_empty(live, f"spot-bucket/app/manifests/{tag}")
    shown = entrepot("retention", "preview", "spot-bucket", *where, "--match", "app:v*", "--newest", "1", "--json")
    assert sorted(one["Tag"] for one in json.loads(shown.stdout)) == ["app:v1", "app:v2"]
    assert json.loads(entrepot("retention", "show", "spot-bucket", *where, "--json").stdout)["Rules"] == []
    assert entrepot("retention", "run", "spot-bucket", *where).stdout == "Nothing goes.\n"
    made = entrepot("retention", "set", "spot-bucket", *where, "--newest", "1", "--except", "v9", "--pulled", "30")
    assert "would take 0 tags" in made.stdout
    made = entrepot("retention", "set", "spot-bucket", *where, "--rules", "-", input='[{"Match":["*"],"KeepNewest":1}]')
    assert "would take 2 tags" in made.stdout
    assert "app:v1" in made.stdout
    refused = entrepot("retention", "run", "spot-bucket", *where, input="n\n")
    assert (refused.returncode, "Delete 2 tags" in refused.stdout) == (130, True)
    fixed = entrepot("immutable", "set", "spot-bucket", *where, "--tag", "app:v1")
    assert fixed.returncode == 0, fixed.stderr
    assert "app:v1" in entrepot("immutable", "show", "spot-bucket", *where).stdout
    done = entrepot("retention", "run", "spot-bucket", *where, "--yes")
    assert (done.returncode, "1 tags are deleted." in done.stdout) == (0, True)
    assert "uhub" in entrepot("retention", "set", "--help").stdout
    assert entrepot("retention", "set", "spot-bucket", *where, "--preset", "uhub").returncode == 0
    assert "800" in entrepot("retention", "show", "spot-bucket", *where).stdout
    assert entrepot("retention", "set", "spot-bucket", *where, "--off").returncode == 0
    assert entrepot("immutable", "set", "spot-bucket", *where, "--off").returncode == 0
    for wrong in (
        ["retention", "set", "spot-bucket"],
        ["retention", "set", "spot-bucket", "--off", "--newest", "1"],
        ["retention", "set", "spot-bucket", "--newest", "1", "--preset", "uhub"],
        ["retention", "set", "spot-bucket", "--match", "v[1-9]", "--newest", "1"],
        ["immutable", "set", "spot-bucket", "--except", "v1"],
    ):
        answer = entrepot(*wrong, *where)
        assert (answer.returncode, answer.stderr.count("\n")) == (2, 1), answer.stderr


def _push_empty(live: Live, path: str) -> None:
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
    login = base64.b64encode(f"{live.email}:{live.password}".encode()).decode()
    connection = http.client.HTTPConnection("127.0.0.1", live.port)
    headers = {"Authorization": f"Basic {login}", "Content-Type": str(index["mediaType"])}
    connection.request("PUT", f"/v2/{path}", json.dumps(index), headers)
    assert connection.getresponse().status == 201
    connection.close()


def test_the_shell_finishes_commands_and_values() -> None:
    script = entrepot("completion", "bash")
    assert (script.returncode, "_ENTREPOT_COMPLETE=bash_complete" in script.stdout) == (0, True)

    def offered(*words: str) -> list[str]:
        environ = {**os.environ, "_ENTREPOT_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("entrepot", *words)),
                   "COMP_CWORD": str(len(words))}  # fmt: skip
        code = "import sys; sys.argv = ['entrepot']; from entrepot.cli.main import main; main()"
        done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
        return [line.partition(",")[2] for line in done.stdout.splitlines()]

    assert "quota" in offered("q")
    assert "GetImageBucketList" in offered("api", "GetImage")
    assert offered("api", "GetImageBucketList", "--BucketType", "S") == ["Share"]
    assert "cn-bj2" in offered("api", "GetImageBucketList", "--Region", "cn-bj")


def test_robots_on_the_spot(tmp_path: Path) -> None:
    data = ["--data", str(tmp_path / "data")]
    entrepot("init", *data, "--email", "main@example.com")
    entrepot("bucket", "create", "depot", *data)
    robot = ("bucket", "robot")
    told = entrepot(*robot, "create", "depot", "ci", "--rights", "pull,push", "--days", "30", *data)
    assert "docker login HOST -u 'robot$depot+ci'" in told.stdout
    made = json.loads(entrepot(*robot, "create", "depot", "cd", *data, "--json").stdout)
    assert made["LoginName"] == "robot$depot+cd"
    assert made["Secret"] not in told.stdout
    listed = json.loads(entrepot(*robot, "list", "depot", *data, "--json").stdout)
    assert [(one["Name"], one["Rights"], one["Status"], one["Expires"]) for one in listed] == [
        ("cd", "pull", "Active", "never"),
        ("ci", "pull push", "Active", listed[1]["Expires"]),
    ]
    assert entrepot(*robot, "update", "depot", "ci", "--disable", "--rights", "delete", *data).returncode == 0
    assert entrepot(*robot, "update", "depot", "ci", "--days", "0", *data).returncode == 0
    shown = entrepot(*robot, "list", "depot", *data).stdout
    assert "delete  Inactive  never" in shown
    for words, code, says in (
        (("create", "depot", "ci"), 1, "exists already"),
        (("create", "depot", "C I"), 2, "lower-case"),
        (("create", "depot", "x", "--rights", "admin"), 2, "pull, push, delete"),
        (("create", "nowhere", "x"), 1, "nowhere"),
        (("update", "depot", "ci"), 2, "--enable"),
        (("update", "depot", "none", "--enable"), 1, "no such robot"),
        (("delete", "depot", "none"), 1, "no such robot"),
    ):
        done = entrepot(*robot, *words, *data)
        assert (done.returncode, says in done.stderr, done.stderr.count("\n")) == (code, True, 1), done.stderr
    assert entrepot(*robot, "delete", "depot", "ci", *data).returncode == 0
    assert entrepot("bucket", "delete", "depot", *data).returncode == 0, "its robots go with it"
