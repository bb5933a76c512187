"""Members, keys, projects."""

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
