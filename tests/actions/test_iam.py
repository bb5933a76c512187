"""Members, keys, projects; and a tenancy matrix made from the declarations."""

from typing import Any

import pytest

from entrepot.api.declare import ACTIONS, fields
from entrepot.ops import people
from tests.conftest import TestHub
from tests.registry.kit import push_image


def as_user(hub: TestHub, public_key: str, private_key: str) -> TestHub:
    """The same hub, called with another key."""
    hub.public_key, hub.private_key = public_key, private_key
    return hub


def test_life_of_a_user(hub: TestHub) -> None:
    made = hub.call("CreateUser", UserName="alice", DisplayName="Alice", AccessKeyStatus="Active",
                    LoginProfileStatus="Active")  # fmt: skip
    assert made["RetCode"] == 0, made
    login = (made["Email"], made["Password"])
    assert made["Email"] == f"alice@{made['CompanyID']}"
    assert hub.request("GET", "/v2/", login=login).status == 200
    assert hub.request("GET", "/v2/", login=(made["AccessKeyID"], made["AccessKeySecret"])).status == 200
    assert hub.call("CreateUser", UserName="alice", AccessKeyStatus="Active", LoginProfileStatus="Inactive",
                    Email="x@y.z")["RetCode"] == 1023  # fmt: skip
    assert (
        hub.call("CreateUser", UserName="bob", AccessKeyStatus="Inactive", LoginProfileStatus="Inactive")["RetCode"]
        == 230
    )
    assert (
        hub.call("CreateUser", UserName="a b", AccessKeyStatus="Active", LoginProfileStatus="Inactive")["RetCode"]
        == 230
    )
    hub.bucket("depot")
    scope = "repository:depot/app:pull,push"
    assert hub.request("GET", "/v2/depot/app/tags/list", login=login).code == "DENIED"
    assert hub.call("SetUserRights", UserName="alice", Right=["pull", "push"])["RetCode"] == 0
    push_image(hub, "depot/app", "v1", hub.token(login, scope))
    assert hub.call("SetUserRights", UserName="alice", Right=["fly"])["RetCode"] == 230
    user = hub.call("GetUser", UserName="alice")["User"]
    assert (user["Email"], user["DisplayName"], user["Status"], user["APIAccess"]) == (
        login[0],
        "Alice",
        "Active",
        True,
    )
    assert hub.call("UpdateUser", UserName="alice", NewUserName="alicia", Status="Inactive")["RetCode"] == 0
    assert hub.request("GET", "/v2/", login=login).status == 401
    listed = hub.call("ListUsers", Limit="1", Offset="0")
    assert (listed["TotalCount"], [one["UserName"] for one in listed["Users"]]) == (2, ["alicia"])
    assert hub.call("DeleteUser", UserName="alicia")["RetCode"] == 0
    assert hub.call("GetUser", UserName="alicia")["RetCode"] == 1024
    for action in ("DeleteUser", "SetUserRights"):
        more = {"Right": ["pull"]} if action == "SetUserRights" else {}
        assert hub.call(action, UserName=hub.email, **more)["RetCode"] == 299
    assert hub.call("UpdateUser", UserName=hub.email, Status="Inactive")["RetCode"] == 299


def test_a_user_for_the_api_only_cannot_log_in_with_a_password(hub: TestHub) -> None:
    made = hub.call("CreateUser", UserName="robot", Password="long enough", AccessKeyStatus="Active",
                    LoginProfileStatus="Inactive")  # fmt: skip
    assert made["Password"] == ""
    assert hub.request("GET", "/v2/", login=(made["Email"], "long enough")).status == 401
    assert hub.request("GET", "/v2/", login=(made["AccessKeyID"], made["AccessKeySecret"])).status == 200
    assert hub.call("GetUser", UserName="robot")["User"]["Status"] == "ConsoleInactive"


def test_keys_of_oneself_and_of_others(hub: TestHub) -> None:
    made = hub.call("CreateUser", UserName="alice", AccessKeyStatus="Active", LoginProfileStatus="Inactive")
    main = (hub.public_key, hub.private_key)
    as_user(hub, made["AccessKeyID"], made["AccessKeySecret"])
    key = hub.call("CreateAccessKey", UserName="alice")["AccessKey"]
    assert (key["Status"], len(key["AccessKeySecret"])) == ("Active", 48)
    listed = hub.call("ListAccessKeys", UserName="alice")["AccessKey"]
    assert len(listed) == 2
    assert {one["AccessKeySecret"] for one in listed} == {""}
    assert hub.call("CreateAccessKey", UserName=hub.email)["RetCode"] == 299
    assert hub.call("ListAccessKeys", UserName="nobody")["RetCode"] == 299
    assert hub.call("DeleteAccessKey", AccessKeyID=main[0])["RetCode"] == 1025
    assert (
        hub.call("UpdateAccessKey", AccessKeyID=key["AccessKeyID"], Status="Inactive", Description="ci")["RetCode"] == 0
    )
    as_user(hub, key["AccessKeyID"], key["AccessKeySecret"])
    assert hub.call("GetUserInfo")["RetCode"] == 172
    as_user(hub, *main)
    assert hub.call("UpdateAccessKey", AccessKeyID=key["AccessKeyID"], Status="Active")["RetCode"] == 0
    [_, again] = hub.call("ListAccessKeys", UserName="alice")["AccessKey"]
    assert {again["Description"], listed[0]["Description"]} >= {""}
    assert hub.call("DeleteAccessKey", AccessKeyID=key["AccessKeyID"])["RetCode"] == 0
    as_user(hub, key["AccessKeyID"], key["AccessKeySecret"])
    assert hub.call("GetUserInfo")["RetCode"] == 172


