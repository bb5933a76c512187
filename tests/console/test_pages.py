"""Every page of the route table: who gets it, in both languages, under strict headers, with nothing of a tenant's in it
that could run."""

import json
from typing import Any

import pytest

from entrepot.console.pages import PAGES
from entrepot.console.statics import PREFIX
from entrepot.ops import people
from entrepot.store.db import Rows
from tests.conftest import Reply, TestHub
from tests.console.kit import Surfer, config_of, furnish, push_whole, signed_in, tags_of

ADMIN = {
    "/console/audit", "/console/users", "/console/user", "/console/policies", "/console/policy",
    "/console/roles", "/console/role", "/console/bucket/robots", "/console/jobs",
    "/console/bucket/events", "/console/bucket/webhooks", "/console/bucket/webhook", "/stepflow/manage/triggers",
    "/stepflow/manage", "/stepflow/manage/gallery", "/stepflow/manage/new", "/stepflow/manage/namespace",
    "/stepflow/manage/workflow", "/stepflow/manage/versions", "/stepflow/manage/runs", "/stepflow/manage/run",
}  # fmt: skip
"""What only an administrator sees."""
PULLER = {
    "/console/buckets", "/console/bucket", "/console/bucket/settings", "/console/image", "/console/image/history",
    "/console/manifest", "/console/bucket/retention", "/console/bucket/trash", "/console/trash",
}  # fmt: skip
"""What takes the right to pull."""
OURS = {
    "/console/bucket", "/console/bucket/settings", "/console/image", "/console/image/history", "/console/manifest",
    "/console/user", "/console/policy", "/console/role", "/console/bucket/robots", "/console/bucket/retention",
    "/console/bucket/trash", "/console/bucket/events", "/console/bucket/webhooks", "/console/bucket/webhook",
    "/stepflow/manage/triggers",
    "/stepflow/manage/namespace", "/stepflow/manage/workflow", "/stepflow/manage/versions", "/stepflow/manage/runs",
    "/stepflow/manage/run",
}  # fmt: skip
"""What names something of the owner's account."""
STRICT = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}


def check_headers(reply: Reply) -> None:
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    for name, value in STRICT.items():
        assert reply.headers[name] == value, name


def check_markup(reply: Reply) -> None:
    """No inline script or style, no address of another host, no handler, an id only once."""
    ids = []
    for tag, attrs in tags_of(reply):
        assert "style" not in attrs, attrs
        assert not [name for name in attrs if name.startswith("on")], attrs
        if tag in {"script", "link"}:
            address = attrs.get("src") or attrs.get("href") or ""
            assert address.startswith(PREFIX), attrs
        assert tag != "style"
        for name in ("href", "src", "action"):
            address = attrs.get(name) or ""
            assert not address.lower().startswith(("http", "//", "javascript", "data")), attrs
        if attrs.get("id"):
            ids.append(attrs["id"])
    assert len(ids) == len(set(ids)), sorted(one for one in ids if ids.count(one) > 1)


def test_the_matrix(hub: TestHub) -> None:
    """Each page, for everybody who could ask for it."""
    paths = furnish(hub)
    assert set(paths) == set(PAGES), "a page without its line in furnish()"
    owner = signed_in(hub, hub.main)
    worker = signed_in(hub, ("worker@1", "battery staple"))
    other = signed_in(hub, hub.user("other@example.com", other_account=True))
    gone = signed_in(hub, hub.user("gone@example.com", "pull", "admin"))
    hub.run(people.set_active(hub.hub, "gone@example.com", active=False))
    for page, path in paths.items():
        is_open = PAGES[page].is_open
        for nobody in (Surfer(hub), gone):
            reply = nobody.get(path)
            assert reply.status == (200 if is_open else 303), path
            assert is_open or reply.headers["location"].startswith("/console/login?next="), path
        if is_open:
            continue
        reply = owner.get(path)
        assert reply.status == 200, (path, reply.body.decode()[-2000:])
        check_headers(reply)
        check_markup(reply)
        assert worker.get(path).status == (403 if page in ADMIN | PULLER else 200), path
        foreign = other.get(path)
        assert foreign.status == (404 if page in OURS else 200), (path, foreign.status)
        told = foreign.body.decode()
        for name in (hub.public_key, "sha256:", *(["worker", "owned"] if page not in OURS else [])):
            assert name not in told, path
    hub.call("SetUserRights", UserName="worker", Right=["pull"])
    for page in PULLER:
        assert worker.get(paths[page]).status == 200, page
    hub.call("UpdateRepo", RepoName="owned", IsShared="true")
    for page in ("/console/bucket", "/console/image", "/console/manifest"):
        assert other.get(paths[page]).status == 200, page
        assert b'name="do" value="Delete' not in other.get(paths[page]).body


