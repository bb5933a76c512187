"""The explorer: a form for every action, calls as the person who is signed in, no secret in any page."""

import html
import json
import re
import sys
from urllib.parse import quote

import pytest

from entrepot.api.declare import ACTIONS, fields
from entrepot.api.samples import PRIVATE_KEY, PUBLIC_KEY
from entrepot.model import signing
from entrepot.ops import people
from tests.conftest import Reply, TestHub
from tests.console.kit import Surfer, furnish, signed_in, tags_of
from tests.console.test_pages import check_markup


def answer_of(reply: Reply) -> dict[str, object]:
    text = reply.body.decode()
    found = re.search(r'id="answer".*?<pre tabindex="0"><code>(.*?)</code>', text, re.DOTALL)
    assert found, text[:3000]
    return dict(json.loads(html.unescape(found[1])))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_every_action_has_its_page(hub: TestHub, lang: str) -> None:
    owner = signed_in(hub, hub.main, lang)
    catalogue = owner.get("/uapi/ucloudapi").body.decode()
    for name, action in ACTIONS.items():
        assert f'href="/uapi/detail?id={name}"' in catalogue
        reply = owner.get(f"/uapi/detail?id={name}")
        assert reply.status == 200, name
        check_markup(reply)
        page = html.unescape(reply.body.decode())
        names = {attrs.get("name") for _, attrs in tags_of(reply)}
        for field in fields(action.request):
            assert (field.zh if lang == "zh" else field.en) in page
            assert f"p.{field.name}" in names or field.is_list
            assert not field.is_list or f'value="add:{field.name}"' in page
        for field in fields(action.request.returns):
            assert (field.zh if lang == "zh" else field.en) in page
        assert ("confirm" in names) is not action.safe
    assert owner.get("/uapi/detail?id=Nothing").status == 404


def test_the_catalogue_is_searched_in_both_languages(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)

    def found(query: str) -> set[str]:
        return set(re.findall(r"/uapi/detail\?id=(\w+)", owner.get(f"/uapi/ucloudapi?{query}").body.decode()))

    assert "GetImageBucketList" in found("q=bucketlist")
    assert found("q=" + quote("恢复标签")) == {"RestoreTag"}
    assert found("group=STS") == {"AssumeRole"}
    assert found("q=no+such+word+anywhere") == set()


def test_a_call_is_the_same_as_through_the_api(hub: TestHub) -> None:
    furnish(hub)
    owner = signed_in(hub, hub.main)
    form = {"do": "send", "p.Region": "cn-bj2", "p.BucketType": "User", "p.Limit": "", "p.BucketName": ""}
    reply = owner.post("/uapi/detail?id=GetImageBucketList", form)
    assert answer_of(reply) == hub.call("GetImageBucketList", Region="cn-bj2", BucketType="User")
    assert re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-4", reply.body.decode()), "the number of the request"
    bad = owner.post("/uapi/detail?id=GetImageBucketList", {**form, "p.Region": "nowhere"})
    assert answer_of(bad)["RetCode"] == 230
    assert b"A value cannot be used" in bad.body
    assert "参数值不可用" in signed_in(hub, hub.main, "zh").post(
        "/uapi/detail?id=GetImageBucketList", {**form, "p.Region": "nowhere"}
    ).body.decode()  # fmt: skip
    foreign = owner.post("/uapi/detail?id=GetRepo", {"do": "send", "p.ProjectId": "org-other"})
    assert answer_of(foreign)["RetCode"] == 292


def test_a_sub_user_calls_with_its_own_rights(hub: TestHub) -> None:
    furnish(hub)
    worker = signed_in(hub, ("worker@1", "battery staple"))
    form = {"do": "send", "confirm": "1", "p.RepoName": "hers"}
    assert answer_of(worker.post("/uapi/detail?id=CreateRepo", form))["RetCode"] == 299
    hub.call("SetUserRights", UserName="worker", Right=["push"])
    assert answer_of(worker.post("/uapi/detail?id=CreateRepo", form))["RetCode"] == 0
    lines = hub.call("ListAuditRecords", Limit=1)["AuditSet"]
    assert (lines[0]["User"], lines[0]["Action"], lines[0]["Result"]) == ("worker@1", "CreateRepo", 0)


def test_what_changes_asks_first(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)
    form = {"do": "send", "p.RepoName": "made"}
    assert owner.post("/uapi/detail?id=CreateRepo", form).status == 400
    assert hub.call("GetImageBucketList", Region="cn-bj2")["TotalCount"] == 0
    assert answer_of(owner.post("/uapi/detail?id=CreateRepo", {**form, "confirm": "1"}))["RetCode"] == 0
    assert owner.post("/uapi/detail?id=CreateRepo", {**form, "do": "preview", "confirm": "1"}).status == 200
    assert hub.call("GetImageBucketList", Region="cn-bj2")["TotalCount"] == 1


