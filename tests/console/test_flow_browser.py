"""Workflows in a real browser: from the gallery over a fault and a failed step to a run that ends well."""

# ruff: noqa: F811 - fixtures of other files are imported, then asked for by name
import json
import time
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.conftest import Live
from tests.console.test_browser import api_of, browser, bucket, check, faults, opened, push, sign_in, watched  # noqa: F401
from tests.flows.conftest import World, world  # noqa: F401

pytestmark = pytest.mark.clients
WORDS = {
    "en": {"create": "Create", "gallery": "From the gallery", "use": "Look and use Mirror nightly", "check": "Check",
           "save": "Save", "no step": "there is no step 'nowhere'; name the step that follows", "publish":
           "Publish version 1", "run": "Run…", "go": "Run", "failed": "failed", "done": "done",
           "again": "Run again from the failed step", "wrong": "To correct", "answer": "Whole answer"},
    "zh": {"create": "创建", "gallery": "从模板库创建", "use": "查看并使用 每晚镜像同步", "check": "检查",
           "save": "保存", "no step": "没有步骤 'nowhere'，请填写后续步骤的名称", "publish": "发布版本 1",
           "run": "运行…", "go": "运行", "failed": "失败", "done": "成功",
           "again": "从失败的步骤继续", "wrong": "需要修改", "answer": "完整响应"},
}  # fmt: skip


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_from_the_gallery_to_a_run_that_ends_well(
    browser: Browser,
    live: Live,
    bucket: str,
    world: World,
    lang: str,
    faults: list[str],
) -> None:
    words = WORDS[lang]
    api_of(live).call("CreateRepo", RepoName=bucket)
    push(live, f"{bucket}/app", "v1")
    page = opened(browser, lang, viewport={"width": 1280, "height": 900}).new_page()
    # A refused form answers with its status, which Chromium reports as an error of the console.
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    sign_in(page, live, lang)
    page.goto(f"{live.url}/stepflow/manage/")
    page.fill("#Namespace", f"web-{lang}")
    page.get_by_role("button", name=words["create"], exact=True).click()
    space = page.get_by_role("heading", level=1).inner_text()
    page.get_by_role("link", name=words["gallery"]).click()
    page.get_by_role("link", name=words["use"]).click()

    # Break it, and read the fault at its step, at its line and in the list.
    sound = page.locator("#Template").input_value()
    value = json.loads(sound)
    value["Activities"][8]["Next"] = "nowhere"
    page.fill("#Template", json.dumps(value, indent=2))
    page.get_by_role("button", name=words["save"], exact=True).click()
    expect(page.get_by_role("heading", name=words["wrong"])).to_be_visible()
    expect(page.locator("#faults li").first).to_contain_text(words["no step"])
    expect(page.locator(".code-lines li.wrong").first).to_contain_text("nowhere")
    expect(page.locator(".graph .node.bad title")).to_contain_text("order · HttpActivity")
    page.locator(".graph .node.bad").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#step-8")).to_be_in_viewport()

    # Fix, check, save, publish.
    page.fill("#Template", sound)
    page.get_by_role("button", name=words["check"], exact=True).click()
    expect(page.locator("#faults")).to_have_count(0)
    page.get_by_role("button", name=words["save"], exact=True).click()
    page.get_by_role("button", name=words["publish"]).click()
    expect(page.get_by_role("button", name=words["publish"])).to_have_count(0)

    # Run it against a mirror that is down, and open the step that failed.
    world.say["/pull"] = (404, {}, b"no such mirror")
    page.get_by_role("link", name=words["run"]).click()
    page.fill("[name='in.BucketName']", bucket)
    page.fill("[name='in.MirrorUrl']", f"{world.url}/pull")
    page.get_by_role("button", name=words["go"], exact=True).click()
    expect(page.locator("[data-live=run] .badge")).to_have_text(words["failed"])
    expect(page.locator(".graph .node.bad title")).to_contain_text("order")
    step = page.locator(".track li", has_text="order")
    step.locator("summary").click()
    expect(step).to_contain_text("no such mirror")
    expect(step).to_contain_text(f"{bucket}/app")

    # The mirror is back: go on from there, and watch the new run end.
    world.say["/pull"] = (200, {}, b'{"Pulled": true}')
    before = page.url
    page.get_by_role("button", name=words["again"]).click()
    page.wait_for_url(lambda url: url != before and "done=Rerun" in url)
    expect(page.locator("[data-live=run] .badge")).to_have_text(words["done"])
    step = page.locator(".track li", has_text="order")
    step.locator("summary").click()
    expect(step).to_contain_text(words["answer"])
    expect(step).to_contain_text('"Pulled": true')
    api_of(live).call("DeleteSFWorkflow", WorkflowId=f"{space}.mirror")
    api_of(live).call("DeleteSFNamespace", Namespace=space)
    page.context.close()


