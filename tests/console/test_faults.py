"""What a refusal says of its case, in Chinese: each text that the source raises has its words, none is kept in vain."""

import re
import string
import tomllib
from importlib import resources

import pytest

from entrepot.console import faults
from entrepot.errors import HubError, Kind
from tests.conftest import TestHub
from tests.console.details import is_words, phrases, refusals
from tests.console.kit import furnish, signed_in

CJK = re.compile("[一-鿿]")
TABLES = tomllib.loads((resources.files("entrepot.console") / "words" / "details.toml").read_text("utf-8"))
GIVEN = {
    "to create a bucket", "to delete a bucket", "to change a bucket", "to grant a bucket", "to revoke a grant",
    "to change a bucket's networks", "to set a bucket's immutable tags", "to set what tags a bucket keeps",
    "to delete tags", "in a project", "everywhere", "this bucket", "this image", "is disabled", "has expired",
    "belongs to a disabled account", "project {}", "buckets", "bytes", "tags",
    "bucket", "project", " and {} more", "{} of {} {} of {} are used", "{}: {} is no pattern",
    "write <tag glob> or <image glob>:<tag glob>, letters, digits, . _ - / and at most {} * for any text",
}  # fmt: skip
"""Phrases that reach a detail as a value."""


def test_every_detail_has_its_chinese() -> None:
    raised = {template: place for place, template in refusals()}
    assert len(raised) > 120
    missing = {place: template for template, place in raised.items() if template not in TABLES["details"]}
    assert not missing
    assert not set(TABLES["details"]) - set(raised), "nobody says this any more"


def test_every_phrase_has_its_chinese() -> None:
    made = {piece: place for place, text in phrases() for piece in text.split("; ") if is_words(piece)}
    assert len(made) > 12
    assert not {place: piece for piece, place in made.items() if piece not in TABLES["phrases"]}
    assert not set(TABLES["phrases"]) - set(made) - GIVEN, "nobody says this any more"


def test_the_chinese_is_chinese_and_fills_in_what_is_there() -> None:
    for table in TABLES.values():
        for en, zh in table.items():
            assert CJK.search(zh), zh
            assert not CJK.search(en), en
            named = [int(name) for _, name, spec, _ in string.Formatter().parse(zh) if name is not None]
            assert sorted(named) == list(range(en.count("{}"))), (en, zh)


HINT = "write <tag glob> or <image glob>:<tag glob>, letters, digits, . _ - / and at most 8 * for any text"
HINT_ZH = "应写作 <标签> 或 <镜像>:<标签>，可用字母、数字、. _ - / 和最多 8 个 *"
ASK = "delete what is not needed, or ask the operator"
SAID = {
    "Region": "Region",
    "a user tags": "用户 tags",
    "the right 'admin' is needed to grant a bucket; ask the account's main user":
        "授权仓库需要权限 'admin'，请联系主账号",
    f"bytes of this bucket: at most 5; {ASK}": "该仓库的字节数最多 5，请删除不需要的内容，或联系运营者",
    f"Rules: rule 1: it keeps nothing; give at least one of A, B; rule 2: Match: '!' is no pattern; {HINT}":
        f"Rules 有误：规则 1：没有保留任何标签；至少填写其一：A, B；规则 2：Match：'!' 不是有效的模式；{HINT_ZH}",
    "the name '{0.__class__}'; 1 to 64 of letters, digits and _ . @ -":
        "名称 '{0.__class__}'：应为 1 到 64 个字母、数字和 _ . @ -",
    "something that nobody wrote down": "something that nobody wrote down",
}  # fmt: skip


@pytest.mark.parametrize("detail", SAID)
def test_a_detail_in_chinese(detail: str) -> None:
    fault = HubError(Kind.BAD_PARAM, detail)
    assert faults.explain(fault, "zh").detail == SAID[detail]
    assert faults.explain(fault, "en").detail == detail


def test_faults_of_a_template_in_chinese() -> None:
    step = "a.Next: there is no step 'b'; name the step that follows"
    told = faults.explain(HubError(Kind.FLOW_INVALID, f"{step}; {step}; 3 more"), "zh").detail
    zh = "a.Next：没有步骤 'b'，请填写后续步骤的名称"
    assert told == f"{zh}；{zh}；3 more"


def test_a_reason_and_a_warning_in_chinese() -> None:
    reason = "rule 1: not one of the newest 2, not pulled for 30 days; rule 2: not pushed for 9 days"
    assert faults.phrase(reason, "zh") == "规则 1：不在最新的 2 个之内，30 天内没有拉取；规则 2：9 天内没有推送"
    assert faults.phrase("9 of 10 buckets of project org-1 are used", "zh") == "项目 org-1 的仓库数量已用 9 / 10"
    assert faults.phrase(reason, "en") == reason


def test_refusals_at_pages_are_chinese(hub: TestHub) -> None:
    """Every form, sent with what it cannot use: no English sentence in the answer."""
    paths = furnish(hub)
    surfer = signed_in(hub, hub.main, "zh")
    owned = {"BucketName": "owned"}
    tries = [
        ("/console/bucket/retention", {"do": "SetBucketRetention", **owned, "Rules": '[{"Match": ["!"]}]'}),
        ("/console/bucket/retention", {"do": "SetBucketImmutableTags", **owned, "Tags": "a:b:c!"}),
        ("/console/bucket/robots", {"do": "CreateBucketRobot", **owned, "RobotName": "A!"}),
        ("/console/bucket/robots", {"do": "CreateBucketRobot", **owned, "RobotName": "ci", "Permission.0": "Pull"}),
        ("/console/bucket/settings", {"do": "SetBucketNetworkPolicy", **owned, "Networks": "x"}),
        ("/console/policies", {"do": "CreateIAMPolicy", "PolicyName": "x", "Document": '{"Version": "2"}'}),
        ("/console/roles", {"do": "CreateRole", "RoleName": "deployer", "RolePolicyDocument": "{}"}),
        ("/console/users", {"do": "CreateUser", "UserName": "worker", "LoginProfileStatus": "Inactive",
                            "AccessKeyStatus": "Inactive"}),
        ("/console/projects", {"do": "TerminateProject", "ProjectId": hub.project_id}),
        ("/console/account", {"do": "SetNetworkMask", "APINetworkMask": "192.0.2.0/24"}),
        ("/console/account", {"do": "SetPassword", "Kind": "Console", "CurrentPassword": "wrong",
                              "NewPassword": "12345678", "again": "12345678"}),
        ("/console/buckets", {"do": "Nothing"}),
    ]  # fmt: skip
    for page, form in tries:
        reply = surfer.post(paths[page], form)
        assert 400 <= reply.status < 500, (page, form, reply.status)
        [alert] = re.findall(r'<div class="note bad" role="alert">(.*?)</div></div>', reply.body.decode(), re.DOTALL)
        told = re.sub(r"<svg.*?</svg>|<[^>]*>|&lt;.*?&gt;|&#39;.*?&#39;", " ", alert)
        assert not re.search(r"\b(?:the|is|a|or|and|must|at|of)\b", told), told
