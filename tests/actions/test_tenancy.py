"""A matrix made from the declarations: every action, called by everybody who could be in the way of it."""

import base64
import json
from typing import Any, NamedTuple

import pytest

from entrepot.api.declare import ACTIONS, Action, fields
from entrepot.ops import dispatch, people
from tests.conftest import TestHub
from tests.registry.kit import push_image

Keys = tuple[str, ...]
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "ucs:iam::1:root"}
CHANGES_OWN = {"CreateUser", "CreateProject", "CreateIAMPolicy", "CreateRole", "CreateSFNamespace"}
"""Actions with which somebody of another account makes something of their own under our parameters."""
REFUSED_FOR_ITS_STATE = {
    "CreateDockerImageBucket": 43022, "CreateRepo": 1031, "DeleteRepo": 1010, "CreateUser": 1023,
    "TerminateProject": 299, "CreateIAMPolicy": 1023, "DeleteIAMPolicy": 1029, "CreateRole": 1023,
    "CreateBucketRobot": 1023, "DeleteSFNamespace": 1029, "DeleteSFWorkflow": 1029,
}  # fmt: skip
IN_ONE_PROJECT = {"pull", "push", "delete"}


class World(NamedTuple):
    """A hub with two accounts, and in the first one whatever an action may name."""

    hub: TestHub
    owner: Keys
    other: Keys
    worker: Keys
    known: dict[str, Any]
    other_project: str


def policy(*actions: str, effect: str = "Allow", resource: str = "*") -> str:
    rule = {"Effect": effect, "Action": list(actions), "Resource": [resource]}
    return json.dumps({"Version": "1", "Statement": [rule]})


@pytest.fixture
def world(hub: TestHub) -> World:
    hub.bucket("owned")
    push_image(hub, "owned/app", "v1", hub.main)
    made = hub.call("CreateUser", UserName="worker", AccessKeyStatus="Active", LoginProfileStatus="Active")
    spare = hub.call("CreateAccessKey", UserName="worker")["AccessKey"]["AccessKeyID"]
    other = hub.run(
        people.add_user(hub.hub, "other@example.com", password="battery staple", rights=frozenset(), account_of=None)
    )
    urn = hub.call("CreateIAMPolicy", PolicyName="nothing", Document=policy("uhub:Nothing"))["PolicyURN"]
    role = hub.call("CreateRole", RoleName="actor", RolePolicyDocument=json.dumps({"Statement": TRUST}))["Role"]
    for action, name in (("AttachPoliciesToUser", "UserName"), ("AttachPoliciesToRole", "RoleName")):
        assert hub.call(action, **{name: "worker" if name == "UserName" else "actor"}, PolicyURNs=[urn])["RetCode"] == 0
    robot = {"BucketName": "owned", "RobotName": "ci", "Permission": ["Pull"]}
    assert hub.call("CreateBucketRobot", **robot)["RetCode"] == 0
    assert hub.call("GrantBucket", BucketName="owned", GranteeID=2)["RetCode"] == 0
    assert hub.call("RevokeBucketGrant", BucketName="owned", GranteeID=2)["RetCode"] == 0
    push_image(hub, "owned/old", "v1", hub.main)
    assert hub.call("DeleteRepoImage", RepoName="owned", ImageName="old")["RetCode"] == 0
    [deletion] = hub.call("ListDeleted")["DeletedSet"]
    known = {
        "DeletionId": deletion["DeletionId"],
        "Region": "cn-bj2", "BucketName": "owned", "RepoName": "owned", "ImageName": "app", "Tag": ["v1"],
        "ProjectId": hub.project_id, "ProjectID": hub.project_id, "ProjectName": "new", "UserName": "worker",
        "AccessKeyStatus": "Active", "LoginProfileStatus": "Active", "Right": ["pull"], "AccessKeyID": spare,
        "PolicyURN": urn, "PolicyURNs": [urn], "PolicyName": "nothing", "Document": policy("uhub:Nothing"),
        "TagName": "v1", "RoleName": "actor", "RoleUrn": role["RoleURN"], "RoleSessionName": "s", "GranteeID": 2,
        "RolePolicyDocument": role["RolePolicyDocument"], "RobotName": "ci", "Permission": ["Pull"],
        "Reference": "v1", "CurrentPassword": made["Password"], "NewPassword": "one more horse",
    }  # fmt: skip
    flow(hub, known)
    listeners(hub, known)
    return World(
        hub,
        (hub.public_key, hub.private_key),
        (other.public_key, other.private_key),
        (made["AccessKeyID"], made["AccessKeySecret"]),
        known,
        hub.call("CreateProject", ProjectName="elsewhere")["ProjectId"],
    )


