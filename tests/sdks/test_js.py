"""UCloud's JavaScript SDK, unchanged: JSON bodies with dotted keys, and every failing call four times in a row.

The package is taken from NODE_PATH or from the kept folder: no registry that is used here serves it.
"""

import json
import os
from typing import Any

import pytest

from tests.clients.conftest import run
from tests.sdks.conftest import HERE, Shop, kept, need

pytestmark = [pytest.mark.clients]
PACKAGE = "@ucloud-sdks/ucloud-sdk-js"
TAGS = [f"v{place}" for place in range(12)]
REPEATS = 4
"""One call and three repeats at once, whatever was answered; the SDK cannot be told otherwise."""


class Js:
    def __init__(self, shop: Shop) -> None:
        self.node = need("node")
        folders = [folder for folder in os.environ.get("NODE_PATH", "").split(os.pathsep) if folder]
        self.env = {**shop.env, "NODE_PATH": os.pathsep.join([*folders, str(kept("js") / "node_modules")])}
        if run(self.node, "-e", f"require.resolve('{PACKAGE}')", cwd=HERE / "js", env=self.env).returncode != 0:
            pytest.skip(f"no npm package {PACKAGE} on this machine")

    def __call__(self, *calls: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        orders = json.dumps([{"call": name, "with": params} for name, params in calls])
        done = run(self.node, "main.js", cwd=HERE / "js", env=self.env, input=orders)
        assert done.returncode == 0, done.stderr
        told: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
        return told

    def good(self, name: str, **params: Any) -> dict[str, Any]:
        [told] = self((name, params))
        assert "error" not in told, told
        answer: dict[str, Any] = told["answer"]
        return answer

    def bad(self, name: str, **params: Any) -> dict[str, Any]:
        [told] = self((name, params))
        error: dict[str, Any] = told["error"]
        return error


@pytest.fixture
def js(shop: Shop) -> Js:
    return Js(shop)


def test_buckets(js: Js, shop: Shop) -> None:
    [made, listed] = js(
        ("CreateDockerImageBucket", {"BucketName": "made_by_js"}),
        ("GetImageBucketList", {"BucketName": "made_by_js", "BucketType": "User", "Limit": 5, "Offset": 0}),
    )
    assert (made["answer"]["RetCode"], made["answer"]["Action"]) == (0, "CreateDockerImageBucketResponse")
    assert len(made["requestId"]) == 36
    [bucket] = listed["answer"]["ImageSet"]
    assert (bucket["BucketName"], bucket["BucketType"], bucket["ImageCount"]) == ("made_by_js", "Private", 0)
    assert shop.trail("CreateDockerImageBucket", "made_by_js") == [0]


def test_values_of_every_kind(js: Js) -> None:
    nest = {"X": [{"Size": 0.5, "Names": ["a", "测试"]}, {"Size": 42.0}], "Yes": True, "No": False, "Null": None}
    numbers = {"Small": 1e-7, "Big": 1e21, "Half": 0.5, "Below": -0.25, "Whole": 42}
    assert js.good("GetImageBucketList", BucketName="", Limit=1, Nest=nest, **numbers)["RetCode"] == 0


def test_twelve_tags_are_deleted_in_one_call(js: Js, shop: Shop) -> None:
    shop.bucket("js_tags")
    shop.push("js_tags/app", *TAGS, "kept")
    assert js.good("DeleteImage", BucketName="js_tags", ImageName="app", Tag=TAGS)["RetCode"] == 0
    assert shop.tags("js_tags", "app") == ["kept"]


def test_the_account_in_typed_calls(js: Js, shop: Shop) -> None:
    [default] = [one for one in js.good("uaccount.getProjectList")["ProjectSet"] if one["IsDefault"]]
    assert default["ProjectId"] == shop.live.project_id
    regions = js.good("uaccount.getRegion")["Regions"]
    assert [one["Zone"] for one in regions if one["IsDefault"]] == ["cn-bj2-01"]


def test_a_refusal_shows_code_message_and_request_id(js: Js) -> None:
    refused = js.bad("GetDockerImageList", BucketName="js_nowhere")
    assert refused["retCode"] == 43023
    assert refused["message"].startswith("BucketNotExistError")
    assert len(refused["requestId"]) == 36


def test_wrong_keys(js: Js) -> None:
    for changed, code in (({"HUB_PRIVATE_KEY": "wrong"}, 171), ({"HUB_PUBLIC_KEY": "unknown"}, 172)):
        good = js.env
        js.env = {**good, **changed}
        assert js.bad("GetRegion")["retCode"] == code
        js.env = good
    assert js.good("GetRegion")["RetCode"] == 0, "a burst of refusals locks nobody out"


def test_the_repeats_of_a_failing_create_change_nothing(js: Js, shop: Shop) -> None:
    js.good("CreateDockerImageBucket", BucketName="js_twice")
    shop.push("js_twice/app", "v1")
    before = shop.call("GetImageBucketList", Region="cn-bj2", Limit=1000)
    refused = js.bad("CreateDockerImageBucket", BucketName="js_twice")
    assert refused["retCode"] == 43022
    assert shop.trail("CreateDockerImageBucket", "js_twice") == [43022] * REPEATS + [0]
    assert shop.call("GetImageBucketList", Region="cn-bj2", Limit=1000) == before
    assert shop.tags("js_twice", "app") == ["v1"]

    assert js.bad("CreateDockerImageBucket", BucketName="js_not valid")["retCode"] == 43025
    assert shop.trail("CreateDockerImageBucket", "js_not valid") == [43025] * REPEATS
    assert shop.call("GetImageBucketList", Region="cn-bj2", Limit=1000) == before


def test_the_repeats_of_a_failing_project_and_user_make_none(js: Js, shop: Shop) -> None:
    person = {"UserName": "js-user", "AccessKeyStatus": "Active", "LoginProfileStatus": "Inactive"}
    assert js.good("CreateUser", **person)["APIAccess"] is True
    before = shop.call("ListUsers", Limit=100)
    assert js.bad("CreateUser", **person)["retCode"] == 1023
    assert shop.trail("CreateUser", "js-user") == [1023] * REPEATS + [0]
    assert shop.call("ListUsers", Limit=100) == before
    assert len(shop.call("ListAccessKeys", UserName="js-user")["AccessKey"]) == 1
    shop.call("DeleteUser", UserName="js-user")
