"""Robots: made over the API, used at the registry door, out at once."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import HubError
from entrepot.model import names
from entrepot.model.names import RobotName
from entrepot.ops import people, robots
from tests.conftest import TestHub
from tests.registry.kit import push_blob, push_image

HOME, NEXT, OPEN = "home-depot", "next-depot", "open-depot"
Login = tuple[str, str]


@pytest.fixture
def depots(hub: TestHub) -> TestHub:
    for name in (HOME, NEXT):
        hub.bucket(name)
    hub.bucket(OPEN, is_public=True, email=hub.user("stranger@example.com", other_account=True)[0])
    for name in (HOME, NEXT):
        push_image(hub, f"{name}/app", "v1", hub.main)
    push_image(hub, f"{OPEN}/app", "v1", ("stranger@example.com", "battery staple"))
    return hub


def robot(hub: TestHub, name: str, *rights: str, bucket: str = HOME, **more: Any) -> Login:
    made = hub.call("CreateBucketRobot", BucketName=bucket, RobotName=name, Permission=list(rights), **more)
    assert made["RetCode"] == 0, made
    return made["LoginName"], made["Secret"]


def update(hub: TestHub, name: str, **more: Any) -> int:
    return int(hub.call("UpdateBucketRobot", BucketName=HOME, RobotName=name, **more)["RetCode"])


def everything(hub: TestHub, login: Login, bucket: str = HOME) -> str:
    return hub.token(login, f"repository:{bucket}/app:pull,push,delete")


def pull(hub: TestHub, login: Login | str, bucket: str = HOME) -> int:
    return hub.request("GET", f"/v2/{bucket}/app/manifests/v1", login=login).status


def trail(hub: TestHub) -> list[tuple[str, str, str, int]]:
    lines = hub.call("ListAuditRecords", Limit=100)["AuditSet"]
    return [(one["User"], one["Action"], one["Target"], one["Result"]) for one in reversed(lines)]


def test_life_of_a_robot(depots: TestHub) -> None:
    hub = depots
    ci = robot(hub, "ci", "Pull", "Push")
    assert ci[0] == f"robot${HOME}+ci"
    assert len(ci[1]) == 48
    assert ci[1].isalnum()
    assert pull(hub, ci) == 200
    push_image(hub, f"{HOME}/made", "v1", ci)
    push_image(hub, f"{HOME}/made", "v2", hub.token(ci, f"repository:{HOME}/made:pull,push"))
    assert hub.request("DELETE", f"/v2/{HOME}/made/manifests/v2", login=ci).code == "DENIED"
    shown = {"RobotName": "ci", "LoginName": ci[0], "Permission": ["Pull", "Push"], "Status": "Active", "ExpireTime": 0}
    [listed] = hub.call("ListBucketRobots", BucketName=HOME)["RobotSet"]
    assert shown.items() <= listed.items()
    assert ci[1] not in json.dumps(listed)
    assert hub.call("CreateBucketRobot", BucketName=HOME, RobotName="ci", Permission=["Pull"])["RetCode"] == 1023
    assert hub.call("DeleteBucketRobot", BucketName=HOME, RobotName="ci")["RetCode"] == 0
    assert hub.call("DeleteBucketRobot", BucketName=HOME, RobotName="ci")["RetCode"] == 1041
    assert (pull(hub, ci), update(hub, "ci", Status="Active")) == (401, 1041)
    # A new one of the same name is another one.
    again = robot(hub, "ci", "Pull")
    assert (pull(hub, ci), pull(hub, again)) == (401, 200)
    lines = trail(hub)
    assert (ci[0], "PushManifest") in {line[:2] for line in lines}
    assert (ci[0], "Login", ci[0], 0) in lines
    assert (ci[0], "Delete", f"{HOME}/made v2", 299) in lines
    assert (hub.email, "CreateBucketRobot", f"{HOME} ci Permission=Pull,Push", 0) in lines
    history = hub.call("ListTagHistory", BucketName=HOME, ImageName="made")["TagHistorySet"]
    assert {one["User"] for one in history} == {ci[0]}
    assert ci[1] not in json.dumps(lines)


def test_both_spellings_of_a_login_name(depots: TestHub) -> None:
    name, secret = robot(depots, "ci", "Pull")
    assert pull(depots, (name.replace("$", "+"), secret)) == 200
    # What a shell makes of it without quotes.
    refused = depots.request("GET", "/v2/", login=("robot+ci", secret))
    assert refused.status == 401
    assert "single quotes" in refused.json["errors"][0]["message"]
    assert pull(depots, (name, secret[:-1])) == pull(depots, (name, secret + "0")) == pull(depots, (name, "")) == 401
    assert pull(depots, (f"robot${NEXT}+ci", secret), NEXT) == 401


@given(st.from_regex(names._BUCKET, fullmatch=True), st.from_regex(names._ROBOT, fullmatch=True))
def test_a_login_name_is_read_as_it_was_written(bucket: str, name: str) -> None:
    made = RobotName(bucket, name)
    if len(str(made)) <= 200:
        assert names.robot_login(str(made)) == names.robot_login(f"robot+{bucket}+{name}") == made


@given(st.text(alphabet="robt$+@:ab.-_/ \n", max_size=30))
def test_no_other_text_is_a_robot(text: str) -> None:
    found = names.robot_login(text)
    if found is not None:
        assert text in {str(found), f"robot+{found.bucket}+{found.name}"}
        assert names.robot(found.name) == found.name
    assert names.robot_login(f"{text}@example.com") is None, "e-mail addresses may hold a plus"


@pytest.mark.parametrize("name", ["", "-a", "a-", "a..b", "A", "a b", "a/b", "a+b", "a$b", "ä", "x" * 65, "a\n"])
def test_bad_names(hub: TestHub, name: str) -> None:
    hub.bucket(HOME)
    assert hub.call("CreateBucketRobot", BucketName=HOME, RobotName=name, Permission=["Pull"])["RetCode"] == 230
    with pytest.raises(HubError):
        names.robot(name)


def test_a_robot_sees_one_bucket_and_what_everybody_sees(depots: TestHub) -> None:
    hub = depots
    ci = robot(hub, "ci", "Pull", "Push", "Delete")
    stranger = ("stranger@example.com", "battery staple")
    for login in (ci, everything(hub, ci, NEXT)):
        for method, path in (("GET", "manifests/v1"), ("POST", "blobs/uploads/"), ("DELETE", "manifests/v1")):
            for bucket in (NEXT, "missing-depot"):
                there = hub.request(method, f"/v2/{bucket}/app/{path}", login=login)
                assert there.status == (404 if login is ci or bucket == NEXT else 401), (method, path, bucket)
    mine = hub.request("GET", f"/v2/{NEXT}/app/manifests/v1", login=ci)
    theirs = hub.request("GET", f"/v2/{NEXT}/app/manifests/v1", login=stranger)
    assert mine.body == theirs.body
    assert pull(hub, ci, OPEN) == pull(hub, everything(hub, ci, OPEN), OPEN) == 200
    assert hub.request("POST", f"/v2/{OPEN}/app/blobs/uploads/", login=ci).status == 403
    for login in (ci, hub.token(ci, "registry:catalog:*")):
        assert hub.request("GET", "/v2/_catalog", login=login).json["repositories"] == [f"{HOME}/app", f"{OPEN}/app"]
    pusher = robot(hub, "pusher", "Push")
    listed = hub.request("GET", "/v2/_catalog", login=pusher).json["repositories"]
    assert listed == [f"{OPEN}/app"]
    claims = json.loads(base64.urlsafe_b64decode(everything(hub, ci, NEXT).split(".")[1] + "=="))
    assert claims["access"][0]["bucket"] == 0, "a token does not tell that a bucket is there"


def test_mounts_of_a_robot_stay_in_its_bucket(depots: TestHub) -> None:
    hub = depots
    ci = robot(hub, "ci", "Pull", "Push")
    inside = push_blob(hub, f"{HOME}/app", b"inside", hub.main)
    outside = push_blob(hub, f"{NEXT}/app", b"outside", hub.main)
    token = hub.token(ci, f"repository:{HOME}/other:pull,push")
    for login in (ci, token):
        for digest, source, wanted in ((inside, f"{HOME}/app", 201), (outside, f"{NEXT}/app", 202), (outside, "", 202)):
            query = f"mount={digest}" + (f"&from={source}" if source else "")
            assert hub.request("POST", f"/v2/{HOME}/other/blobs/uploads/?{query}", login=login).status == wanted
    pusher = robot(hub, "pusher", "Push")
    query = f"mount={push_blob(hub, f'{HOME}/app', b'unread', hub.main)}&from={HOME}/app"
    assert hub.request("POST", f"/v2/{HOME}/other/blobs/uploads/?{query}", login=pusher).status == 202


def test_an_upload_belongs_to_its_robot(depots: TestHub) -> None:
    hub = depots
    one, two = robot(hub, "one", "Pull", "Push"), robot(hub, "two", "Pull", "Push")
    place = hub.request("POST", f"/v2/{HOME}/app/blobs/uploads/", login=one).headers["location"]
    assert hub.request("PATCH", place, body=b"abc", login=one).status == 202
    for other in (two, hub.main):
        for method in ("GET", "PATCH", "DELETE"):
            assert hub.request(method, place, login=other).status == 404
    assert hub.request("GET", place, login=one).headers["range"] == "0-2"


@pytest.mark.parametrize("how", ["disable", "delete", "rights", "expiry", "bucket"])
def test_tokens_end_at_once(hub: TestHub, how: str) -> None:
    hub.bucket(HOME)
    kept, gone = robot(hub, "kept", "Pull", "Push"), robot(hub, "gone", "Pull", "Push")
    scope = f"repository:{HOME}/app:pull,push"
    bystander, token = hub.token(kept, scope, "registry:catalog:*"), hub.token(gone, scope, "registry:catalog:*")
    place = hub.request("POST", f"/v2/{HOME}/app/blobs/uploads/", login=token).headers["location"]
    assert hub.request("PATCH", place, body=b"abc", login=token).status == 202
    end = {
        "disable": lambda: update(hub, "gone", Status="Inactive"),
        "delete": lambda: hub.call("DeleteBucketRobot", BucketName=HOME, RobotName="gone")["RetCode"],
        "rights": lambda: update(hub, "gone", Permission=["Pull"]),
        "expiry": lambda: update(hub, "gone", ExpireTime=int(hub.hub.clock()) + 5),
        "bucket": lambda: hub.call("DeleteRepo", RepoName=HOME)["RetCode"],
    }[how]
    assert end() == 0
    if how == "bucket":
        assert hub.request("POST", f"/v2/{HOME}/app/blobs/uploads/", login=bystander).status in {401, 404}
        hub.bucket(HOME)
        assert robot(hub, "gone", "Pull", "Push")[1] != gone[1]
    else:
        push_blob(hub, f"{HOME}/app", b"others go on", bystander)
        assert hub.request("GET", "/v2/_catalog", login=bystander).status == 200
    for method, path in (
        ("GET", f"/v2/{HOME}/app/tags/list"),
        ("GET", f"/v2/{HOME}/app/manifests/v1"),
        ("POST", f"/v2/{HOME}/app/blobs/uploads/"),
        ("PATCH", place),
        ("GET", "/v2/"),
        ("GET", "/v2/_catalog"),
    ):
        reply = hub.request(method, path, login=token)
        assert reply.status in ({401, 403, 404} if how == "bucket" and "app" in path else {401}), (method, path)
    if how == "disable":
        assert update(hub, "gone", Status="Active") == 0
        assert hub.request("POST", f"/v2/{HOME}/app/blobs/uploads/", login=token).status == 401, "an old one stays old"
        assert hub.request("POST", f"/v2/{HOME}/app/blobs/uploads/", login=gone).status == 202


def test_a_change_that_changes_nothing_ends_nothing(depots: TestHub) -> None:
    ci = robot(depots, "ci", "Pull")
    token = everything(depots, ci)
    assert update(depots, "ci", Status="Active", Permission=["Pull"], ExpireTime=0) == 0
    assert pull(depots, token) == 200


def test_the_end_that_was_set(depots: TestHub) -> None:
    hub = depots
    now = [hub.hub.clock()]
    hub.hub.clock = lambda: now[0]
    ci = robot(hub, "ci", "Pull", ExpireTime=int(now[0]) + 100)
    reply = hub.request("GET", f"/token?scope=repository:{HOME}/app:pull", login=ci)
    assert reply.json["expires_in"] == 100
    assert pull(hub, reply.json["token"]) == pull(hub, ci) == 200
    now[0] += 100
    assert pull(hub, reply.json["token"]) == pull(hub, ci) == 401
    refused = hub.request("GET", "/token", login=ci)
    assert (refused.status, "has expired" in refused.json["errors"][0]["message"]) == (401, True)
    assert "expired" not in hub.request("GET", "/token", login=(ci[0], "guess")).json["errors"][0]["message"]
    assert hub.call("ListBucketRobots", BucketName=HOME)["RobotSet"][0]["Status"] == "Expired"
    assert update(hub, "ci", ExpireTime=int(now[0])) == 230
    assert update(hub, "ci", ExpireTime=0) == 0
    assert pull(hub, ci) == 200


def test_a_robot_follows_its_account(depots: TestHub) -> None:
    hub = depots
    ci = robot(hub, "ci", "Pull")
    assert hub.call("SetNetworkMask", LoginNetworkMask="192.0.2.0/24")["RetCode"] == 0
    for path in ("/v2/", "/token", f"/v2/{HOME}/app/manifests/v1"):
        assert hub.request("GET", path, login=ci).status == 403
        assert hub.request("GET", path, login=(ci[0], "guess")).status == 401
    assert hub.call("SetNetworkMask", LoginNetworkMask="")["RetCode"] == 0
    assert hub.call("SetBucketNetworkPolicy", BucketName=HOME, Network=["192.0.2.0/24"])["RetCode"] == 0
    assert pull(hub, ci) == pull(hub, everything(hub, ci)) == 403
    assert hub.call("SetBucketNetworkPolicy", BucketName=HOME, Network=[""])["RetCode"] == 0
    assert pull(hub, ci) == 200
    hub.run(people.set_active(hub.hub, hub.email, active=False))
    assert pull(hub, ci) == 401


def test_a_robot_gets_no_further_than_the_registry(depots: TestHub) -> None:
    hub = depots
    ci = robot(hub, "ci", "Pull", "Push", "Delete")
    assert hub.call_as(ci, "GetImageBucketList", Region="cn-bj2")["RetCode"] == 172
    assert hub.run(people.named(hub.hub, ci[0])) is None
    with pytest.raises(HubError):
        hub.run(people.login(hub.hub, *ci, "127.0.0.1"))
    for query in ("/token?offline_token=true", "/token"):
        assert "refresh_token" not in hub.request("GET", query, login=ci).json
    form = f"grant_type=password&access_type=offline&username={ci[0].replace('+', '%2B')}&password={ci[1]}"
    reply = hub.request("POST", "/token", headers={"content-type": "application/x-www-form-urlencoded"},
                        body=form.encode())  # fmt: skip
    assert (reply.status, "refresh_token" in reply.json) == (200, False)


def test_who_may_make_which_robot(depots: TestHub) -> None:
    """A policy that keeps something from somebody keeps it from the robots of theirs."""
    hub = depots
    made = hub.call("CreateUser", UserName="bob", AccessKeyStatus="Active", LoginProfileStatus="Inactive")
    bob = (made["AccessKeyID"], made["AccessKeySecret"])

    def make(name: str, *rights: str) -> int:
        call = hub.call_as(bob, "CreateBucketRobot", BucketName=HOME, RobotName=name, Permission=list(rights))
        return int(call["RetCode"])

    hub.call("SetUserRights", UserName="bob", Right=["admin", "pull", "delete"])
    rule = {"Effect": "Deny", "Action": "ugc:DeleteImage", "Resource": f"ucs:uhub:*:*:repo/{HOME}/held"}
    document = json.dumps({"Version": "1", "Statement": [rule]})
    urn = hub.call("CreateIAMPolicy", PolicyName="held", Document=document)["PolicyURN"]
    hub.call("AttachPoliciesToUser", UserName="bob", PolicyURNs=[urn])
    assert (make("a", "Pull"), make("b", "Push"), make("c", "Delete"), make("d")) == (0, 299, 299, 220)
    robot(hub, "strong", "Pull", "Push")
    act = {"BucketName": HOME, "RobotName": "strong"}
    assert hub.call_as(bob, "UpdateBucketRobot", **act, ExpireTime=int(hub.hub.clock()) + 900)["RetCode"] == 299
    assert hub.call_as(bob, "UpdateBucketRobot", **act, Status="Inactive")["RetCode"] == 0
    assert hub.call_as(bob, "UpdateBucketRobot", **act, Status="Active")["RetCode"] == 299
    assert hub.call_as(bob, "UpdateBucketRobot", **act, Status="Active", Permission=["Pull"])["RetCode"] == 0
    assert hub.call("CreateBucketRobot", BucketName=OPEN, RobotName="x", Permission=["Pull"])["RetCode"] == 43023
    assert hub.call("ListBucketRobots", BucketName=OPEN)["RetCode"] == 43023


def test_robots_of_a_bucket_are_bounded(hub: TestHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robots, "ROBOTS", 2)
    hub.bucket(HOME)
    codes = [
        hub.call("CreateBucketRobot", BucketName=HOME, RobotName=f"r{place}", Permission=["Pull"])["RetCode"]
        for place in range(3)
    ]
    assert codes == [0, 0, 1040]


def test_a_pull_by_a_robot_costs_one_statement(depots: TestHub) -> None:
    token = everything(depots, robot(depots, "ci", "Pull"))
    assert pull(depots, token) == 200
    before = depots.queries()
    assert pull(depots, token) == 200
    assert depots.queries() == before + 1


def test_what_is_kept_of_a_secret_opens_nothing(depots: TestHub) -> None:
    hub = depots
    one, two = robot(hub, "one", "Pull"), robot(hub, "two", "Pull", bucket=NEXT)
    rows = hub.run(hub.hub.db.read(lambda rows: rows.all("SELECT name, secret_hash FROM robot ORDER BY name")))
    assert one[1] not in str(rows)
    assert pull(hub, (one[0], rows[0][1])) == 401
    swap = "UPDATE robot SET secret_hash = :hash WHERE name = 'two'"
    hub.run(hub.hub.db.write(lambda all_rows: all_rows.run(swap, hash=rows[0][1])))
    assert pull(hub, (two[0], one[1]), NEXT) == 401
