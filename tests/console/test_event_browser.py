"""Events in a real browser: a webhook with a receiver that breaks, and a trigger whose run begins by a push."""

# ruff: noqa: F811 - fixtures of other files are imported, then asked for by name
import json
import re

import pytest
from playwright.sync_api import Browser, Page, expect

from entrepot.console.design import encode
from entrepot.flows.deliveries import SIGNATURE, sign
from tests.conftest import Live
from tests.console.test_browser import api_of, browser, bucket, faults, opened, push, sign_in, watched  # noqa: F401
from tests.events.test_triggers import tell
from tests.flows.conftest import World, world  # noqa: F401

pytestmark = pytest.mark.clients
WORDS = {
    "en": {"webhooks": "Webhooks", "create": "Create a webhook", "pushed": "tag pushed", "test": "Send a test",
           "took": "The receiver took the test", "delivered": "delivered", "waiting": "waiting", "again": "Send again",
           "done": "Done: ", "trigger": "Create an event trigger", "result": "run", "by event": "by event",
           "success": "done"},
    "zh": {"webhooks": "Webhook", "create": "创建 Webhook", "pushed": "推送新标签", "test": "发送测试",
           "took": "接收方已接收测试事件", "delivered": "已投递", "waiting": "等待", "again": "重新投递",
           "done": "已完成：", "trigger": "创建事件触发器", "result": "运行", "by event": "事件", "success": "成功"},
}  # fmt: skip
DUE = 40_000
"""Milliseconds until a delivery that failed once has surely been tried again."""


@pytest.fixture
def page(browser: Browser, live: Live, bucket: str, faults: list[str], request: pytest.FixtureRequest) -> Page:
    """Somebody signed in, in the test's language, with a bucket."""
    api_of(live).call("CreateRepo", RepoName=bucket)
    lang = request.getfixturevalue("lang")
    made = watched(opened(browser, lang, viewport={"width": 1280, "height": 900}).new_page(), faults)
    sign_in(made, live, lang)
    return made


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_webhook_whose_receiver_breaks(page: Page, live: Live, bucket: str, world: World, lang: str) -> None:
    words = WORDS[lang]
    page.goto(f"{live.url}/console/bucket?name={bucket}")
    page.get_by_role("link", name=words["webhooks"], exact=True).click()
    page.fill("#Url", f"{world.url}/hook")
    page.get_by_label(words["pushed"], exact=True).check()
    page.get_by_role("button", name=words["create"]).click()
    secret = page.locator(".secret code").inner_text()
    page.get_by_role("link", name=f"{world.url}/hook").click()
    expect(page.get_by_text(secret)).to_have_count(0)

    page.get_by_role("button", name=words["test"]).click()
    expect(page.get_by_role("status")).to_contain_text(words["took"])
    [(*_, headers, body)] = world.calls
    signature = headers[SIGNATURE]
    assert sign(secret, int(re.findall(r"^t=(\d+),", signature)[0]), body) == signature

    # What is pushed shows by itself: taken, then not taken, then taken at the next try.
    page.goto(page.url)
    push(live, f"{bucket}/app", "v1")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="v1", exact=True))
    expect(row).to_contain_text(words["delivered"])
    world.say["/hook"] = (500, {}, b"out of order")
    push(live, f"{bucket}/app", "v2")
    row = page.get_by_role("row").filter(has=page.get_by_role("link", name="v2", exact=True))
    expect(row).to_contain_text(words["waiting"])
    expect(row).to_contain_text("500")
    expect(row).to_contain_text("out of order")
    world.say.clear()
    expect(row).to_contain_text(words["delivered"], timeout=DUE)

    sent = len(world.calls)
    row.get_by_role("button", name=words["again"]).click()
    expect(page.get_by_role("status")).to_contain_text(words["done"])
    expect(row).to_contain_text(words["delivered"])
    assert (len(world.calls), world.calls[-1][3]) == (sent + 1, world.calls[-2][3])
    page.context.close()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_push_begins_a_run(page: Page, live: Live, bucket: str, world: World, lang: str) -> None:
    words, api = WORDS[lang], api_of(live)
    space = api.call("CreateSFNamespace", Namespace=f"on-push-{lang}")["NamespaceId"]
    api.call("CreateSFWorkflowFromTemplate", Region="cn-bj2", Namespace=space, WorkflowName="tell",
             Workflow=encode(json.dumps(tell(world))))  # fmt: skip
    flow = f"{space}.tell"
    api.call("PublishSFWorkflow", WorkflowId=flow)
    page.goto(f"{live.url}/stepflow/manage/triggers?id={flow}")
    page.fill("#Bucket", bucket)
    page.get_by_label(words["pushed"], exact=True).check()
    page.fill("#Match", "app:v*")
    page.get_by_role("button", name=words["trigger"]).click()
    expect(page.get_by_role("status")).to_contain_text(words["done"])

    push(live, f"{bucket}/app", "nightly", "v1")
    page.get_by_role("link", name=re.compile(rf"^{words['result']} [0-9a-f-]+$")).click()
    expect(page.locator("[data-live=run] .badge")).to_have_text(words["success"])
    expect(page.locator("[data-live=run]")).to_contain_text(words["by event"])
    [(*_, body)] = world.calls
    assert json.loads(body) == {"Kind": "image.pushed", "BucketName": bucket, "ImageName": "app", "TagName": "v1"}
    page.get_by_role("link", name=re.compile(rf"^{bucket} #\d+$")).click()
    expect(page.get_by_role("row").nth(1)).to_contain_text("app:v1")
    api.call("DeleteSFWorkflow", WorkflowId=flow)
    api.call("DeleteSFNamespace", Namespace=space)
    page.context.close()
