"""Ways past the rules that somebody tried: each was open once, or would be the first to be tried."""

import hashlib
import itertools
import json
import string
import time
from typing import Any

import pytest

from entrepot.ops import buckets, people
from entrepot.ops.context import Ctx
from tests import stored
from tests.actions.test_policies import SYSTEM, give, trust
from tests.actions.test_tenancy import policy
from tests.conftest import Loop, TestHub
from tests.registry.kit import push_image

ADMIN = f"{SYSTEM}AdministratorAccess"


@pytest.fixture
def alice(hub: TestHub) -> tuple[str, str]:
    made = hub.call("CreateUser", UserName="alice", AccessKeyStatus="Active", LoginProfileStatus="Active")
    return made["AccessKeyID"], made["AccessKeySecret"]


@pytest.fixture
def other(hub: TestHub) -> tuple[str, str]:
    made = hub.run(
        people.add_user(hub.hub, "other@example.com", password="battery staple", rights=frozenset(), account_of=None)
    )
    return made.public_key, made.private_key


def rules(*listed: tuple[str, list[str], list[str]]) -> str:
    made = [{"Effect": effect, "Action": actions, "Resource": resources} for effect, actions, resources in listed]
    return json.dumps({"Version": "1", "Statement": made})


@pytest.mark.parametrize("scope", ["All", "", "global", "unspecified"])
def test_an_admin_of_one_project_does_not_become_one_of_all(hub: TestHub, alice: tuple[str, str], scope: str) -> None:
    team = hub.call("CreateProject", ProjectName="team")["ProjectId"]
    hub.call("AttachPoliciesToUser", UserName="alice", PolicyURNs=[ADMIN], Scope="Specified", ProjectID=team)
    hub.call("CreateRole", RoleName="boss", RolePolicyDocument=trust("ucs:iam::1:root"))
    for verb, way in (("Attach", "To"), ("Detach", "From")):
        for kind, who in (("User", {"UserName": "alice"}), ("Role", {"RoleName": "boss"})):
            answer = hub.call_as(
                alice, f"{verb}Policies{way}{kind}", PolicyURNs=[ADMIN], Scope=scope, ProjectID=team, **who
            )
            assert answer["RetCode"] == 299, answer
    assert hub.call_as(alice, "ListUsers")["RetCode"] == 299


def test_a_deny_on_users_roles_and_policies_holds(hub: TestHub, alice: tuple[str, str]) -> None:
    hub.call("CreateUser", UserName="carol", AccessKeyStatus="Active", LoginProfileStatus="Inactive")
    hub.call("CreateRole", RoleName="boss", RolePolicyDocument=trust("ucs:iam::1:root"))
    key = hub.call("CreateAccessKey", UserName="carol")["AccessKey"]["AccessKeyID"]
    resources = ["ucs:iam::1:role/boss", "ucs:iam::1:user/carol", "ucs:iam::1:policy/*", ADMIN]
    urn = give(hub, rules(("Allow", ["iam:*"], ["*"]), ("Deny", ["iam:*"], resources)))
    for action, params in (
        ("AttachPoliciesToRole", {"RoleName": "boss", "PolicyURNs": [f"{SYSTEM}UHubReadOnlyAccess"]}),
        ("AttachPoliciesToUser", {"UserName": "alice", "PolicyURNs": [f"{SYSTEM}UHubReadOnlyAccess", ADMIN]}),
        ("CreateAccessKey", {"UserName": "carol"}),
        ("DeleteAccessKey", {"AccessKeyID": key}),
        ("UpdateUser", {"UserName": "carol", "Status": "Inactive"}),
        ("SetUserRights", {"UserName": "carol", "Right": ["admin"]}),
        ("UpdateIAMPolicy", {"PolicyURN": urn, "Document": policy("*")}),
        ("DetachPoliciesFromUser", {"UserName": "alice", "PolicyURNs": [urn]}),
        ("DeleteRole", {"RoleName": "boss"}),
    ):
        assert hub.call_as(alice, action, **params)["RetCode"] == 299, action
    assert hub.call_as(alice, "GetUser", UserName="alice")["RetCode"] == 0


