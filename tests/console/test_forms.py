"""Forms: none works without its token, from another site, or by a link; each does what its action does."""

import json
import re
from typing import Any

import pytest

from entrepot.api.declare import ACTIONS
from entrepot.console.pages import PAGES
from tests.conftest import TestHub
from tests.console.kit import FORM, Surfer, furnish, signed_in

POSTED = {
    "SetBucketNetworkPolicy": "/console/bucket/settings",
    "SetUserRights": "/console/user",
    "SetBucketImmutableTags": "/console/bucket/retention",
}
"""Actions that a page calls with parameters it makes of its form."""


def dump(hub: TestHub) -> list[Any]:
    tables = ("bucket", "image", "tag", "person", "access_key", "project", "policy", "attachment", "bucket_grant",
              "robot", "deletion", "bucket_retention", "role", "webhook", "webhook_delivery",
              "flow_trigger")  # fmt: skip
    return [hub.run(hub.hub.db.read(lambda rows, table=table: rows.all(f"SELECT * FROM {table}"))) for table in tables]


def forms() -> list[tuple[str, str]]:
    return [(page.path, action) for page in PAGES.values() for action in page.does] + [
        (path, action) for action, path in POSTED.items()
    ]


def params() -> dict[str, str]:
    return {
        "RepoName": "owned", "BucketName": "owned", "ImageName": "app", "TagName": "v1", "Tag.0": "v1",
        "Region": "cn-bj2", "IsShared": "true", "Description": "changed", "GranteeID": "2", "Networks": "192.0.2.1",
        "UserName": "worker", "NewUserName": "other", "LoginProfileStatus": "Active", "AccessKeyStatus": "Active",
        "ProjectName": "new", "PolicyURNs.0": "ucs:iam::ucs:policy/UHubFullAccess", "Scope": "All",
        "PolicyName": "made", "Document": "{}", "right-pull": "1", "PolicyURN": "ucs:iam::1:policy/nothing",
        "RobotName": "ci", "Status": "Inactive", "Permission.0": "Pull", "DeletionId": "1", "Rules": "[]", "Tags": "v*",
        "Days": "3", "RoleName": "deployer", "RolePolicyDocument": "{}", "LoginNetworkMask": "192.0.2.1",
        "p.Region": "cn-bj2", "p.BucketName": "made-bucket", "confirm": "1",
        "Url": "https://example.com/hook", "Enabled": "false", "TriggerKind": "Cron", "Cron": "0 0 * * *",
        "DeliveryId": "1",
    }  # fmt: skip


def ids(hub: TestHub) -> dict[str, str]:
    """Parameters that name what the hub made up a name for."""
    flow = hub.call("ListSFNamespaces")["NamespaceSet"][0]["NamespaceId"] + ".ask"
    return {
        "WorkflowId": flow,
        "TriggerId": hub.call("ListSFTriggers", WorkflowId=flow)["TriggerSet"][0]["TriggerId"],
        "WebhookId": hub.call("ListBucketWebhooks", BucketName="owned")["WebhookSet"][0]["WebhookId"],
    }


def test_every_form_needs_its_token_and_its_site(hub: TestHub) -> None:
    paths = furnish(hub)
    owner, other = signed_in(hub, hub.main), signed_in(hub, hub.user("other@example.com", other_account=True))
    paths["/uapi/detail"] = "/uapi/detail?id=CreateDockerImageBucket"
    before, named = dump(hub), ids(hub)
    listed = [*forms(), ("/uapi/detail", "send")]
    assert len(listed) > 20
    for page, action in listed:
        form = {"do": action, **params(), **named}
        path = paths[page]
        foreign = other.token("/console")
        for token in ("", foreign, "0" * 64):
            reply = owner.post(path, {**form, "csrf": token}, token=False)
            assert reply.status == 403, (path, action)
        assert owner.post(path, form, origin="https://evil.example").status == 403
        assert owner.post(path, form, origin="null").status == 403
        assert owner.post(path, form, **{"sec-fetch-site": "same-site"}).status == 403
        assert owner.get(f"{path}{'&' if '?' in path else '?'}do={action}&RepoName=owned").status in {200, 303}
        assert Surfer(hub).post(path, form).status == 303
    assert dump(hub) == before


def test_a_page_calls_only_its_own_actions(hub: TestHub) -> None:
    paths = furnish(hub)
    owner = signed_in(hub, hub.main)
    before = dump(hub)
    for path, page in ((path, PAGES[name]) for name, path in paths.items() if not PAGES[name].is_open):
        if page.path in {"/uapi/detail", "/console/logout"}:
            continue
        for action in ACTIONS:
            if action not in page.does and POSTED.get(action) != page.path:
                assert owner.post(path, {"do": action, **params()}).status == 405, (path, action)
                break
    assert dump(hub) == before