def test_the_page_of_the_main_user(hub: TestHub) -> None:
    reply = signed_in(hub, hub.main).get(f"/console/user?name={hub.email}")
    assert reply.status == 200
    assert b'name="do" value="DeleteUser"' not in reply.body


def test_every_page_in_both_languages(hub: TestHub) -> None:
    paths = furnish(hub)
    english, chinese = signed_in(hub, hub.main), signed_in(hub, hub.main, "zh-CN,zh;q=0.9")
    for path in paths.values():
        if PAGES[path.partition("?")[0]].is_open:
            pages = [Surfer(hub, lang).get(path).body.decode() for lang in ("en", "zh")]
        else:
            pages = [one.get(path).body.decode() for one in (english, chinese)]
        assert '<html lang="en"' in pages[0]
        assert '<html lang="zh-CN"' in pages[1]
        assert not any("一" <= mark <= "鿿" for mark in pages[0].replace("中文", ""))
    switched = english.get("/console/buckets?scope=User&lang=zh")
    assert (switched.status, switched.headers["location"]) == (303, "/console/buckets?scope=User")
    assert '<html lang="zh-CN"' in english.get("/console").body.decode()
    english.get("/console?theme=dark")
    assert 'data-theme="dark"' in english.get("/console").body.decode()
    english.get("/console?theme=%22%3E%3Cscript%3E&lang=xx")
    assert 'data-theme="dark"' in english.get("/console").body.decode()


XSS = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{777*91}}</textarea></title>"


def hostile(hub: TestHub) -> dict[str, str]:
    """XSS in every field that an image, a user or a client can set."""
    paths = furnish(hub)
    hub.call("UpdateRepo", RepoName="owned", Description=XSS)
    config = config_of(
        author=XSS, created=XSS, os=XSS, architecture=XSS, variant=XSS,
        config={"User": XSS, "WorkingDir": XSS, "Entrypoint": [XSS], "Cmd": [XSS], "Env": [XSS], "Labels": {XSS: XSS},
                "ExposedPorts": {XSS: {}}},
        history=[{"created": XSS, "created_by": XSS, "comment": XSS}, {"comment": XSS, "empty_layer": True}],
    )  # fmt: skip
    digest = push_whole(hub, "owned/app", "v1", config, hub.main, annotations={XSS: XSS}, artifactType=XSS)
    subject = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest, "size": 1}
    push_whole(hub, "owned/app", "sbom", config_of(), hub.main, artifactType=XSS, subject=subject)
    hub.call("UpdateUser", UserName="worker", DisplayName=XSS)
    hub.call("CreateUser", UserName="<i>name", AccessKeyStatus="Active", LoginProfileStatus="Inactive",
             Email="<b>@example.com", DisplayName=XSS)  # fmt: skip
    hub.call("UpdateAccessKey", AccessKeyID=hub.public_key, Description=XSS)
    hub.call("CreateProject", ProjectName="<script>alert(1)</script>")
    urn = paths["/console/policy"].partition("urn=")[2]
    document = json.dumps({"Version": "1", "Statement": [{"Effect": "Allow", "Action": "uhub:No", "Resource": "*"}]})
    hub.call("UpdateIAMPolicy", PolicyURN=urn, Document=document, Description=XSS)
    hub.call("DeleteRepo", RepoName=XSS)
    hub.call("DeleteRepoImage", RepoName="owned", ImageName=XSS)
    flow = paths["/stepflow/manage/triggers"].partition("id=")[2]
    hub.call("CreateSFTrigger", WorkflowId=flow, TriggerKind="Cron", Cron="0 0 * * *", Input=json.dumps({"Who": XSS}))
    url = "https://example.com/\"'><script>alert(1)</script>"
    assert hub.call("CreateBucketWebhook", BucketName="owned", Url=url)["RetCode"] == 0
    hub.run(hub.hub.db.write(answer_badly))
    return paths