def test_rows_of_a_list(hub: TestHub) -> None:
    furnish(hub)
    owner = signed_in(hub, hub.main)
    path = "/uapi/detail?id=DeleteImage"
    form = {"p.Region": "cn-bj2", "p.BucketName": "owned", "p.ImageName": "app", "p.Tag.0": "v1"}

    def rows(reply: Reply) -> list[str | None]:
        return [attrs["value"] for _, attrs in tags_of(reply) if str(attrs.get("name")).startswith("p.Tag.")]

    assert rows(owner.get(path)) == [""]
    assert rows(owner.post(path, {**form, "do": "add:Tag"})) == ["v1", ""]
    three = {**form, "p.Tag.1": "sbom", "p.Tag.2": "many"}
    assert rows(owner.post(path, {**three, "do": "drop:Tag.1"})) == ["v1", "many"]
    full = {**form, **{f"p.Tag.{n}": str(n) for n in range(100)}}
    assert len(rows(owner.post(path, {**full, "do": "add:Tag"}))) == 100
    sent = owner.post(path, {**three, "do": "send", "confirm": "1"})
    assert answer_of(sent)["RetCode"] == 0
    assert hub.call("ListTags", BucketName="owned", ImageName="app")["TotalCount"] == 0
    nothing = owner.post("/uapi/detail?id=SetUserRights", {"do": "send", "confirm": "1", "p.UserName": "worker",
                                                           "p.Right.0": ""})  # fmt: skip
    assert answer_of(nothing)["RetCode"] == 0, "a blank row of a list is sent"


def test_the_signature_is_the_one_that_the_api_takes(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)
    form = {"do": "preview", "p.Region": "cn-bj2", "p.BucketName": "测试 <b>+&", "key": hub.public_key}
    page = owner.post("/uapi/detail?id=GetImageBucketList", form).body.decode()
    params = {
        "Action": "GetImageBucketList",
        "Region": "cn-bj2",
        "BucketName": "测试 <b>+&",
        "PublicKey": hub.public_key,
    }
    found = re.search(r'id="canonical">(.*?)</code>', page)
    assert found
    assert html.unescape(found[1]) == signing.canonical(params)
    assert signing.sign(params, PRIVATE_KEY) in page
    assert signing.sign(params, hub.private_key) not in page
    stranger = owner.post("/uapi/detail?id=GetRegion", {"do": "preview", "key": "somebody-elses-key"}).body.decode()
    assert "somebody-elses-key" not in stranger
    assert PUBLIC_KEY in stranger


def test_no_secret_is_in_a_page(hub: TestHub) -> None:
    hub.run(people.set_password(hub.hub, hub.email, "pale horse", registry=False))
    owner = signed_in(hub, (hub.email, "pale horse"))
    form = {"p.UserName": "alice", "p.AccessKeyStatus": "Inactive", "p.LoginProfileStatus": "Active",
            "p.Password": "hidden horse", "confirm": "1"}  # fmt: skip
    for do in ("preview", "send"):
        reply = owner.post("/uapi/detail?id=CreateUser", {**form, "do": do})
        assert b"hidden horse" not in reply.body
        assert b"YOUR_PASSWORD" in reply.body
    assert signed_in(hub, ("alice@1", "hidden horse"))
    change = {"p.CurrentPassword": "pale horse", "p.NewPassword": "hidden horse", "p.Kind": "Registry", "confirm": "1"}
    reply = owner.post("/uapi/detail?id=SetPassword", {**change, "do": "send"})
    assert answer_of(reply)["RetCode"] == 0
    assert b"hidden horse" not in reply.body
    assert b"pale horse" not in reply.body


def test_a_link_fills_the_form(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)
    page = owner.get("/uapi/detail?id=GetImageBucketList&p.BucketName=linked&p.BucketType=Share")
    assert ("input", "linked") in [(tag, attrs.get("value")) for tag, attrs in tags_of(page)]
    assert '<option value="Share" selected>' in page.body.decode()
    assert "--data-urlencode BucketName=linked" in page.body.decode()
    anonymous = Surfer(hub).get("/uapi/detail?id=GetImageBucketList")
    assert anonymous.headers["location"] == "/console/login?next=%2Fuapi%2Fdetail%3Fid%3DGetImageBucketList"


def test_the_python_sample_of_the_page_is_python(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)
    nasty = 'it\'s "x" \\n </code>'
    form = {"do": "preview", "p.RepoName": "made", "p.Description": nasty}
    page = owner.post("/uapi/detail?id=CreateRepo", form).body.decode()
    found = re.search(r'data-key="Python".*?<pre tabindex="0"><code>(.*?)</code>', page, re.DOTALL)
    assert found
    source = html.unescape(found[1])
    seen: list[object] = []

    class Client:
        def __init__(self, config: object) -> None:
            seen.append(config)

        def invoke(self, action: str, params: object) -> str:
            seen.append((action, params))
            return ""

    fake = type(sys)("ucloud.client")
    fake.Client = Client  # type: ignore[attr-defined]
    kept = {name: sys.modules.get(name) for name in ("ucloud", "ucloud.client")}
    sys.modules.update({"ucloud": type(sys)("ucloud"), "ucloud.client": fake})
    try:
        exec(compile(source, "sample", "exec"), {"print": lambda *_: None})
    finally:
        for name, module in kept.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
    assert seen[1] == ("CreateRepo", {"RepoName": "made", "Description": nasty})
