"""ucloud-sdk-python3, unchanged, and curl against a running hub: all ten actions, every transport."""

import json
import os
import subprocess
from typing import Any
from urllib.parse import urlencode

import pytest
from ucloud.client import Client
from ucloud.core import exc

from entrepot.client.actions import ActionsClient
from tests.conftest import Live

ACTIONS = {
    "GetRegion": {}, "ListRegions": {}, "ListZones": {"Region": "cn-bj2"}, "GetProjectList": {}, "GetUserInfo": {},
    "CreateDockerImageBucket": {"BucketName": "made-by-sdk"}, "GetImageBucketList": {"BucketName": "", "Limit": 20},
    "GetDockerImageList": {"BucketName": "made-by-sdk"}, "GetAllImages": {},
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if "proxy" in name.lower():
            monkeypatch.delenv(name)


def sdk(live: Live, **more: Any) -> Client:
    return Client(
        {
            "region": "cn-bj2",
            "project_id": live.project_id,
            "base_url": live.url,
            "public_key": live.public_key,
            "private_key": live.private_key,
            **more,
        }
    )


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_generic_invoke_of_all_ten_actions(live: Live) -> None:
    client = sdk(live)
    for action, params in ACTIONS.items():
        answer = client.invoke(action, params)
        assert (answer["RetCode"], answer["Action"]) == (0, f"{action}Response")
    with pytest.raises(exc.RetCodeException) as refused:
        client.invoke(
            "DeleteImage",
            {"BucketName": "made-by-sdk", "ImageName": "none", "Tag": [f"v{place}" for place in range(12)]},
        )
    assert refused.value.code == 43045
    assert "测试" not in str(refused.value)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_wrong_keys_as_the_sdk_tells_them(live: Live) -> None:
    for changed, code in (({"public_key": "unknown"}, 172), ({"private_key": "wrong"}, 171)):
        with pytest.raises(exc.RetCodeException) as refused:
            sdk(live, **changed).invoke("GetImageBucketList")
        assert refused.value.code == code


def test_base_url_with_a_path(live: Live) -> None:
    for path in ("/api", "/api/", "/?from=here"):
        client = ActionsClient(live.url + path, live.public_key, live.private_key)
        assert client.call("GetRegion")["RetCode"] == 0


def test_curl_with_get_form_and_json(live: Live) -> None:
    signed = ActionsClient(live.url, live.public_key, live.private_key).signed(
        "GetImageBucketList", Region="cn-bj2", BucketName=""
    )
    calls = [
        [f"{live.url}/?{urlencode(signed)}"],
        ["-d", urlencode(signed), live.url],
        ["-H", "Content-Type: application/json", "-d", json.dumps(signed), live.url],
        ["-d", json.dumps(signed), f"{live.url}/?Action=GetImageBucketList"],
    ]
    for words in calls:
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", *words], capture_output=True, text=True, check=False)
        assert json.loads(done.stdout)["RetCode"] == 0, (words, done.stdout, done.stderr)
