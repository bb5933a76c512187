"""The `ucloud` command line, unchanged, found on the PATH: how a person points it at a hub and works with it.

No package registry that is used here serves it, so these tests build nothing: install it, and they run.
"""

import json
import re
from pathlib import Path

import pytest

from entrepot.model import signing
from tests.clients.conftest import run
from tests.sdks.conftest import Shop, need

pytestmark = [pytest.mark.clients]
KEY = "46f09bb9fab4f12dfc160dae12273d5332b5debe"
NOWHERE = "http://127.0.0.1:1"
"""A proxy that is none: whatever the client would send to UCloud ends here. Go asks no proxy for a loopback address."""


class Cli:
    """The command line with a home folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home, self.program = home, need("ucloud")

    def run(self, *words: str, typed: str = "") -> tuple[int, str]:
        done = run(
            self.program, *words, input=typed, cwd=self.home, timeout=60,
            env={"HOME": str(self.home), "HTTPS_PROXY": NOWHERE, "HTTP_PROXY": NOWHERE, "NO_COLOR": "1"},
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def good(self, *words: str, typed: str = "") -> str:
        code, text = self.run(*words, typed=typed)
        assert code == 0, (words, text)
        assert "RetCode" not in text or '"RetCode": 0' in text, (words, text)
        return text

    def profile(self, name: str) -> dict[str, object]:
        [found] = [
            one for one in json.loads((self.home / ".ucloud" / "config.json").read_text()) if one["profile"] == name
        ]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def bare(tmp_path: Path) -> Cli:
    return Cli(tmp_path)


@pytest.fixture
def cli(bare: Cli, shop: Shop) -> Cli:
    """With a profile for the hub."""
    text = bare.good(
        "config", "add", "--profile", "hub", "--base-url", f"{shop.live.url}/", "--public-key", shop.live.public_key,
        "--private-key", shop.live.private_key, "--active", "true", "--agree-upload-log", "false",
    )  # fmt: skip
    assert "rror" not in text
    return bare


def init(cli: Cli, shop: Shop, public_key: str, private_key: str) -> str:
    return cli.run("init", typed=f"{public_key}\n{private_key}\n{shop.live.url}/\nno\n")[1]


def test_init_asks_and_finds_region_project_and_user(bare: Cli, shop: Shop) -> None:
    text = init(bare, shop, shop.live.public_key, shop.live.private_key)
    assert "Configured default region:cn-bj2 zone:cn-bj2-01" in text
    assert f"Configured default project:{shop.live.project_id} Default" in text
    kept = bare.profile("default")
    assert (kept["region"], kept["zone"], kept["project_id"]) == ("cn-bj2", "cn-bj2-01", shop.live.project_id)
    assert kept["base_url"] == f"{shop.live.url}/"
    # In the run that asks, the client greets through its default address; in the next one through the profile's.
    text = bare.good("init")
    assert f"You are logged in as: [{shop.live.email}]" in text
    assert "Warning" not in text


def test_init_with_wrong_keys(bare: Cli, shop: Shop) -> None:
    assert "public key or private key is invalid." in init(bare, shop, "unknown", "wrong")
    text = init(bare, shop, shop.live.public_key, "wrong")
    assert "171" in text
    assert "Signature VerifyAC Error" in text


def test_config_add_fills_in_what_the_hub_tells(cli: Cli, shop: Shop) -> None:
    kept = cli.profile("hub")
    assert (kept["region"], kept["zone"], kept["project_id"]) == ("cn-bj2", "cn-bj2-01", shop.live.project_id)
    cli.good("config", "update", "--profile", "hub", "--region", "hk", "--zone", "hk-01")
    assert (cli.profile("hub")["region"], cli.profile("hub")["zone"]) == ("hk", "hk-01")
    assert "region[mars] is not exist" in cli.run("config", "update", "--profile", "hub", "--region", "mars")[1]
    assert cli.profile("hub")["region"] == "hk"


def test_region(cli: Cli, shop: Shop) -> None:
    shown = {one["Region"]: one["Zones"] for one in json.loads(cli.good("region", "--json"))}
    assert shown == {one["Region"]: one["Zone"] for one in shop.call("GetRegion")["Regions"]}
    assert shown["cn-bj2"] == "cn-bj2-01"


def test_life_of_a_project(cli: Cli, shop: Shop) -> None:
    def names() -> dict[str, str]:
        return {one["ProjectId"]: one["ProjectName"] for one in json.loads(cli.good("project", "list", "--json"))}

    assert names()[shop.live.project_id] == "Default"
    made = re.search(r'Project:"(org-\w+)" created', cli.good("project", "create", "--name", "网站 1"))
    assert made is not None
    project = made[1]
    assert names()[project] == "网站 1"
    assert f"Project:{project} updated" in cli.good("project", "update", "--id", project, "--name", "web")
    assert names()[project] == "web"
    assert f"Project:{project} deleted" in cli.good("project", "delete", "--id", project)
    assert project not in names()
    text = cli.run("project", "delete", "--id", project)[1]
    assert re.search(rf"292\b.*{project}", text), text


def test_api_calls(cli: Cli, shop: Shop) -> None:
    region = ("--Region", "cn-bj2")
    cli.good("api", "--Action", "CreateDockerImageBucket", *region, "--BucketName", "made_by_cli")
    answer = json.loads(cli.good("api", "--Action", "GetImageBucketList", *region, "--BucketName", "made_by_cli"))
    [bucket] = answer["ImageSet"]
    assert (answer["TotalCount"], bucket["BucketName"], bucket["BucketType"]) == (1, "made_by_cli", "Private")
    shop.push("made_by_cli/app", "v1", "v2", "v3")
    file = cli.home / "call.json"
    file.write_text(
        json.dumps({"Action": "DeleteImage", "Region": "cn-bj2", "BucketName": "made_by_cli", "ImageName": "app",
                    "Tag": ["v1", "v3"], "Limit": 5})
    )  # fmt: skip
    cli.good("api", "--local-file", str(file))
    assert shop.tags("made_by_cli", "app") == ["v2"]


def test_api_calls_that_fail_show_code_and_message(cli: Cli, shop: Shop) -> None:
    for words, told in (
        (["CreateDockerImageBucket", "--Region", "cn-bj2", "--BucketName", "x"], "43025 BucketNameNotValid"),
        (["GetDockerImageList", "--Region", "cn-bj2", "--BucketName", "cli_nowhere"], "43023 BucketNotExistError"),
        (["GetDockerImageList", "--Region", "cn-bj2"], "220 Missing params [BucketName]"),
        (["GetImageBucketList", "--Region", "mars"], "230 Params [Region] not available"),
        (["NoSuchAction"], "161 Action [NoSuchAction] not found"),
    ):
        code, text = cli.run("api", "--Action", *words)
        assert code == 1, text
        assert f"[server.RetCodeError] {told}" in text


def test_flags_that_api_sends_as_parameters(bare: Cli, shop: Shop) -> None:
    """`ucloud api` reads no flags of its own: --base-url and the keys are sent, and signed, like any parameter."""
    answer = json.loads(
        bare.good(
            "api", "--Action", "GetUserInfo", "--base-url", shop.live.url, "--public-key", shop.live.public_key,
            "--private-key", shop.live.private_key, "--timeout-sec", "15",
        )
    )  # fmt: skip
    assert answer["DataSet"][0]["UserEmail"] == shop.live.email


def test_a_failing_command_shows_the_code(cli: Cli, shop: Shop) -> None:
    for public_key, told in (
        (shop.live.public_key, "RetCode:171. Message:Signature VerifyAC Error"),
        ("unknown", "RetCode:172. Message:User Not Exists"),
    ):
        assert told in cli.run("region", "--public-key", public_key, "--private-key", "wrong")[1]


@pytest.mark.parametrize(
    "params",
    [
        {"Action": "GetImageBucketList", "Region": "cn-bj2"},
        {"Action": "GetImageBucketList", "Region": "cn-bj2", "BucketName": ""},
        {"Action": "CreateRepo", "RepoName": "demo", "IsShared": "true", "Description": "测试 镜像+仓库"},
        {"Action": "DeleteImage", **{f"Tag.{place}": f"v{place}" for place in range(12)}},
        {"Action": "X", "Ratio": "0.5", "a": "&%/?#", "Z": " x "},
    ],
)
def test_its_signature_is_ours(cli: Cli, params: dict[str, str]) -> None:
    words = [word for name, value in params.items() for word in ("-m", f"{name}={value}")]
    text = cli.good("signature", "-k", KEY, *words)
    assert f"Signature: {signing.sign(params, KEY)}" in text
    assert f"ParamStr: {signing.canonical(params)}{KEY}" in text
