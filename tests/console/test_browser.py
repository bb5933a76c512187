"""The console in a real browser: Debian's Chromium, driven by Playwright, against a running hub."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from entrepot.api.samples import PRIVATE_KEY, PUBLIC_KEY
from entrepot.client.actions import ActionError, ActionsClient
from tests.clients.pushing import Pusher, push_image
from tests.conftest import Live

pytestmark = pytest.mark.clients
WORDS = {
    "en": {"sign in": "Sign in", "create": "Create", "share": "Share it with everybody", "send": "Send",
           "key": "Create a key", "ask key": "Edit or delete…", "delete": "Delete", "ask tag": "Delete this tag…",
           "delete tag": "Delete the tag", "restore": "Point the tag here", "done": "Done: "},
    "zh": {"sign in": "登录", "create": "创建", "share": "公开给所有人", "send": "发送", "key": "创建密钥",
           "ask key": "编辑或删除…", "delete": "删除", "ask tag": "删除该标签…", "delete tag": "删除标签",
           "restore": "恢复到此", "done": "已完成："},
}  # fmt: skip
PATHS = (
    "/console", "/console/account", "/console/audit", "/console/buckets", "/console/bucket?name={bucket}",
    "/console/bucket/settings?name={bucket}", "/console/image?bucket={bucket}&name=app",
    "/console/image/history?bucket={bucket}&name=app", "/console/manifest?bucket={bucket}&image=app&reference=v1",
    "/console/projects", "/console/users", "/console/user?name={user}", "/console/policies",
    "/console/policy?urn=ucs:iam::ucs:policy/UHubFullAccess", "/uapi/apikey", "/uapi/ucloudapi",
    "/uapi/detail?id=GetImageBucketList", "/uapi/detail?id=DeleteImage", "/uapi/detail?id=CreateIAMPolicy",
    "/console/bucket/robots?name={bucket}", "/console/bucket/retention?name={bucket}&preview=1",
    "/console/bucket/trash?name={bucket}", "/console/trash", "/console/jobs", "/console/roles",
    "/console/role?name={bucket}",
    "/console/bucket/events?name={bucket}", "/console/bucket/webhooks?name={bucket}",
    "/console/bucket/webhook?name={bucket}&id={hook}",
    "/console/logout",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as driver:
        # Chromium's own sandbox does not start as root, as which CI runs.
        made = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield made
        made.close()


@pytest.fixture
def bucket(live: Live, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a bucket that the test makes, or has made; it goes with the test."""
    name = re.sub("[^a-z0-9]+", "-", f"web-{request.node.name}".lower())[:30].strip("-")
    api = ActionsClient(live.url, live.public_key, live.private_key)
    yield name
    for image in api.call("GetRepoImage", RepoName=name).get("ImageSet", []):
        api.call("DeleteRepoImage", RepoName=name, ImageName=image["ImageName"])
    api.call("DeleteRepo", RepoName=name)


def api_of(live: Live) -> ActionsClient:
    return ActionsClient(live.url, live.public_key, live.private_key)


def push(live: Live, name: str, *tags: str) -> None:
    with Pusher(live.port, (live.email, live.password)) as hub:
        for tag in tags:
            push_image(hub, name, tag, os.urandom(2000))


def opened(browser: Browser, lang: str, **more: Any) -> BrowserContext:
    context = browser.new_context(locale="zh-CN" if lang == "zh" else "en-US", **more)
    context.set_default_timeout(20_000)
    return context


def sign_in(page: Page, live: Live, lang: str) -> None:
    page.goto(f"{live.url}/console")
    page.fill("#email", live.email)
    page.fill("#password", live.password)
    page.get_by_role("button", name=WORDS[lang]["sign in"]).click()
    page.wait_for_url(f"{live.url}/console")


@pytest.fixture
def faults() -> Iterator[list[str]]:
    """What the browser complains of; nothing may be there in the end."""
    found: list[str] = []
    yield found
    assert found == []