@pytest.mark.parametrize("denied", ["uhub:DeleteImage", "ugc:DeleteImage", "uhub:DeleteRepoImage"])
def test_a_deny_of_deleting_holds_under_every_name(hub: TestHub, alice: tuple[str, str], denied: str) -> None:
    hub.bucket("owned")
    push_image(hub, "owned/app", "v1", hub.main)
    hub.call("SetUserRights", UserName="alice", Right=["pull", "push", "delete"])
    give(hub, rules(("Deny", [denied], ["*"])))
    assert hub.request("DELETE", "/v2/owned/app/manifests/v1", login=alice).status == 403
    ugc = hub.call_as(alice, "DeleteImage", Region="cn-bj2", BucketName="owned", ImageName="app", Tag=["v1"])
    uhub = hub.call_as(alice, "DeleteRepoImage", RepoName="owned", ImageName="app", ProjectId=hub.project_id)
    assert (ugc["RetCode"], uhub["RetCode"]) == (299, 299)
    assert any(one["Action"] == "Delete" and one["Result"] == 299 for one in hub.call("ListAuditRecords")["AuditSet"])


def test_lists_leave_out_what_is_denied(hub: TestHub, alice: tuple[str, str]) -> None:
    team = hub.call("CreateProject", ProjectName="team")["ProjectId"]
    hub.call("CreateRepo", RepoName="team-depot", ProjectId=team)
    for name in ("open-depot", "shut-depot"):
        hub.bucket(name)
    for name in ("open-depot", "shut-depot", "team-depot"):
        push_image(hub, f"{name}/app", "v1", hub.main)
    hub.call("SetUserRights", UserName="alice", Right=["pull"])
    give(hub, rules(("Deny", ["*"], ["ucs:uhub:*:1:repo/shut-*"])))
    give(hub, rules(("Deny", ["*"], ["*"])), name="team", Scope="Specified", ProjectID=team)
    listed = hub.call_as(alice, "GetImageBucketList", Region="cn-bj2")["ImageSet"]
    assert [one["BucketName"] for one in listed] == ["open-depot"]
    assert hub.call_as(alice, "GetAllImages", Region="cn-bj2")["ImageSet"] == ["open-depot/app:v1"]


def test_huge_policies_hold_nobody_up(hub: TestHub, alice: tuple[str, str]) -> None:
    """Statements are counted by what is matched with stars: plain names cost a look-up each, however many."""
    hub.bucket("owned")
    words = map("".join, itertools.product(string.ascii_letters, repeat=3))
    urns = []
    for number in range(20):
        text = rules(*[("Allow", list(itertools.islice(words, 240)), ["*"]) for _ in range(4)]).replace(" ", "")
        urns.append(hub.call("CreateIAMPolicy", PolicyName=f"p{number}", Document=text)["PolicyURN"])
    assert hub.call("AttachPoliciesToUser", UserName="alice", PolicyURNs=urns)["RetCode"] == 0
    more = hub.call("CreateIAMPolicy", PolicyName="more", Document=policy("x:Y"))["PolicyURN"]
    assert hub.call("AttachPoliciesToUser", UserName="alice", PolicyURNs=[more])["RetCode"] == 1040
    assert hub.call("AttachPoliciesToUser", UserName="alice", PolicyURNs=[urns[0]] * 2)["RetCode"] == 230
    scopes = [f"repository:owned/app{number}:pull,push,delete" for number in range(64)]
    start = time.process_time()
    hub.token(alice, *scopes)
    assert time.process_time() - start < 5  # it took minutes once: no measure of speed, a bound on the work
    answer = hub.call_as(alice, "DeleteRepoImage", RepoName="owned", ImageName="A" * 450_000, ProjectId=hub.project_id)
    assert answer["RetCode"] == 230


