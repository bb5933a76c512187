"""Policies at both doors, roles and temporary keys."""

import json
from typing import Any

import pytest

from entrepot.ops import people
from tests.actions.test_tenancy import policy
from tests.conftest import TestHub
from tests.registry.kit import push_image

SYSTEM = "ucs:iam::ucs:policy/"


def trust(*principals: str) -> str:
    rule = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"UCS": list(principals)}}
    return json.dumps({"Version": "1", "Statement": [rule]})


@pytest.fixture
def alice(hub: TestHub) -> tuple[str, str]:
    made = hub.call("CreateUser", UserName="alice", AccessKeyStatus="Active", LoginProfileStatus="Active")
    return made["AccessKeyID"], made["AccessKeySecret"]


def give(hub: TestHub, document: str, name: str = "given", **where: str) -> str:
    urn = str(hub.call("CreateIAMPolicy", PolicyName=name, Document=document)["PolicyURN"])
    answer = hub.call("AttachPoliciesToUser", UserName="alice", PolicyURNs=[urn], **where)
    assert answer["RetCode"] == 0, answer
    return urn


def test_life_of_a_policy(hub: TestHub, alice: tuple[str, str]) -> None:
    urn = give(hub, policy("uhub:GetRepo"))
    assert urn == "ucs:iam::1:policy/given"
    assert hub.call("CreateIAMPolicy", PolicyName="given", Document=policy("x:Y"))["RetCode"] == 1023
    for name, value in (("PolicyName", "a b"), ("Document", "{}"), ("ScopeType", "Nowhere")):
        params = {"PolicyName": "fresh", "Document": policy("x:Y"), name: value}
        assert hub.call("CreateIAMPolicy", **params)["RetCode"] == 230
    one = hub.call("GetIAMPolicy", PolicyURN=urn)["Policy"]
    assert (one["PolicyName"], json.loads(one["Document"])["Version"]) == ("given", "1")
    listed = hub.call("ListPolicies", Owner="All", Limit="100")
    assert listed["TotalCount"] == len(listed["Policies"]) == 6
    assert [one["PolicyName"] for one in hub.call("ListPolicies", Owner="User")["Policies"]] == ["given"]
    assert hub.call("ListPolicies", Owner="All", Limit="2", Offset="4")["Policies"][1]["PolicyName"] == "given"
    assert hub.call("ListPolicies", Owner="Nobody")["RetCode"] == 230
    mine = hub.call("ListPoliciesForUser", UserName="alice")
    assert (mine["TotalCount"], mine["Policies"][0]["PolicyURN"], mine["Policies"][0]["Scope"]) == (1, urn, "All")
    entities = hub.call("ListEntitiesForPolicy", PolicyURN=urn)
    assert (entities["TotalCount"], entities["Entities"][0]["EntityName"]) == (1, "alice")
    assert hub.call("DeleteIAMPolicy", PolicyURN=urn)["RetCode"] == 1029
    assert hub.call("DetachPoliciesFromUser", UserName="alice", PolicyURNs=[urn, urn])["RetCode"] == 1027
    assert hub.call("ListPoliciesForUser", UserName="alice")["TotalCount"] == 1
    assert hub.call("DetachPoliciesFromUser", UserName="alice", PolicyURNs=[urn])["RetCode"] == 0
    assert hub.call("DeleteIAMPolicy", PolicyURN=urn)["RetCode"] == 0
    assert hub.call("GetIAMPolicy", PolicyURN=urn)["RetCode"] == 1027
    assert hub.call("DeleteIAMPolicy", PolicyURN=f"{SYSTEM}UHubFullAccess")["RetCode"] == 1027
    assert (
        hub.call("AttachPoliciesToUser", UserName=hub.email, PolicyURNs=[f"{SYSTEM}UHubFullAccess"])["RetCode"] == 299
    )


