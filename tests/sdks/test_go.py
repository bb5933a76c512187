"""ucloud-sdk-go, unchanged: typed and generic calls, its form encoder and its JSON encoder."""

import json
from pathlib import Path
from typing import Any

import pytest

from entrepot.model.flow.kinds import KINDS
from tests.clients.conftest import run
from tests.model.flow.kit import every_type
from tests.sdks.conftest import HERE, Shop, built, kept, need

pytestmark = [pytest.mark.clients]
ENCODERS = pytest.mark.parametrize("as_json", [False, True], ids=["form", "json"])
TAGS = [f"v{place}" for place in range(12)]


@pytest.fixture(scope="session")
def program() -> Path:
    need("go")
    made = kept("go") / "sdk"
    built(run("go", "build", "-o", str(made), ".", cwd=HERE / "go", timeout=600))
    return made


class Go:
    """The program with one hub and one encoder."""

    def __init__(self, program: Path, shop: Shop, as_json: bool) -> None:
        self.program, self.env, self.as_json = program, shop.env, as_json

    def __call__(self, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Each call is told as {"answer": ...} or {"error": ...}."""
        orders = [json.dumps({"call": name, "json": self.as_json, "with": params}) for name, params in calls]
        done = run(str(self.program), env=self.env, input="\n".join(orders))
        assert done.returncode == 0, done.stderr
        # The SDK's own log goes to standard output too.
        lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert len(lines) == len(calls), done.stderr
        return lines

    def one(self, name: str, **params: Any) -> dict[str, Any]:
        [line] = self((name, params))
        return line

    def good(self, name: str, **params: Any) -> dict[str, Any]:
        line = self.one(name, **params)
        assert "error" not in line, line
        answer: dict[str, Any] = line["answer"]
        return answer

    def bad(self, name: str, **params: Any) -> dict[str, Any]:
        error: dict[str, Any] = self.one(name, **params)["error"]
        return error


@pytest.fixture
def go(program: Path, shop: Shop, as_json: bool) -> Go:
    return Go(program, shop, as_json)


@ENCODERS
def test_life_of_a_repository_in_typed_calls(go: Go, shop: Shop, as_json: bool) -> None:
    name = f"go-repo-{'json' if as_json else 'form'}"
    made = go.good("CreateRepo", RepoName=name, IsShared=False, Description="测试 镜像+仓库 & more")
    assert (made["RetCode"], made["Action"], made["Message"]) == (0, "CreateRepoResponse", "")
    digests = shop.push(f"{name}/app", "v1", "v2")

    def private() -> list[dict[str, Any]]:
        return [one for one in go.good("GetRepo", Type="private", Limit=1000)["RepoSet"] if one["RepoName"] == name]

    [repo] = private()
    assert (repo["IsShared"], repo["IsOutSide"]) == ("false", "true")
    assert repo["Description"] == "测试 镜像+仓库 & more"
    assert repo["CreateTime"].endswith("Z")
    images = go.good("GetRepoImage", RepoName=name, Limit=5, Offset=0)
    assert images["TotalCount"] == 1
    assert {"ImageName": "app", "RepoName": name, "LatestTag": "v2", "PullCount": 0}.items() <= images["ImageSet"][
        0
    ].items()
    tags = go.good("GetImageTag", RepoName=name, ImageName="app")
    assert tags["TotalCount"] == 2
    assert [(one["TagName"], one["Digest"]) for one in tags["TagSet"]] == list(zip(["v1", "v2"], digests, strict=True))
    assert [
        one["TagName"] for one in go.good("GetImageTag", RepoName=name, ImageName="app", TagName="v2")["TagSet"]
    ] == ["v2"]

    go.good("UpdateRepo", RepoName=name, Description="told anew")
    assert [one["Description"] for one in private()] == ["told anew"]
    go.good("UpdateRepo", RepoName=name, IsShared="true")
    assert private() == []
    assert name in [one["RepoName"] for one in go.good("GetRepo", Type="public", Limit=1000)["RepoSet"]]

    assert go.bad("DeleteRepo", RepoName=name)["code"] == 1010
    go.good("DeleteRepoImage", RepoName=name, ImageName="app", TagName="v1")
    assert shop.tags(name, "app") == ["v2"]
    go.good("DeleteRepoImage", RepoName=name, ImageName="app")
    go.good("DeleteRepo", RepoName=name)
    assert go.bad("GetRepoImage", RepoName=name)["code"] == 1030


@ENCODERS
def test_refusals_as_typed_calls_tell_them(go: Go, as_json: bool) -> None:
    name = f"go-twice-{'json' if as_json else 'form'}"
    go.good("CreateRepo", RepoName=name)
    again = go.bad("CreateRepo", RepoName=name)
    # CreateRepoResponse has a Message of its own that hides the common one: only the code survives in the SDK.
    assert (again["name"], again["code"], again["status"], again["retryable"]) == (
        "server.RetCodeError", 1031, 200, False,
    )  # fmt: skip
    missing = go.bad("GetRepoImage", RepoName="go-nowhere")
    assert (missing["code"], missing["retryable"]) == (1030, False)
    assert "go-nowhere" in missing["message"]
    assert go.bad("GetRepo", Type="other")["code"] == 230
    go.good("DeleteRepo", RepoName=name)


@ENCODERS
def test_generic_calls(go: Go, shop: Shop, as_json: bool) -> None:
    name = f"go_generic_{'json' if as_json else 'form'}"
    made = go.good("invoke", Action="CreateDockerImageBucket", BucketName=name)
    assert made["payload"]["Action"] == "CreateDockerImageBucketResponse"
    assert len(made["uuid"]) == 36
    listed = go.good("invoke", Action="GetImageBucketList", BucketName=name, BucketType="User", Limit=5, Offset=0)
    [bucket] = listed["payload"]["ImageSet"]
    assert (listed["payload"]["TotalCount"], bucket["BucketName"], bucket["BucketType"]) == (1, name, "Private")
    everything = go.good("invoke", Action="GetImageBucketList", BucketName="", Limit=1000)["payload"]
    assert name in [one["BucketName"] for one in everything["ImageSet"]]

    shop.push(f"{name}/app", *TAGS, "kept")
    gone = go.good("invoke", Action="DeleteImage", BucketName=name, ImageName="app", Tag=TAGS)
    assert gone["payload"]["RetCode"] == 0
    assert shop.tags(name, "app") == ["kept"]
    refused = go.bad("invoke", Action="DeleteImage", BucketName=name, ImageName="app", Tag=["v1"])
    assert (refused["code"], refused["message"][:24]) == (43045, "DeleteImageNotExsitError")

    # Numbers and booleans of every kind are signed as text.
    odd = {"Ratio": 0.5, "Whole": 42.0, "Small": 1e-7, "Big": 1e21, "Yes": True, "No": False, "Text": "a=b&c +%"}
    assert go.good("invoke", Action="GetRegion", **odd)["payload"]["RetCode"] == 0


def test_nested_values_of_the_json_encoder(program: Path, shop: Shop) -> None:
    go = Go(program, shop, as_json=True)
    nested = {
        "Disks": [{"Size": 20, "Type": "a"}, {"Size": 0.5, "Tags": ["x", ["y", True]]}],
        "Map": {"b": 1, "a": "2"},
    }
    assert go.good("invoke", Action="GetRegion", Empty=[], Nothing={}, Null=None, **nested)["payload"]["RetCode"] == 0


@ENCODERS
def test_the_account_in_typed_calls(go: Go, shop: Shop, as_json: bool) -> None:
    regions = go.good("GetRegion")["Regions"]
    assert [(one["Region"], one["Zone"]) for one in regions if one["IsDefault"]] == [("cn-bj2", "cn-bj2-01")]
    projects = go.good("GetProjectList")
    assert projects["ProjectCount"] == len(projects["ProjectSet"])
    [default] = [one for one in projects["ProjectSet"] if one["IsDefault"]]
    assert (default["ProjectId"], default["ProjectName"]) == (shop.live.project_id, "Default")
    assert default["CreateTime"] > 1_700_000_000
    [user] = go.good("GetUserInfo")["DataSet"]
    assert (user["UserEmail"], user["AuthState"], user["Admin"]) == (shop.live.email, "CERTIFIED", 1)
    users = go.good("ListUsers", Limit="100", Offset="0")
    assert users["TotalCount"] == len(users["Users"]) >= 1
    assert shop.live.email in [one["Email"] for one in users["Users"]]
    assert go.good("ListUsers", Limit="0")["Users"] in ([], None)
    assert go.bad("ListUsers", Limit="101")["code"] == 230


@ENCODERS
def test_a_workflow_with_every_type_of_step(go: Go, shop: Shop, as_json: bool) -> None:
    """The typed call encodes the template itself; what the generic one brings back is saved again, unchanged."""
    space = shop.call("CreateSFNamespace", Namespace="by-go")["NamespaceId"]
    text = json.dumps(every_type(), ensure_ascii=False)
    place = {"Namespace": space, "WorkflowName": "every"}
    assert {one["Type"] for one in every_type()["Activities"]} == set(KINDS)
    assert go.good("CreateSFWorkflowFromTemplate", **place, Workflow=text)["Version"] == 1
    for version in (1, 2):
        got = go.good("invoke", Action="GetSFWorkflowTemplate", WorkflowId=f"{space}.every", WorkflowVersion=version)
        found = got["payload"]["Workflow"]
        assert found["Activities"] == found["Activites"] == every_type()["Activities"]
        assert (found["Input"], found["Output"]) == (every_type()["Input"], every_type()["Output"])
        if version == 1:
            again = go.good("CreateSFWorkflowFromTemplate", **place, Workflow=json.dumps(found))
            assert again["Version"] == 2
    broken = text.replace('"Next": "api"', '"Next": "nowhere"')
    refused = go.bad("CreateSFWorkflowFromTemplate", **place, Workflow=broken)
    assert refused["code"] == 1051, refused
    shop.call("DeleteSFWorkflow", WorkflowId=f"{space}.every")
    shop.call("DeleteSFNamespace", Namespace=space)


@ENCODERS
def test_wrong_keys_and_a_strange_project(program: Path, shop: Shop, as_json: bool) -> None:
    for changed, code in (({"HUB_PRIVATE_KEY": "wrong"}, 171), ({"HUB_PUBLIC_KEY": "unknown"}, 172),
                          ({"HUB_PROJECT": "org-nowhere"}, 292)):  # fmt: skip
        go = Go(program, shop, as_json)
        go.env = {**go.env, **changed}
        refused = go.bad("GetUserInfo")
        assert (refused["code"], refused["status"]) == (code, 200)
        assert refused["message"]