def test_projects(hub: TestHub) -> None:
    project = hub.call("CreateProject", ProjectName="网站")["ProjectId"]
    assert hub.call("ModifyProject", ProjectId=project, ProjectName="web")["RetCode"] == 0
    assert [one["ProjectName"] for one in hub.call("GetProjectList")["ProjectSet"]] == ["Default", "web"]
    page = hub.call("ListProjects", Limit="1", Offset="1")
    assert (page["TotalCount"], page["Projects"][0]["ProjectID"]) == (2, project)
    assert hub.call("CreateRepo", ProjectId=project, RepoName="in-project")["RetCode"] == 0
    assert hub.call("GetRepo", ProjectId=project, Type="private")["TotalCount"] == 1
    assert hub.call("GetRepo", Type="private")["TotalCount"] == 0
    assert hub.call("TerminateProject", ProjectId=project)["RetCode"] == 1026
    hub.call("DeleteRepo", RepoName="in-project")
    assert hub.call("TerminateProject", ProjectId=project)["RetCode"] == 0
    assert hub.call("TerminateProject", ProjectId=project)["RetCode"] == 292
    assert hub.call("TerminateProject", ProjectId=hub.project_id)["RetCode"] == 299


def _params(hub: TestHub, action: str) -> dict[str, Any]:
    """Parameters that the owner may use."""
    known = {
        "Region": "cn-bj2", "BucketName": "owned", "RepoName": "owned", "ImageName": "app", "Tag": ["v1"],
        "ProjectId": hub.project_id, "ProjectName": "new", "UserName": "worker", "AccessKeyStatus": "Active",
        "LoginProfileStatus": "Active", "Right": ["pull"], "AccessKeyID": "set-below",
    }  # fmt: skip
    return {field.name: known[field.name] for field in fields(ACTIONS[action].request) if field.required}


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_tenancy_matrix(hub: TestHub, action: str) -> None:
    """Another account never reaches what is ours; a sub-user needs the declared right; a disabled key nothing."""
    hub.bucket("owned")
    push_image(hub, "owned/app", "v1", hub.main)
    owner = (hub.public_key, hub.private_key)
    worker = hub.call("CreateUser", UserName="worker", AccessKeyStatus="Active", LoginProfileStatus="Active")
    other = hub.run(people.add_user(hub.hub, "other@example.com", password="battery staple", rights=frozenset(),
                                    account_of=None))  # fmt: skip
    params = _params(hub, action)
    if "AccessKeyID" in params:
        params["AccessKeyID"] = worker["AccessKeyID"]

    def dump() -> list[Any]:
        tables = ("bucket", "image", "tag", "manifest", "person", "access_key", "project")
        return [
            hub.run(hub.hub.db.read(lambda rows, table=table: rows.all(f"SELECT * FROM {table}"))) for table in tables
        ]

    before = dump()
    anonymous = hub.request("GET", f"/?Action={action}").json
    assert anonymous["RetCode"] == 170
    as_user(hub, other.public_key, other.private_key)
    foreign = hub.call(action, **params)
    changed = {"CreateUser", "CreateProject"}
    if action not in changed:
        assert dump() == before
    assert worker["AccessKeyID"] not in str(foreign) or foreign["RetCode"] != 0
    if "ProjectId" in params:
        assert foreign["RetCode"] == 292
    as_user(hub, worker["AccessKeyID"], worker["AccessKeySecret"])
    bare = hub.call(action, **params, **({"ProjectId": hub.project_id} if "ProjectId" not in params else {}))
    declared = ACTIONS[action]
    if declared.needs:
        assert bare["RetCode"] == 299
    if declared.in_project:
        hub.run(people.set_active(hub.hub, worker["Email"], active=True))
        assert (
            hub.call(action, **{name: value for name, value in params.items() if name != "ProjectId"})["RetCode"] == 299
        )
    if action != "DeleteAccessKey":
        hub.run(people.set_active(hub.hub, worker["Email"], active=False))
    assert hub.call(action, **params)["RetCode"] == 172
    as_user(hub, *owner)
    if action == "CreateAccessKey":
        params["UserName"] = hub.email
    answer = hub.call(action, **params)
    refused_for_its_state = {
        "CreateDockerImageBucket": 43022, "CreateRepo": 1031, "DeleteRepo": 1010, "CreateUser": 1023,
        "TerminateProject": 299, "DeleteAccessKey": 1025, "UpdateAccessKey": 0,
    }  # fmt: skip
    assert answer["RetCode"] == refused_for_its_state.get(action, 0), answer