def test_where_a_policy_may_be_attached(hub: TestHub, alice: tuple[str, str]) -> None:
    attach: dict[str, Any] = {"UserName": "alice"}
    for scope_type, everywhere, in_project in (("ScopeRequired", 230, 0), ("ScopeEmpty", 0, 230)):
        urn = hub.call("CreateIAMPolicy", PolicyName=scope_type, Document=policy("x:Y"), ScopeType=scope_type)[
            "PolicyURN"
        ]
        assert hub.call("AttachPoliciesToUser", PolicyURNs=[urn], Scope="All", **attach)["RetCode"] == everywhere
        scope = {"Scope": "Specified", "ProjectID": hub.project_id}
        assert hub.call("AttachPoliciesToUser", PolicyURNs=[urn], **scope, **attach)["RetCode"] == in_project
    urn = f"{SYSTEM}UHubFullAccess"
    assert hub.call("AttachPoliciesToUser", PolicyURNs=[urn], Scope="Specified", **attach)["RetCode"] == 220
    assert (
        hub.call("AttachPoliciesToUser", PolicyURNs=[urn], Scope="Specified", ProjectID="org-x", **attach)["RetCode"]
        == 292
    )
    assert hub.call("AttachPoliciesToUser", PolicyURNs=[urn], Scope="Moon", **attach)["RetCode"] == 230
    assert hub.call("AttachPoliciesToUser", PolicyURNs=["ucs:iam::2:policy/x"], **attach)["RetCode"] == 1027
    two = hub.call("AttachPoliciesToUser", PolicyURNs=[urn, "ucs:iam::1:policy/none"], **attach)
    assert two["RetCode"] == 1027
    assert hub.call("ListPoliciesForUser", UserName="alice", Limit="100")["TotalCount"] == 2


def test_a_project_policy_shows_and_opens_that_project_only(hub: TestHub, alice: tuple[str, str]) -> None:
    team = hub.call("CreateProject", ProjectName="team")["ProjectId"]
    for name, project in (("team-private", team), ("team-public", team), ("main-private", hub.project_id)):
        shared = "true" if name.endswith("public") else "false"
        assert hub.call("CreateRepo", RepoName=name, ProjectId=project, IsShared=shared)["RetCode"] == 0
    hub.bucket("main-public", is_public=True)
    give(hub, policy("uhub:*", "ugc:*"), Scope="Specified", ProjectID=team)

    def names(kind: str) -> list[str]:
        answer = hub.call_as(alice, "GetImageBucketList", Region="cn-bj2", BucketType=kind)
        assert answer["TotalCount"] == len(answer["ImageSet"])
        return [one["BucketName"] for one in answer["ImageSet"]]

    assert names("All") == ["main-public", "team-private", "team-public"]
    assert names("User") == ["team-private", "team-public"]
    assert names("Share") == []
    one = hub.call_as(alice, "GetImageBucketList", Region="cn-bj2", BucketName="main-private")
    assert (one["RetCode"], one["TotalCount"]) == (0, 0)
    assert hub.call_as(alice, "CreateDockerImageBucket", Region="cn-bj2", BucketName="outside")["RetCode"] == 299
    assert hub.call_as(alice, "CreateRepo", RepoName="inside", ProjectId=team)["RetCode"] == 0
    assert hub.call_as(alice, "DeleteRepo", RepoName="main-private", ProjectId=team)["RetCode"] == 299
    push_image(hub, "team-private/app", "v1", hub.token(alice, "repository:team-private/app:pull,push"))
    assert hub.request("GET", "/v2/team-private/app/tags/list", login=alice).status == 200
    assert hub.call_as(alice, "GetAllImages", Region="cn-bj2")["ImageSet"] == ["team-private/app:v1"]
    token = hub.token(alice, "repository:main-private/app:pull,push")
    assert hub.request("POST", "/v2/main-private/app/blobs/uploads/", login=token).code == "DENIED"
    assert hub.request("POST", "/v2/main-private/app/blobs/uploads/", login=alice).code == "DENIED"
    # A mount must not reach what a pull cannot.
    push_image(hub, "main-private/app", "v1", hub.main)
    manifest = hub.request("GET", "/v2/main-private/app/manifests/v1", login=hub.main).json
    digest = manifest["layers"][0]["digest"]
    token = hub.token(alice, "repository:team-private/new:pull,push")
    for login in (token, alice):
        for extra in ("", "&from=main-private/app"):
            path = f"/v2/team-private/new/blobs/uploads/?mount={digest}{extra}"
            assert hub.request("POST", path, login=login).status == 202