def flow(hub: TestHub, known: dict[str, Any]) -> None:
    """A workflow of the account, and a run that waits for an engine."""
    template = {"Activities": [{"Name": "start", "Type": "StartActivity", "Next": "end"},
                               {"Name": "end", "Type": "EndActivity"}]}  # fmt: skip
    known["Workflow"] = base64.b64encode(json.dumps(template).encode()).decode()
    known["Namespace"] = hub.call("CreateSFNamespace", Namespace="owned")["NamespaceId"]
    known["WorkflowName"] = "owned"
    known["WorkflowId"] = f"{known['Namespace']}.owned"
    known["Globals"], known["Endpoint"] = '{"owned": 1}', "https://owned.test"
    known["EndpointPublicKey"], known["EndpointPrivateKey"] = "public", "owned"
    wanted = ("Namespace", "WorkflowName", "Workflow", "Endpoint", "EndpointPublicKey", "EndpointPrivateKey", "Globals")
    for action in ("SetSFGlobals", "SetSFCredential", "CreateSFWorkflowFromTemplate"):
        answer = hub.call(action, Region="cn-bj2", **{name: known[name] for name in wanted})
        assert answer["RetCode"] == 0, answer
    assert hub.call("PublishSFWorkflow", WorkflowId=known["WorkflowId"])["RetCode"] == 0
    known["InstanceId"] = hub.call("RunSFWorkflow", WorkflowId=known["WorkflowId"])["InstanceId"]


def listeners(hub: TestHub, known: dict[str, Any]) -> None:
    """A webhook with a delivery, and a trigger."""
    known |= {"Url": "https://owned.test/", "Source": "v1", "TriggerKind": "Event"}
    known["WebhookId"] = hub.call("CreateBucketWebhook", BucketName="owned", Url=known["Url"])["WebhookId"]
    known["TriggerId"] = hub.call("CreateSFTrigger", WorkflowId=known["WorkflowId"], TriggerKind="Event")["TriggerId"]
    push_image(hub, "owned/seen", "v1", hub.main)
    hub.run(dispatch.step(hub.hub))


def params_of(world: World, action: Action) -> dict[str, Any]:
    wanted = [field.name for field in fields(action.request) if field.required]
    if action.in_project:
        wanted.append("ProjectId")
    # A namespace is made under a name, and found under its id.
    own_name = {"Namespace": "new"} if action.name == "CreateSFNamespace" else {}
    return {**{name: world.known[name] for name in wanted}, **own_name}


def dump(hub: TestHub) -> list[Any]:
    """Every row that belongs to somebody."""
    tables = ("bucket", "image", "tag", "manifest", "person", "access_key", "project", "policy", "role", "attachment",
              "bucket_grant", "account", "quota", "deletion", "deleted_manifest", "bucket_retention", "robot",
              "flow_namespace", "flow_global", "flow_credential", "workflow", "workflow_version",
              "workflow_instance", "webhook", "webhook_delivery", "flow_trigger", "event")  # fmt: skip
    return [hub.run(hub.hub.db.read(lambda rows, table=table: rows.all(f"SELECT * FROM {table}"))) for table in tables]


def attach(world: World, document: str, **where: str) -> None:
    urn = world.hub.call("CreateIAMPolicy", PolicyName="given", Document=document)["PolicyURN"]
    answer = world.hub.call("AttachPoliciesToUser", UserName="worker", PolicyURNs=[urn], **where)
    assert answer["RetCode"] == 0, answer


def temporary(world: World) -> Keys:
    everything = ["ucs:iam::ucs:policy/AdministratorAccess"]
    assert world.hub.call("AttachPoliciesToRole", RoleName="actor", PolicyURNs=everything)["RetCode"] == 0
    made = world.hub.call("AssumeRole", RoleUrn=world.known["RoleUrn"], RoleSessionName="ci")["Credentials"]
    return made["AccessKeyId"], made["AccessKeySecret"], made["SecurityToken"]


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_outside(world: World, name: str) -> None:
    """Nobody, another account, a disabled key, an ended temporary key: nothing of ours is told or changed."""
    hub, action = world.hub, ACTIONS[name]
    params = params_of(world, action)
    session = temporary(world)
    before = dump(hub)
    assert hub.request("GET", f"/?Action={name}").json["RetCode"] == 170
    foreign = hub.call_as(world.other, name, **params)
    if name not in CHANGES_OWN:
        assert dump(hub) == before
    if "ProjectId" in params:
        assert foreign["RetCode"] == 292
    if name not in CHANGES_OWN:  # there the answer repeats what was sent, for something of their own
        told = {key: value for key, value in foreign.items() if key != "Message"}
        assert not {"worker", "owned", "actor", world.known["AccessKeyID"]} & set(json.dumps(told).split('"')), foreign
    before = dump(hub)
    hub.hub.clock = lambda: 4e9
    assert hub.call_as(session, name, **params)["RetCode"] == 174
    hub.run(people.set_active(hub.hub, "worker@1", active=False))
    assert hub.call_as(world.worker, name, **params)["RetCode"] == 172
    hub.run(people.set_active(hub.hub, "worker@1", active=True))
    assert dump(hub) == before