def test_what_is_received_stays_within_the_quota(loop: Loop, tmp_path: Any) -> None:
    hub = TestHub(loop, tmp_path / "data", bucket_bytes=10_000)
    hub.bucket("depot")
    token = hub.token(hub.main, "repository:depot/app:pull,push")
    start = hub.request("POST", "/v2/depot/app/blobs/uploads/", login=token).headers["location"]
    chunks = [b"x" * 5_000] * 40
    assert hub.request("PATCH", start, body=chunks, login=token).code == "DENIED"
    assert hub.request("GET", start, login=token).status == 404
    whole = "/v2/depot/app/blobs/uploads/?digest=sha256:" + "0" * 64
    assert hub.request("POST", whole, body=chunks, login=token).code == "DENIED"
    # What unfinished uploads hold is taken from the others' room.
    for _ in range(2):
        one = hub.request("POST", "/v2/depot/app/blobs/uploads/", login=token).headers["location"]
        assert hub.request("PATCH", one, body=b"x" * 4_000, login=token).status == 202
    last = hub.request("POST", "/v2/depot/app/blobs/uploads/", login=token).headers["location"]
    assert hub.request("PATCH", last, body=b"x" * 4_000, login=token).status == 403
    held = sum(one.stat().st_size for one in stored.growing(hub))
    assert held == 8_000
    hub.close()


def test_the_owner_sees_what_others_do_to_its_own(hub: TestHub, other: tuple[str, str]) -> None:
    hub.bucket("lent-bucket")
    hub.call("GrantBucket", BucketName="lent-bucket", GranteeID=2, Permission="Write")
    push_image(hub, "lent-bucket/app", "v1", hub.token(other, "repository:lent-bucket/app:pull,push"))
    hub.call("CreateRole", RoleName="guest", RolePolicyDocument=trust("ucs:iam::2:root"))
    made = hub.call_as(other, "AssumeRole", RoleUrn="ucs:iam::1:role/guest", RoleSessionName="visit")
    assert made["RetCode"] == 0
    lines = [(one["User"], one["Action"]) for one in hub.call("ListAuditRecords", Limit=20)["AuditSet"]]
    assert ("other@example.com", "PushManifest") in lines
    assert ("other@example.com", "AssumeRole") in lines
    [grant] = [one for one in hub.call("ListAuditRecords")["AuditSet"] if one["Action"] == "GrantBucket"]
    assert grant["Target"] == "lent-bucket 2 Permission=Write"


def test_a_project_policy_does_not_open_lent_buckets(hub: TestHub, other: tuple[str, str]) -> None:
    hub.bucket("lent-bucket")
    push_image(hub, "lent-bucket/app", "v1", hub.main)
    hub.call("GrantBucket", BucketName="lent-bucket", GranteeID=2, Permission="Write")
    made = hub.call_as(other, "CreateUser", UserName="bob", AccessKeyStatus="Active", LoginProfileStatus="Inactive")
    bob = (made["AccessKeyID"], made["AccessKeySecret"])
    project = hub.call_as(other, "GetProjectList")["ProjectSet"][0]["ProjectId"]
    there = {"Scope": "Specified", "ProjectID": project}
    hub.call_as(other, "AttachPoliciesToUser", UserName="bob", PolicyURNs=[f"{SYSTEM}UHubFullAccess"], **there)
    assert hub.request("GET", "/v2/lent-bucket/app/manifests/v1", login=bob).status in {403, 404}
    hub.call("UpdateRepo", RepoName="lent-bucket", IsShared="true")
    assert hub.request("GET", "/v2/lent-bucket/app/manifests/v1", login=bob).status == 200