def answer_badly(rows: Rows) -> None:
    """What a receiver, a run that was refused and a quota have said."""
    rows.run("UPDATE webhook_delivery SET tries = 1, tried_at = 1, status = 500, answer = :text", text=XSS)
    rows.run("UPDATE flow_trigger SET fired_at = 1, fault = :text", text=XSS)
    rows.run("UPDATE event SET detail = :text", text=json.dumps({"Reason": XSS, "Tags": [XSS], XSS: XSS}))


def unharmed(reply: Reply) -> None:
    check_markup(reply)
    assert b"70707" not in reply.body
    assert not [attrs for tag, attrs in tags_of(reply) if tag == "img"]
    scripts = [attrs for tag, attrs in tags_of(reply) if tag == "script"]
    assert all((attrs.get("src") or "").startswith(PREFIX) for attrs in scripts)


def test_nothing_of_a_tenant_runs(hub: TestHub) -> None:
    paths = hostile(hub)
    owner = signed_in(hub, hub.main)
    shown = 0
    for path in paths.values():
        reply = owner.get(path)
        unharmed(reply)
        shown += reply.body.count(b"&lt;script&gt;alert(1)")
    assert shown > 20, "the hostile texts are shown, escaped"


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_nothing_of_a_request_runs(hub: TestHub, lang: str) -> None:
    from urllib.parse import quote

    paths = furnish(hub)
    owner = signed_in(hub, hub.main, lang)
    bad = quote(XSS)
    for page, path in paths.items():
        for name in ("q", "name", "done", "offset", "before", "tag", "id", "kind", "state", "trigger",
                     "region", "scope", "reference", "key", "urn",
                     "p.BucketName", "user", "next", "group", XSS):  # fmt: skip
            reply = owner.get(f"{page}?{quote(name)}={bad}")
            assert reply.status in {200, 303, 400, 403, 404}, (page, name, reply.status)
            if reply.status != 303:
                unharmed(reply)
        reply = owner.get(path, host=XSS)
        if reply.status != 303:
            unharmed(reply)
        posted = owner.post(path, {"do": XSS, "RepoName": XSS, "UserName": XSS, "Document": XSS, "p.BucketName": XSS})
        if posted.status != 303:
            unharmed(posted)
    assert owner.get(f"/console/{bad}").status == 404
    unharmed(owner.get(f"/console/{bad}"))


def test_a_page_that_is_not_there(hub: TestHub) -> None:
    for surfer in (Surfer(hub), signed_in(hub, hub.main)):
        for path in ("/stepflow/manage/nothing", "/console/nothing", "/favicon.ico", "/console/static/none.css"):
            reply = surfer.get(path)
            assert reply.status == 404
            check_headers(reply)
            assert 'href="/console"' in reply.body.decode()


def test_static_files(hub: TestHub) -> None:
    page = Surfer(hub).get("/console/login").body.decode()
    for name, kind in (("style.css", "text/css"), ("console.js", "text/javascript"), ("icon.svg", "image/svg+xml")):
        address = page[page.index(PREFIX + name) :].partition('"')[0]
        reply = hub.request("GET", address)
        assert reply.status == 200
        assert reply.headers["content-type"].startswith(kind)
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in reply.headers["cache-control"]
        assert hub.request("GET", PREFIX + name).headers["cache-control"] == "no-cache"
        again = hub.request("GET", address, headers={"if-none-match": reply.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
    for path in ("/console/static/../app.py", "/console/static/%2e%2e/app.py", "/console/static/"):
        assert hub.request("GET", path).status == 404


def test_head_and_other_methods(hub: TestHub) -> None:
    head = hub.request("HEAD", "/console/login")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["content-length"]) > 1000
    assert hub.request("PUT", "/console/login").status == 405


def test_a_fault_of_ours_tells_a_number_and_nothing_else(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = signed_in(hub, hub.main)

    async def broken(*_: Any) -> Any:
        raise ValueError("secret-detail")

    monkeypatch.setitem(PAGES, "/console", PAGES["/console"]._replace(show=broken))
    reply = owner.get("/console")
    assert reply.status == 500
    assert b"secret-detail" not in reply.body
    check_headers(reply)