def test_a_form_that_is_no_form(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)
    kinds = {"content-type": "text/plain"}
    assert owner._ask("POST", "/console/buckets", b"do=CreateRepo", kinds).status == 400
    assert owner._ask("POST", "/console/buckets", b"a=%ff", {"content-type": FORM}).status == 400
    assert owner._ask("POST", "/console/buckets", b"a=1&" * 2001, {"content-type": FORM}).status == 400
    assert owner._ask("POST", "/console/buckets", b"a" * 1_100_000, {"content-type": FORM}).status == 413


def test_a_bucket_from_first_to_last(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)
    taken = {"do": "CreateRepo", "RepoName": "made", "Description": "kept in the form", "Region": "cn-bj2"}
    made = owner.post("/console/buckets", taken)
    assert (made.status, made.headers["location"]) == (303, "/console/bucket?name=made&done=CreateRepo")
    again = owner.post("/console/buckets", taken)
    assert again.status == 409
    assert b"The name is taken" in again.body
    assert b'value="kept in the form"' in again.body
    far = owner.post("/console/buckets", {**taken, "RepoName": "made-far", "Region": "hk", "IsShared": "true"})
    assert far.status == 303
    listed = hub.call("ListBuckets", Region="hk", BucketType="User")["BucketSet"]
    assert [(one["BucketName"], one["BucketType"], one["Description"]) for one in listed] == [
        ("made-far", "Public", "kept in the form")
    ]
    page = "/console/bucket/settings?name=made"
    assert owner.post(page, {"do": "UpdateRepo", "RepoName": "made", "IsShared": "true"}).status == 303
    assert hub.call("DescribeBucket", BucketName="made")["Bucket"]["BucketType"] == "Public"
    networks = {"do": "SetBucketNetworkPolicy", "BucketName": "made", "Networks": "192.0.2.0/24\n127.0.0.0/8"}
    assert owner.post(page, networks).status == 303
    told = hub.call("GetBucketNetworkPolicy", BucketName="made")
    assert (told["NetworkSet"], told["IsOutSide"]) == (["192.0.2.0/24", "127.0.0.0/8"], "false")
    wrong = owner.post(page, {**networks, "Networks": "nonsense"})
    assert wrong.status == 400
    assert b"nonsense</textarea>" in wrong.body
    assert owner.post(page, {**networks, "Networks": "", "IsOutSide": "true"}).status == 303
    assert hub.call("GetBucketNetworkPolicy", BucketName="made")["NetworkSet"] == []
    hub.user("other@example.com", other_account=True)
    grant = {"do": "GrantBucket", "BucketName": "made", "GranteeID": "2", "Permission": "Write"}
    assert owner.post(page, grant).status == 303
    assert hub.call("ListBucketGrants", BucketName="made")["GrantSet"][0]["Permission"] == "Write"
    assert owner.post(page, {"do": "RevokeBucketGrant", "BucketName": "made", "GranteeID": "2"}).status == 303
    ended = owner.post(page, {"do": "DeleteRepo", "RepoName": "made"})
    assert ended.headers["location"] == "/console/buckets?done=DeleteRepo"


def test_a_tag_goes_and_comes_back(hub: TestHub) -> None:
    furnish(hub)
    owner = signed_in(hub, hub.main)
    image, history = "/console/image?bucket=owned&name=app", "/console/image/history?bucket=owned&name=app"
    form = {"Region": "cn-bj2", "BucketName": "owned", "ImageName": "app", "Tag.0": "v1"}
    assert owner.post(image, {"do": "DeleteImage", **form}).status == 303
    assert b'reference=v1"' not in owner.get(image).body
    page = owner.get(history).body.decode()
    digest = re.search(r'name="TagName" value="v1"><input type="hidden" name="Digest" value="(sha256:[0-9a-f]+)"', page)
    assert digest
    restore = {"do": "RestoreTag", "BucketName": "owned", "ImageName": "app", "TagName": "v1", "Digest": digest[1]}
    assert owner.post(history, restore).status == 303
    assert b'reference=v1"' in owner.get(image).body


def test_a_key_is_shown_once(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)
    made = owner.post("/uapi/apikey", {"do": "CreateAccessKey", "UserName": hub.email})
    assert made.status == 200
    public, private = re.findall(r'data-copy="([0-9A-Za-z]{40,})"', made.body.decode())[:2]
    assert hub.call_as((public, private), "GetRegion")["RetCode"] == 0
    assert private not in owner.get("/uapi/apikey").body.decode()
    switch = {"do": "UpdateAccessKey", "AccessKeyID": public, "Status": "Inactive"}
    assert owner.post("/uapi/apikey", switch).status == 303
    assert hub.call_as((public, private), "GetRegion")["RetCode"] == 172
    assert owner.post("/uapi/apikey", {"do": "DeleteAccessKey", "AccessKeyID": public}).status == 303
    assert public not in owner.get("/uapi/apikey").body.decode()