def test_networks_close_every_way_of_deleting_and_every_cache(hub: TestHub) -> None:
    hub.bucket("near-bucket", is_public=True)
    push_image(hub, "near-bucket/app", "v1", hub.main)
    layer = hub.request("GET", "/v2/near-bucket/app/manifests/v1").json["layers"][0]["digest"]
    hub.call("SetBucketNetworkPolicy", BucketName="near-bucket", Network=["127.0.0.0/8"])
    cache = hub.request("GET", f"/v2/near-bucket/app/blobs/{layer}").headers["cache-control"]
    assert cache == "private, max-age=31536000"
    hub.call("SetBucketNetworkPolicy", BucketName="near-bucket", Network=["192.0.2.0/24"])
    assert hub.call("DeleteRepoImage", RepoName="near-bucket", ImageName="app")["RetCode"] == 294
    delete = {"Region": "cn-bj2", "BucketName": "near-bucket", "ImageName": "app", "Tag": ["v1"]}
    assert hub.call("DeleteImage", **delete)["RetCode"] == 294
    for wrong in ("fe80::1%" + "z" * 1000, "fe80::1%eth0", "1" * 60):
        assert hub.call("SetBucketNetworkPolicy", BucketName="near-bucket", Network=[wrong])["RetCode"] == 230
    mapped = hub.call("SetBucketNetworkPolicy", BucketName="near-bucket", Network=["::ffff:127.0.0.9"])
    assert mapped["RetCode"] == 0
    assert hub.call("GetBucketNetworkPolicy", BucketName="near-bucket")["NetworkSet"] == ["127.0.0.9/32"]


def test_keys_and_temporary_keys_are_bounded(hub: TestHub) -> None:
    codes = [hub.call("CreateAccessKey", UserName=hub.email)["RetCode"] for _ in range(51)]
    assert (set(codes[:49]), codes[-1]) == ({0}, 1040)
    hub.call("CreateRole", RoleName="guest", RolePolicyDocument=trust("ucs:iam::1:root"))
    call = {"RoleUrn": "ucs:iam::1:role/guest", "RoleSessionName": "s"}
    codes = [hub.call("AssumeRole", **call)["RetCode"] for _ in range(101)]
    assert (set(codes[:100]), codes[-1]) == ({0}, 1040)


@pytest.mark.parametrize("depth", [2, 50, 300, 900])
def test_a_principal_is_not_nested(hub: TestHub, depth: int) -> None:
    nested = '{"a":' * depth + '"ucs:iam::1:root"' + "}" * depth
    text = f'{{"Statement": {{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {nested}}}}}'
    assert hub.call("CreateRole", RoleName="deep", RolePolicyDocument=text)["RetCode"] == 230


def test_a_bucket_that_goes_while_bytes_come(hub: TestHub) -> None:
    """Whoever pushes is told that the bucket is not there; nothing breaks and nothing stays."""
    hub.bucket("brief-bucket")
    body = b"x" * 1000
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    image = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
    for method, path, sent, kind in (
        ("POST", f"/v2/brief-bucket/app/blobs/uploads/?digest={digest}", body, "application/octet-stream"),
        ("PUT", "/v2/brief-bucket/app/manifests/v1", json.dumps(image).encode(), image["mediaType"]),
    ):
        token = hub.token(hub.main, "repository:brief-bucket/app:pull,push")
        drop = Dropping(hub, sent)
        reply = hub.run(drop.ask(method, path, token, str(kind)))
        assert (reply.status, reply.code) == (404, "NAME_UNKNOWN")
        hub.bucket("brief-bucket")
    assert not stored.growing(hub)


class Dropping:
    """A request in the middle of whose body the bucket is deleted."""

    def __init__(self, hub: TestHub, body: bytes) -> None:
        self.hub, self.body = hub, body

    async def ask(self, method: str, path: str, token: str, kind: str) -> Any:
        owner = await people.operator(self.hub.hub)
        before, app = self.hub.app, self.hub.app

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            async def gated() -> Any:
                message = await receive()
                if not message.get("more_body", False):
                    await buckets.delete(Ctx(self.hub.hub, owner), "brief-bucket")
                return message

            await app(scope, gated, send)

        self.hub.app = slow  # type: ignore[assignment]
        try:
            half = len(self.body) // 2
            parts = [self.body[:half], self.body[half:]]
            return await self.hub.ask(method, path, body=parts, headers={"content-type": kind}, login=token)
        finally:
            self.hub.app = before