def watched(page: Page, faults: list[str]) -> Page:
    page.on("console", lambda line: faults.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("pageerror", lambda fault: faults.append(str(fault)))
    return page


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_from_sign_in_to_a_restored_tag(
    browser: Browser, live: Live, bucket: str, lang: str, faults: list[str]
) -> None:
    words = WORDS[lang]
    page = watched(opened(browser, lang).new_page(), faults)
    sign_in(page, live, lang)

    page.goto(f"{live.url}/console/buckets")
    page.fill("#RepoName", bucket)
    page.fill("#Description", "made in a browser")
    page.get_by_role("button", name=words["create"], exact=True).click()
    expect(page.get_by_role("status")).to_contain_text(words["done"])
    expect(page.get_by_role("heading", level=1)).to_have_text(bucket)

    # The page stays open; what is pushed meanwhile comes by itself.
    push(live, f"{bucket}/app", "v1")
    page.get_by_role("link", name="app", exact=True).click()
    expect(page.get_by_role("link", name="v1", exact=True)).to_be_visible()
    push(live, f"{bucket}/app", "v2")
    expect(page.get_by_role("link", name="v2", exact=True)).to_be_visible()

    page.goto(f"{live.url}/console/bucket/settings?name={bucket}")
    with Pusher(live.port, ("", "")) as nobody:
        nobody.headers = {}
        assert nobody.ask("GET", f"/v2/{bucket}/app/manifests/v1").status == 401
        page.get_by_role("button", name=words["share"]).click()
        expect(page.get_by_role("status")).to_contain_text(words["done"])
        assert nobody.ask("GET", f"/v2/{bucket}/app/manifests/v1").status == 200

    page.goto(f"{live.url}/console/manifest?bucket={bucket}&image=app&reference=v1")
    page.get_by_text(words["ask tag"]).click()
    page.get_by_role("button", name=words["delete tag"]).click()
    expect(page.get_by_role("status")).to_contain_text(words["done"])
    expect(page.get_by_role("link", name="v1", exact=True)).to_have_count(0)
    page.goto(f"{live.url}/console/image/history?bucket={bucket}&name=app&tag=v1")
    page.get_by_role("button", name=words["restore"]).first.click()
    page.goto(f"{live.url}/console/image?bucket={bucket}&name=app")
    expect(page.get_by_role("link", name="v1", exact=True)).to_be_visible()
    page.context.close()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_key_made_and_revoked(browser: Browser, live: Live, lang: str, faults: list[str]) -> None:
    words = WORDS[lang]
    page = watched(opened(browser, lang).new_page(), faults)
    sign_in(page, live, lang)
    page.goto(f"{live.url}/uapi/apikey")
    page.get_by_role("button", name=words["key"]).click()
    public, private = page.locator(".secret code").all_inner_texts()
    assert ActionsClient(live.url, public, private).call("GetRegion")["RetCode"] == 0
    row = page.get_by_role("row").filter(has_text=public)
    row.get_by_text(words["ask key"]).click()
    row.get_by_role("button", name=f"{words['delete']} {public}").click()
    expect(page.get_by_role("status")).to_contain_text(words["done"])
    expect(page.get_by_text(public)).to_have_count(0)
    with pytest.raises(ActionError) as refused:
        ActionsClient(live.url, public, private).call("GetRegion")
    assert refused.value.ret_code == 172
    page.context.close()


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_explorer_calls_and_its_samples_run(
    browser: Browser, live: Live, bucket: str, lang: str, tmp_path: Path, faults: list[str]
) -> None:
    api_of(live).call("CreateRepo", RepoName=bucket)
    page = watched(opened(browser, lang).new_page(), faults)
    sign_in(page, live, lang)
    page.goto(f"{live.url}/uapi/detail?id=GetImageBucketList")
    page.fill("[name='p.BucketName']", bucket)
    expect(page.locator("#canonical")).to_contain_text(f"BucketName{bucket}")
    page.get_by_role("button", name=WORDS[lang]["send"]).click()
    expect(page.locator("#answer .badge.good")).to_have_text("RetCode 0")
    answer = json.loads(page.locator("#answer pre").inner_text())
    assert answer == api_of(live).call("GetImageBucketList", Region="cn-bj2", BucketName=bucket)
    for title, program in (("curl", "sh"), ("Python", sys.executable)):
        text = page.locator(f"details[data-key='{title}'] code").text_content() or ""
        text = text.replace(PUBLIC_KEY, live.public_key).replace(PRIVATE_KEY, live.private_key)
        script = tmp_path / title
        script.write_text(text, "utf-8")
        done = subprocess.run([program, str(script)], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert bucket in done.stdout
    page.context.close()


def test_rows_and_a_signature_that_never_leaves_the_browser(browser: Browser, live: Live, faults: list[str]) -> None:
    page = watched(opened(browser, "en").new_page(), faults)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.post_data or ""))
    sign_in(page, live, "en")
    page.goto(f"{live.url}/uapi/detail?id=DeleteImage")
    page.fill("[name='p.Tag.0']", "one")
    page.get_by_role("button", name="Add a row").click()
    page.fill("[name='p.Tag.1']", "two")
    page.get_by_role("button", name="Remove Tag.0").click()
    expect(page.locator("[name='p.Tag.0']")).to_have_value("two")
    expect(page.locator("[name='p.Tag.1']")).to_have_count(0)
    page.select_option("#key", live.public_key)
    expect(page.locator("#canonical")).to_contain_text(live.public_key)
    page.fill("#private", live.private_key)
    expect(page.locator("#signed")).to_have_text(re.compile("^[0-9a-f]{40}$"))
    assert not [one for one in sent if live.private_key in one]
    page.context.close()