def test_a_user_with_rights_and_policies(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)
    made = owner.post("/console/users", {"do": "CreateUser", "UserName": "alice", "LoginProfileStatus": "Active",
                                         "AccessKeyStatus": "Inactive"})  # fmt: skip
    [password] = re.findall(r'data-copy="([0-9A-Za-z]{24})"', made.body.decode())
    alice = signed_in(hub, ("alice@1", password))
    page = "/console/user?name=alice"
    assert owner.post(page, {"do": "SetUserRights", "UserName": "alice", "right-pull": "1"}).status == 303
    assert hub.call("GetUser", UserName="alice")["User"]["Rights"] == ["pull"]
    assert alice.get("/console/buckets").status == 200
    assert alice.post("/console/buckets", {"do": "CreateRepo", "RepoName": "hers"}).status == 403
    give = {"do": "AttachPoliciesToUser", "UserName": "alice", "PolicyURNs.0": "ucs:iam::ucs:policy/UHubFullAccess"}
    assert owner.post(page, {**give, "Scope": "All", "ProjectID": ""}).status == 303
    assert alice.post("/console/buckets", {"do": "CreateRepo", "RepoName": "hers"}).status == 303
    assert owner.post(page, {"do": "SetUserRights", "UserName": "alice"}).status == 303
    assert hub.call("GetUser", UserName="alice")["User"]["Rights"] == []
    renamed = owner.post(page, {"do": "UpdateUser", "UserName": "alice", "NewUserName": "alicia"})
    assert renamed.headers["location"] == "/console/user?name=alicia&done=UpdateUser"
    assert owner.post("/console/user?name=alicia", {"do": "DeleteUser", "UserName": "alicia"}).status == 303
    assert alice.get("/console").status == 303


@pytest.mark.parametrize("do", ["CreateProject", "ModifyProject", "TerminateProject"])
def test_projects(hub: TestHub, do: str) -> None:
    owner = signed_in(hub, hub.main)
    project = hub.call("CreateProject", ProjectName="old")["ProjectId"]
    assert owner.post("/console/projects", {"do": do, "ProjectName": "new", "ProjectId": project}).status == 303
    names = {one["ProjectName"] for one in hub.call("GetProjectList")["ProjectSet"]}
    assert names == {
        "CreateProject": {"Default", "old", "new"}, "ModifyProject": {"Default", "new"}, "TerminateProject": {"Default"}
    }[do]  # fmt: skip


def test_changes_leave_their_lines_in_the_trail(hub: TestHub) -> None:
    owner = signed_in(hub, hub.main)
    owner.post("/console/buckets", {"do": "CreateRepo", "RepoName": "made"})
    owner.post("/console/buckets", {"do": "CreateRepo", "RepoName": "made"})
    lines = hub.call("ListAuditRecords", Limit=2)["AuditSet"]
    told = [tuple(one[name] for name in ("Action", "Target", "Result", "Address")) for one in lines]
    made = ("CreateRepo", f"made {hub.project_id}")
    assert told == [(*made, 1031, "127.0.0.9"), (*made, 0, "127.0.0.9")]


def test_policies_of_the_hub_open_the_console(hub: TestHub) -> None:
    paths = furnish(hub)
    pages = ("/console/buckets", "/console/bucket", "/console/image", "/console/image/history", "/console/manifest")
    worker = signed_in(hub, ("worker@1", "battery staple"))
    for name in ("UHubReadOnlyAccess", "UHubFullAccess"):
        urn = f"ucs:iam::ucs:policy/{name}"
        assert {worker.get(paths[page]).status for page in pages} == {403}
        hub.call("AttachPoliciesToUser", UserName="worker", PolicyURNs=[urn])
        assert {worker.get(paths[page]).status for page in pages} == {200}
        assert worker.get("/console/audit").status == 403
        hub.call("DetachPoliciesFromUser", UserName="worker", PolicyURNs=[urn], Scope="All")


def test_what_a_policy_hides_is_hidden_here_too(hub: TestHub) -> None:
    paths = furnish(hub)
    hub.bucket("shown")
    hub.call("SetUserRights", UserName="worker", Right=["pull"])
    worker = signed_in(hub, ("worker@1", "battery staple"))
    rule = {"Effect": "Deny", "Action": ["ugc:GetImageBucketList", "uhub:GetImageTag", "ugc:GetDockerImageList"],
            "Resource": ["ucs:uhub:*:*:repo/owned", "ucs:uhub:*:*:repo/owned/*"]}  # fmt: skip
    urn = "ucs:iam::1:policy/nothing"
    hub.call("UpdateIAMPolicy", PolicyURN=urn, Document=json.dumps({"Version": "1", "Statement": [rule]}))
    page = worker.get("/console/buckets").body.decode()
    assert "name=shown" in page
    assert "name=owned" not in page
    assert worker.get(paths["/console/bucket"]).status == 403
    assert worker.get(paths["/console/image"]).status == 403