@pytest.mark.parametrize("look", ["light", "dark", "narrow"])
def test_every_page_of_workflows_is_accessible_and_fits(
    browser: Browser,
    live: Live,
    look: str,
    faults: list[str],
) -> None:
    size = {"width": 360 if look == "narrow" else 1280, "height": 900}
    lang = "zh" if look == "dark" else "en"
    context = opened(browser, lang, viewport=size, color_scheme="dark" if look == "dark" else "light")
    page = watched(context.new_page(), faults)
    sign_in(page, live, lang)
    api = api_of(live)
    space = api.call("CreateSFNamespace", Namespace=f"look-{look}")["NamespaceId"]
    paths = furnished(api, space)
    for path in paths:
        reply = page.goto(live.url + path)
        assert reply is not None
        assert reply.status == 200, path
        for fold in page.locator("main details:not([name])").all():
            fold.evaluate("one => { one.open = true; }")
        check(page, path)
    api.call("DeleteSFWorkflow", WorkflowId=f"{space}.prune")
    api.call("DeleteSFNamespace", Namespace=space)
    context.close()


def furnished(api: Any, space: str) -> list[str]:
    """A workflow that ran and failed, with triggers; the paths of its pages."""
    from entrepot.console.design import encode
    from entrepot.console.gallery import samples

    for text in (samples()["prune"].text, samples()["prune"].text.replace("planned", "to go")):
        api.call("CreateSFWorkflowFromTemplate", Region="cn-bj2", Namespace=space, WorkflowName="prune",
                 Workflow=encode(text))  # fmt: skip
    flow = f"{space}.prune"
    api.call("PublishSFWorkflow", WorkflowId=flow)
    run = api.call("RunSFWorkflow", WorkflowId=flow, Input='{"BucketName": "no-such-bucket"}')["InstanceId"]
    ended = (api.call("GetSFInstance", InstanceId=run)["Instance"]["EndTime"] for _ in range(200))
    assert any(one or time.sleep(0.1) for one in ended), "the run does not end"
    triggers = [
        api.call("CreateSFTrigger", WorkflowId=flow, **more)["TriggerId"]
        for more in (
            {"TriggerKind": "Event", "Event": ["quota.near", "image.pushed"], "Match": ["app:release-*"]},
            {"TriggerKind": "Cron", "Cron": "30 3 1 1 *", "TimeZone": "Asia/Shanghai"},
        )
    ]
    manage = "/stepflow/manage"
    return [
        manage, f"{manage}/gallery", f"{manage}/new?from=promote&namespace={space}", f"{manage}/namespace?id={space}",
        f"{manage}/workflow?id={flow}", f"{manage}/versions?id={flow}&left=1&right=2", f"{manage}/runs?id={flow}",
        f"{manage}/triggers?id={flow}", f"{manage}/triggers?id={flow}&trigger={triggers[0]}",
        f"{manage}/triggers?id={flow}&trigger={triggers[1]}",
        f"{manage}/run?id={run}",
    ]  # fmt: skip