@pytest.mark.parametrize("name", sorted(ACTIONS))
def test_inside(world: World, name: str) -> None:
    """A sub-user bare, denied, with a policy for another project, with one for everything; then the owner."""
    hub, action = world.hub, ACTIONS[name]
    params = params_of(world, action)
    bare = hub.call_as(world.worker, name, **params)["RetCode"]
    assert (bare == 299) == (bool(action.needs) or name == "AssumeRole"), bare
    attach(world, policy(action.policy_name, "uhub:Pull*"), Scope="Specified", ProjectID=world.other_project)
    scoped = hub.call_as(world.worker, name, **params)
    if action.needs and not action.by_project:
        assert scoped["RetCode"] == 299, scoped
    elif action.by_project:
        assert (scoped["RetCode"], scoped["TotalCount"], listed_in(scoped)) == (0, 0, [])
    document = json.dumps({"Version": "1", "Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        {"Effect": "Deny", "Action": action.policy_name, "Resource": "*"}]})  # fmt: skip
    urn = "ucs:iam::1:policy/given"
    hub.call("AttachPoliciesToUser", UserName="worker", PolicyURNs=[urn])
    assert hub.call("UpdateIAMPolicy", PolicyURN=urn, Document=document)["RetCode"] == 0
    assert hub.call_as(world.worker, name, **params)["RetCode"] == 299
    assert (
        hub.call("UpdateIAMPolicy", PolicyURN=urn, Document=policy(action.policy_name, "uhub:PullImage"))["RetCode"]
        == 0
    )
    assert hub.call("DetachPoliciesFromUser", UserName="worker", PolicyURNs=[urn], Scope="Specified",
                    ProjectID=world.other_project)["RetCode"] == 0  # fmt: skip
    refused = {**REFUSED_FOR_ITS_STATE, "RevokeBucketGrant": 230, "RestoreTag": 1033, "SetBucketRetention": 220}.get(
        name, 0
    )
    if not action.needs:
        undo(world, name)
    by_policy = hub.call_as(world.worker, name, **params)
    assert by_policy["RetCode"] == refused, by_policy
    undo(world, name)
    if "CurrentPassword" in params:
        world.known["CurrentPassword"] = hub.password
    owned = hub.call_as(world.owner, name, **params_of(world, action))
    assert owned["RetCode"] == refused, owned


def listed_in(answer: dict[str, Any]) -> Any:
    """The one list of an answer."""
    return next(value for value in answer.values() if isinstance(value, list))


def undo(world: World, name: str) -> None:
    """Put back what the worker took away, so that the owner can take it as well."""
    hub, known = world.hub, world.known
    if name in {"DeleteImage", "DeleteRepoImage"}:
        push_image(hub, "owned/app", "v1", hub.main)
    elif name in {"RestoreDeleted", "PurgeDeleted"}:
        push_image(hub, "owned/old", "v1", hub.main)
        assert hub.call("DeleteRepoImage", RepoName="owned", ImageName="old")["RetCode"] == 0
        known["DeletionId"] = hub.call("ListDeleted")["DeletedSet"][0]["DeletionId"]
    elif name == "DeleteSFCredential":
        wanted = ("Namespace", "Endpoint", "EndpointPublicKey", "EndpointPrivateKey")
        hub.call("SetSFCredential", **{field: known[field] for field in wanted})
    elif name == "DeleteUser":
        hub.call("CreateUser", UserName="worker", AccessKeyStatus="Active", LoginProfileStatus="Active")
    elif name == "DeleteAccessKey":
        made = hub.call("CreateAccessKey", UserName="worker")["AccessKey"]["AccessKeyID"]
        rename = "UPDATE access_key SET public_key = :key WHERE public_key = :made"
        hub.run(hub.hub.db.write(lambda rows: rows.run(rename, key=known["AccessKeyID"], made=made)))
    elif name == "DeleteRole":
        hub.call("CreateRole", RoleName="actor", RolePolicyDocument=known["RolePolicyDocument"])
    elif name == "DeleteBucketWebhook":
        known["WebhookId"] = hub.call("CreateBucketWebhook", BucketName="owned", Url=known["Url"])["WebhookId"]
    elif name == "DeleteSFTrigger":
        made = hub.call("CreateSFTrigger", WorkflowId=known["WorkflowId"], TriggerKind="Event")
        known["TriggerId"] = made["TriggerId"]
    elif name == "DeleteBucketRobot":
        hub.call("CreateBucketRobot", BucketName="owned", RobotName="ci", Permission=["Pull"])
    elif name.startswith("DetachPolicies"):
        who = {"UserName": "worker"} if name.endswith("User") else {"RoleName": "actor"}
        hub.call(name.replace("Detach", "Attach").replace("From", "To"), PolicyURNs=known["PolicyURNs"], **who)