def test_a_policy_on_one_bucket_and_a_deny(hub: TestHub, alice: tuple[str, str]) -> None:
    for name in ("open", "shut"):
        hub.bucket(f"{name}-bucket")
        push_image(hub, f"{name}-bucket/app", "v1", hub.main)
    give(hub, policy("uhub:PullImage", "uhub:GetRepoImage", resource="ucs:uhub:*:*:repo/open-*"))

    def pulls(bucket: str) -> int:
        return hub.request("GET", f"/v2/{bucket}/app/manifests/v1", login=alice).status

    assert (pulls("open-bucket"), pulls("shut-bucket")) == (200, 403)
    more = {"ProjectId": hub.project_id}
    assert hub.call_as(alice, "GetRepoImage", RepoName="open-bucket", **more)["TotalCount"] == 1
    assert hub.call_as(alice, "GetRepoImage", RepoName="shut-bucket", **more)["RetCode"] == 299
    hub.call("SetUserRights", UserName="alice", Right=["pull"])
    assert (pulls("open-bucket"), pulls("shut-bucket")) == (200, 200)
    give(hub, policy("uhub:Pull*", effect="Deny", resource="ucs:uhub:*:1:repo/shut-bucket"), name="except")
    assert (pulls("open-bucket"), pulls("shut-bucket")) == (200, 403)
    # Whoever is denied something anywhere no longer counts as one who may pull everything.
    assert hub.request("GET", "/v2/_catalog", login=alice).json["repositories"] == []


def test_keys_of_others_by_policy_only(hub: TestHub, alice: tuple[str, str]) -> None:
    hub.call("CreateUser", UserName="carol", AccessKeyStatus="Active", LoginProfileStatus="Inactive")
    assert hub.call_as(alice, "CreateAccessKey", UserName="carol")["RetCode"] == 299
    hub.call("AttachPoliciesToUser", UserName="alice", PolicyURNs=[f"{SYSTEM}IAMFullAccess"])
    assert hub.call_as(alice, "CreateAccessKey", UserName="carol")["RetCode"] == 0
    # No policy binds the main user, so nobody else gets at its keys.
    assert hub.call_as(alice, "CreateAccessKey", UserName=hub.email)["RetCode"] == 299
    assert hub.call_as(alice, "DeleteAccessKey", AccessKeyID=hub.public_key)["RetCode"] == 299
    assert hub.call_as(alice, "CreateUser", UserName="bob", AccessKeyStatus="Active",
                       LoginProfileStatus="Inactive")["RetCode"] == 0  # fmt: skip
    assert hub.call_as(alice, "GetImageBucketList", Region="cn-bj2")["RetCode"] == 299


def test_assume_role(hub: TestHub, alice: tuple[str, str]) -> None:
    hub.bucket("owned")
    made = hub.call("CreateRole", RoleName="reader", RolePolicyDocument=trust("ucs:iam::1:root"), Description="ci")
    urn = made["Role"]["RoleURN"]
    assert urn == "ucs:iam::1:role/reader"
    assert hub.call("GetRole", RoleName="reader")["Role"]["Description"] == "ci"
    assert [one["RoleName"] for one in hub.call("ListRoles")["Roles"]] == ["reader"]
    call: dict[str, Any] = {"RoleUrn": urn, "RoleSessionName": "build-1"}
    assert hub.call_as(alice, "AssumeRole", **call)["RetCode"] == 299
    hub.call("AttachPoliciesToUser", UserName="alice", PolicyURNs=[f"{SYSTEM}STSAssumeRoleAccess"])
    for name, value in (("RoleSessionName", "a b"), ("DurationSeconds", "899"), ("DurationSeconds", "3601"),
                        ("Policy", "{}"), ("RoleUrn", "reader")):  # fmt: skip
        assert hub.call_as(alice, "AssumeRole", **{**call, name: value})["RetCode"] == 230, name
    answer = hub.call_as(alice, "AssumeRole", **call)["Credentials"]
    key = (answer["AccessKeyId"], answer["AccessKeySecret"], answer["SecurityToken"])
    assert hub.call_as(key, "GetUserInfo")["DataSet"][0]["UserEmail"].startswith("alice@1")
    assert hub.call_as(key, "GetImageBucketList", Region="cn-bj2")["RetCode"] == 299
    hub.call("AttachPoliciesToRole", RoleName="reader", PolicyURNs=[f"{SYSTEM}UHubReadOnlyAccess"])
    assert hub.call("ListPoliciesForRole", RoleName="reader")["TotalCount"] == 1
    assert hub.call_as(key, "GetImageBucketList", Region="cn-bj2")["TotalCount"] == 1
    assert hub.call_as(key, "CreateDockerImageBucket", Region="cn-bj2", BucketName="more")["RetCode"] == 299
    # It is no way to a permanent key, nor to another role, nor into the registry.
    assert hub.call_as(key, "CreateAccessKey", UserName="alice")["RetCode"] == 299
    hub.call("AttachPoliciesToRole", RoleName="reader", PolicyURNs=[f"{SYSTEM}STSAssumeRoleAccess"])
    assert hub.call_as(key, "AssumeRole", **call)["RetCode"] == 299
    assert hub.request("GET", "/v2/", login=key[:2]).status == 401
    lines = hub.call("ListAuditRecords", Limit=50)["AuditSet"]
    assert any(one["User"] == "alice@1 as reader/build-1" and one["Action"] == "CreateAccessKey" for one in lines)
    assert key[2] not in str(lines)
    # 174: without its token, with another one, after its time, after its role.
    assert hub.call_as(key[:2], "GetRegion")["RetCode"] == 174
    assert hub.call_as((*key[:2], "other"), "GetRegion")["RetCode"] == 174
    assert hub.call_as((hub.public_key, hub.private_key, key[2]), "GetRegion")["RetCode"] == 174
    assert hub.call_as((key[0], "wrong", key[2]), "GetRegion")["RetCode"] == 171
    assert hub.call("DeleteRole", RoleName="reader")["RetCode"] == 0
    assert hub.call_as(key, "GetRegion")["RetCode"] == 174
    assert hub.call("GetRole", RoleName="reader")["RetCode"] == 1028