def test_everything_but_live_parts_works_without_scripts(browser: Browser, live: Live, bucket: str) -> None:
    page = opened(browser, "en", java_script_enabled=False).new_page()
    sign_in(page, live, "en")
    page.goto(f"{live.url}/console/buckets")
    page.fill("#RepoName", bucket)
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(bucket)
    page.goto(f"{live.url}/uapi/detail?id=UpdateRepo")
    page.fill("[name='p.RepoName']", bucket)
    page.fill("[name='p.Description']", "without a script")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("tick the box")
    expect(page.locator("[name='p.Description']")).to_have_value("without a script")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("#answer .badge.good")).to_be_visible()
    page.locator("summary").filter(has_text=live.email).click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    page.context.close()


@pytest.mark.parametrize("look", ["light", "dark", "medium", "narrow"])
def test_every_page_is_accessible_and_fits(
    browser: Browser, live: Live, bucket: str, look: str, faults: list[str]
) -> None:
    api_of(live).call("CreateRepo", RepoName=bucket, Description="described")
    hook = listen(live, bucket)
    push(live, f"{bucket}/app", "v1")
    keep(live, bucket)
    size = {"width": {"narrow": 360, "medium": 1000}.get(look, 1280), "height": 800}
    lang = "zh" if look == "dark" else "en"
    context = opened(browser, lang, viewport=size, color_scheme="dark" if look == "dark" else "light")
    page = watched(context.new_page(), faults)
    page.goto(f"{live.url}/console/login")
    check(page, "sign in")
    sign_in(page, live, lang)
    for path in PATHS:
        reply = page.goto(live.url + path.format(bucket=bucket, user=live.email, hook=hook))
        assert reply is not None
        assert reply.status == 200, path
        for fold in page.locator("main details:not([name])").all():
            fold.evaluate("one => { one.open = true; }")
        check(page, path)
    context.close()


def listen(live: Live, bucket: str) -> str:
    """The id of a webhook whose receiver is not there, so that the pages of events have something to show."""
    given = {"Url": "http://127.0.0.1:9/a-path-of-some-length/to-the-receiver", "Match": ["app:v*"]}
    return str(api_of(live).call("CreateBucketWebhook", BucketName=bucket, **given)["WebhookId"])


def keep(live: Live, bucket: str) -> None:
    """Something for the pages of robots, retention, trash and roles to show."""
    api = api_of(live)
    push(live, f"{bucket}/old", "v1")
    push(live, f"{bucket}/app", "v2")
    api.call("DeleteRepoImage", RepoName=bucket, ImageName="old")
    api.call("CreateBucketRobot", BucketName=bucket, RobotName="continuous-integration", Permission=["Pull", "Push"])
    api.call("SetBucketRetention", BucketName=bucket, Rules='[{"Match": ["*"], "KeepNewest": 1}]')
    api.call("SetBucketImmutableTags", BucketName=bucket, Tag=["release-*"], ExceptTag=["release-*-rc*"])
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "ucs:iam::1:root"}
    if bucket in {one["RoleName"] for one in api.call("ListRoles", Limit=100)["Roles"]}:  # of another look
        api.call("DeleteRole", RoleName=bucket)
    api.call("CreateRole", RoleName=bucket, RolePolicyDocument=json.dumps({"Version": "1", "Statement": [trust]}))
    api.call("AttachPoliciesToRole", RoleName=bucket, PolicyURNs=["ucs:iam::ucs:policy/UHubFullAccess"])


def check(page: Page, path: str) -> None:
    told = Axe().run(page).response
    assert len(told["passes"]) > 10, "the rules were looked at"
    serious = [one for one in told["violations"] if one["impact"] in {"serious", "critical"}]
    assert not serious, (path, [(one["id"], one["nodes"][0]["html"]) for one in serious])
    cut = page.evaluate("[...document.querySelectorAll('table')].filter((t) => t.scrollWidth > t.clientWidth).length")
    assert not cut, f"a table of {path} is cut off"
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{path} is wider than the screen"


def test_the_keyboard_is_enough(browser: Browser, live: Live, faults: list[str]) -> None:
    page = watched(opened(browser, "en").new_page(), faults)
    page.goto(f"{live.url}/console/login")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    expect(page.locator(":focus")).to_have_id("main")
    page.keyboard.press("Tab")
    page.keyboard.type(live.email)
    page.keyboard.press("Tab")
    page.keyboard.type(live.password)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/console(#main)?$"))
    menu = page.locator("summary").filter(has_text=live.email)
    menu.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Account settings")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Account settings")).to_be_hidden()
    expect(menu).to_be_focused()
    page.context.close()