def test_a_session_policy_only_narrows(hub: TestHub) -> None:
    hub.bucket("owned")
    role = hub.call("CreateRole", RoleName="admin", RolePolicyDocument=trust("ucs:iam::1:root"))["Role"]["RoleURN"]
    hub.call("AttachPoliciesToRole", RoleName="admin", PolicyURNs=[f"{SYSTEM}UHubReadOnlyAccess"])
    narrow = policy("uhub:*", "iam:*")
    made = hub.call("AssumeRole", RoleUrn=role, RoleSessionName="s", Policy=narrow)["Credentials"]
    key = (made["AccessKeyId"], made["AccessKeySecret"], made["SecurityToken"])
    assert hub.call_as(key, "GetRepo", Type="private", ProjectId=hub.project_id)["TotalCount"] == 1
    assert hub.call_as(key, "GetImageBucketList", Region="cn-bj2")["RetCode"] == 299
    assert hub.call_as(key, "ListUsers")["RetCode"] == 299


def test_a_role_of_another_account(hub: TestHub) -> None:
    hub.bucket("owned")
    other = hub.run(
        people.add_user(hub.hub, "other@example.com", password="battery staple", rights=frozenset(), account_of=None)
    )
    theirs = (other.public_key, other.private_key)
    role = hub.call("CreateRole", RoleName="guest", RolePolicyDocument=trust("ucs:iam::1:root"))["Role"]["RoleURN"]
    hub.call("AttachPoliciesToRole", RoleName="guest", PolicyURNs=[f"{SYSTEM}UHubReadOnlyAccess"])
    assert hub.call_as(theirs, "AssumeRole", RoleUrn=role, RoleSessionName="s")["RetCode"] == 299
    assert hub.call_as(theirs, "AssumeRole", RoleUrn="ucs:iam::1:role/none", RoleSessionName="s")["RetCode"] == 299
    hub.call("DeleteRole", RoleName="guest")
    hub.call("CreateRole", RoleName="guest", RolePolicyDocument=trust("ucs:iam::2:user/other@example.com"))
    hub.call("AttachPoliciesToRole", RoleName="guest", PolicyURNs=[f"{SYSTEM}UHubReadOnlyAccess"])
    made = hub.call_as(theirs, "AssumeRole", RoleUrn=role, RoleSessionName="s")["Credentials"]
    key = (made["AccessKeyId"], made["AccessKeySecret"], made["SecurityToken"])
    listed = hub.call_as(key, "GetImageBucketList", Region="cn-bj2", BucketType="User")
    assert [one["BucketName"] for one in listed["ImageSet"]] == ["owned"]
    assert hub.call_as(key, "GetProjectList")["ProjectSet"][0]["ProjectId"] == hub.project_id


DENY = '{"Statement": {"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": "ucs:iam::1:root"}}'


@pytest.mark.parametrize(
    "document",
    ["", "{}", "[]", '{"Statement": 1}', '{"Statement": [1]}', trust(), trust("*"), trust("ucs:iam::x:root"), DENY],
)
def test_trust_documents_that_are_none(hub: TestHub, document: str) -> None:
    assert hub.call("CreateRole", RoleName="role", RolePolicyDocument=document)["RetCode"] == 230
