"""The traps 30 to 55 of section 8 of the wire facts: repeats, typed decoding, the account side, names."""

import asyncio
import base64
import http.client
import json
import re
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrepot import config
from entrepot.api.declare import ACTIONS
from entrepot.store.sql import buckets as buckets_sql
from tests.actions.test_traps import FORM, JSON, LIST, answer, call, every_kind, form, js, person, sha1_of, stamped
from tests.conftest import Loop, Reply, TestHub, entrepot, free_port, places, serve
from tests.model.flow.kit import start, template
from tests.registry.kit import push_image
from tests.stored import outside

WHERE = {"Region": "cn-bj2", "BucketName": "depot", "RepoName": "depot", "ImageName": "app", "UserName": "alice",
         "RoleName": "deploy", "PolicyURN": "ucs:iam::ucs:policy/UHubFullAccess"}  # fmt: skip
"""What any listing action may ask for: unknown parameters are ignored."""
HOSTILE = 'a "RetCode": "123" in text, "RetCode":"4"'


def listings(hub: TestHub) -> dict[str, Reply]:
    """The answer of every action that changes nothing."""
    return {name: form(hub, stamped(hub, {"Action": name, **WHERE})) for name, act in ACTIONS.items() if act.safe}


@pytest.fixture
def depot(hub: TestHub) -> TestHub:
    """A hub with one repository, an image of two tags in it, and a user."""
    assert call(hub, "CreateRepo", RepoName="depot", Description=HOSTILE)["RetCode"] == 0
    for tag in ("v1", "v2"):
        push_image(hub, "depot/app", tag, hub.main)
    call(hub, "CreateUser", UserName="alice", DisplayName=HOSTILE[:60], AccessKeyStatus="Active",
         LoginProfileStatus="Active")  # fmt: skip
    return hub


def tags(hub: TestHub, repo: str = "depot") -> list[str]:
    return [one["TagName"] for one in call(hub, "GetImageTag", RepoName=repo, ImageName="app").get("TagSet", [])]


# --- clients that repeat themselves


def test_trap_30_a_burst_of_repeats_is_one_wish(loop: Loop, tmp_path: Path) -> None:
    """JavaScript sends a failing call four times at once: one create wins, and the rate counts the burst once."""
    hub = TestHub(loop, tmp_path / "data", calls_per_second=1)
    try:
        hub.hub.clock = lambda: 1_800_000_000.0
        wire = stamped(hub, {"Action": "CreateDockerImageBucket", "Region": "cn-bj2", "BucketName": "racing"})

        async def burst() -> list[int]:
            calls = [hub.ask("POST", "/", headers=FORM, body=urlencode(wire).encode()) for _ in range(4)]
            return sorted(reply.json["RetCode"] for reply in await asyncio.gather(*calls))

        for _ in range(4):
            assert answer(form(hub, {**wire, "Signature": "0" * 40}))["RetCode"] == 171
        assert hub.run(burst()) == [0, 43022, 43022, 43022]
        assert call(hub, "GetImageBucketList", Region="cn-bj2")["TotalCount"] == 1
        assert call(hub, "GetRegion")["RetCode"] == 153
    finally:
        hub.close()


def test_trap_31_what_will_not_pass_is_below_2000(hub: TestHub) -> None:
    """Codes from 2000 on are tried again by clients: only the documented 430xx of UGC may stand there."""
    hub.bucket("depot")
    push_image(hub, "depot/app", "v1", hub.main)
    codes = set()
    for action, params in (
        ("CreateRepo", {"RepoName": "depot"}), ("CreateRepo", {"RepoName": "Bad_"}), ("CreateRepo", {}),
        ("CreateRepo", {"RepoName": "good", "ProjectId": "org-none"}), ("DeleteRepo", {"RepoName": "depot"}),
        ("DeleteRepo", {"RepoName": "none"}), ("UpdateRepo", {"RepoName": "none"}), ("GetRepo", {"Type": "x"}),
        ("GetRepoImage", {"RepoName": "none"}), ("GetImageTag", {"RepoName": "depot", "ImageName": "none"}),
        ("DeleteRepoImage", {"RepoName": "depot", "ImageName": "app", "TagName": "none"}),
        ("GetUser", {"UserName": "none"}), ("DeleteAccessKey", {"AccessKeyID": "none"}), ("GetRole", {"RoleName": "x"}),
        ("GetIAMPolicy", {"PolicyURN": "none"}), ("TerminateProject", {"ProjectId": hub.project_id}),
    ):  # fmt: skip
        told = call(hub, action, **params)["RetCode"]
        assert 0 < told < 2000, (action, params, told)
        codes.add(told)
    assert len(codes) >= 10
    for code, _ in every_kind(hub):
        assert code < 2000 or code in {43022, 43023, 43024, 43025, 43033, 43045, 43046, 43047}


def test_trap_32_an_unknown_key_is_172(hub: TestHub) -> None:
    """`ucloud init` tells a mistyped key by 172 alone: it comes before the signature and every parameter."""
    for action in ("GetRegion", "GetProjectList", "GetUserInfo", "GetImageBucketList"):
        for keys in (("nobody", hub.private_key), (hub.public_key + "x", "x"), ("", "x")):
            told = call(hub, action, keys, ProjectId="org-none", Limit="x")
            assert (told["RetCode"], told["Message"]) == (172, "User Not Exists")


def test_trap_33_a_wrong_signature_is_never_174(hub: TestHub) -> None:
    """174 makes the command line renew its login and call again: it is for tokens only."""
    wrong = {**stamped(hub, LIST), "Signature": "0" * 40}
    assert answer(form(hub, wrong))["RetCode"] == 171
    assert answer(form(hub, wrong, authorization="Bearer stale"))["RetCode"] == 171
    assert answer(form(hub, LIST, authorization="Bearer stale"))["RetCode"] == 174
    assert answer(form(hub, LIST))["RetCode"] == 170


# --- typed decoding


def test_trap_34_uhub_flags_and_times_are_texts_and_counts_numbers(depot: TestHub) -> None:
    """One value of another type, and a typed Go client loses the whole answer."""
    depot.request("GET", "/v2/depot/app/manifests/v1", login=depot.main)
    for flag, kind in (("false", "private"), ("true", "public")):
        call(depot, "UpdateRepo", RepoName="depot", IsShared=flag)
        repos = call(depot, "GetRepo", Type=kind)
        [repo] = repos["RepoSet"]
        assert (repo["IsShared"], repo["IsOutSide"]) == (flag, "true")
        assert {type(value) for value in repo.values()} == {str}
    images, found = call(depot, "GetRepoImage", RepoName="depot"), call(depot, "GetImageTag", **WHERE)
    [image] = images["ImageSet"]
    assert (type(image.pop("PullCount")), {type(value) for value in image.values()}) == (int, {str})
    assert {type(value) for tag in found["TagSet"] for value in tag.values()} == {str}
    assert [type(one["TotalCount"]) for one in (repos, images, found)] == [int] * 3


def test_trap_35_lists_of_objects_whatever_the_examples_show(depot: TestHub) -> None:
    """The documented tables hold and not their examples: repositories are objects, times no numbers."""
    [repo] = call(depot, "GetRepo", Type="private")["RepoSet"]
    assert set(repo) >= {"RepoName", "CreateTime", "UpdateTime", "Description", "IsShared", "IsOutSide"}
    [image] = call(depot, "GetRepoImage", RepoName="depot")["ImageSet"]
    assert set(image) >= {"ImageName", "PullCount", "CreateTime", "UpdateTime", "LatestTag", "RepoName"}
    assert (image["RepoName"], image["ImageName"], image["LatestTag"]) == ("depot", "app", "v2")
    for row in (repo, image):
        assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row[name]) for name in ("CreateTime", "UpdateTime"))


def test_trap_36_ugc_times_are_seconds_that_fit_32_bits(depot: TestHub) -> None:
    """Java keeps them in an Integer: milliseconds would not fit."""
    [bucket] = call(depot, "GetImageBucketList", Region="cn-bj2")["ImageSet"]
    [image] = call(depot, "GetDockerImageList", Region="cn-bj2", BucketName="depot")["ImageSet"]
    times = [bucket["CreateTime"], image["UpdateTime"], *(tag["CreateTime"] for tag in image["TagSet"])]
    assert all(type(one) is int and abs(one - depot.hub.clock()) < 600 and one < 2**31 for one in times)


def test_trap_37_an_image_row_has_both_names(depot: TestHub) -> None:
    """The table says BucketName and the clients read ImageName, a whole reference: both are there."""
    [image] = call(depot, "GetDockerImageList", Region="cn-bj2", BucketName="depot")["ImageSet"]
    assert (image["ImageName"], image["BucketName"]) == ("hub.test/depot/app", "depot")
    assert set(image) >= {"TagSet", "UpdateTime", "ResourceId", "OrgId"}


def test_trap_38_a_listed_bucket_name_is_good_as_a_parameter(depot: TestHub) -> None:
    """The documented example shows a whole image reference where the bare bucket must stand."""
    [bucket] = call(depot, "GetImageBucketList", Region="cn-bj2")["ImageSet"]
    where = {"Region": "cn-bj2", "BucketName": bucket["BucketName"]}
    assert call(depot, "GetDockerImageList", **where)["TotalCount"] == 1
    assert call(depot, "GetImageBucketList", **where)["TotalCount"] == 1
    assert call(depot, "CreateDockerImageBucket", **where)["RetCode"] == 43022
    assert call(depot, "DeleteImage", **where, ImageName="app", **{"Tag.0": "v1"})["RetCode"] == 0
    assert tags(depot) == ["v2"]


def test_trap_39_empty_lists_are_lists(hub: TestHub) -> None:
    """Java hands out null where a list is null or missing: without rows there is [], and null nowhere."""
    for name, field, params in (
        ("GetImageBucketList", "ImageSet", {"Region": "hk"}), ("GetAllImages", "ImageSet", {"Region": "cn-bj2"}),
        ("GetRepo", "RepoSet", {}), ("GetRepo", "RepoSet", {"Type": "private", "Limit": "0"}),
        ("ListPolicies", "Policies", {"Owner": "User"}), ("ListRoles", "Roles", {}),
    ):  # fmt: skip
        assert call(hub, name, **params)[field] == [], name
    hub.bucket("depot")
    assert call(hub, "GetDockerImageList", Region="cn-bj2", BucketName="depot")["ImageSet"] == []
    assert call(hub, "GetRepoImage", RepoName="depot")["ImageSet"] == []
    for reply in listings(hub).values():
        assert b"null" not in reply.body


def test_trap_40_no_two_keys_differ_in_case_only(depot: TestHub) -> None:
    """Python and Go fold the case of names: two that become one would hide each other."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        folded = [name.lower() for name, _ in pairs]
        assert len(set(folded)) == len(folded), pairs
        return dict(pairs)

    done = 0
    for reply in listings(depot).values():
        done += json.loads(reply.body, object_pairs_hook=once)["RetCode"] == 0
    assert done >= 20


def test_trap_41_retcode_stands_in_a_body_once(depot: TestHub) -> None:
    """Go turns a quoted RetCode into a number, wherever it is: nothing in an answer matches its pattern."""
    policy = json.dumps({"Version": "1", "Statement": [{"Effect": "Deny", "Action": ["x:Y"], "Resource": ["*"]}]})
    call(depot, "CreateIAMPolicy", PolicyName="odd", Document=policy, Description=HOSTILE)
    replies = listings(depot)
    assert replies["GetUser"].json["User"]["DisplayName"] == HOSTILE[:60]
    for reply in replies.values():
        assert re.sub(rb'"RetCode":\s?"(\d+)"', rb'"RetCode": \1', reply.body) == reply.body
        assert len(re.findall(rb'(?<!\\)"RetCode"\s*:', reply.body)) == 1
    assert call(depot, "GetRepo", Type="private")["RepoSet"][0]["Description"] == HOSTILE


def test_trap_42_activities_are_read_and_told_in_both_spellings(hub: TestHub) -> None:
    """Documentation and clients spell it Activities and Activites."""
    namespace = call(hub, "CreateSFNamespace", Namespace="ns")["NamespaceId"]
    steps = template(start("end"))["Activities"]
    for number, spelling in enumerate(("Activities", "Activites")):
        made = {**template(start("end")), spelling: steps}
        if spelling == "Activites":
            del made["Activities"]
        text = base64.b64encode(json.dumps(made).encode()).decode()
        name = {"Namespace": namespace, "WorkflowName": f"n{number}", "Region": "cn-bj2"}
        assert call(hub, "CreateSFWorkflowFromTemplate", **name, Workflow=text)["RetCode"] == 0
        flow = {"WorkflowId": f"{namespace}.n{number}", "Region": "cn-bj2"}
        assert call(hub, "PublishSFWorkflow", **flow)["RetCode"] == 0
        told = call(hub, "GetSFWorkflowTemplate", **flow)["Workflow"]
        assert told["Activities"] == told["Activites"]
        assert told["Activities"][0]["Name"] == steps[0]["Name"]


def test_trap_43_each_reason_of_a_refused_repository_has_its_code(loop: Loop, tmp_path: Path) -> None:
    """Go shows an empty Message for CreateRepo and UpdateRepo: the code alone must tell what is wrong."""
    hub = TestHub(loop, tmp_path / "data", project_buckets=1)
    try:
        sub = person(hub, "sub@example.com", "pull")
        codes = [
            call(hub, "CreateRepo")["RetCode"], call(hub, "CreateRepo", RepoName="a__b_")["RetCode"],
            call(hub, "CreateRepo", RepoName="depot", IsShared="perhaps")["RetCode"],
            call(hub, "CreateRepo", RepoName="depot", ProjectId="org-none")["RetCode"],
            call(hub, "CreateRepo", sub, RepoName="depot", ProjectId=hub.project_id)["RetCode"],
            call(hub, "CreateRepo", RepoName="depot")["RetCode"], call(hub, "CreateRepo", RepoName="depot")["RetCode"],
            call(hub, "CreateRepo", RepoName="second")["RetCode"], call(hub, "UpdateRepo", RepoName="none")["RetCode"],
        ]  # fmt: skip
    finally:
        hub.close()
    assert codes == [220, 1032, 230, 292, 299, 0, 1031, 1040, 1030]


def test_trap_44_is_shared_in_every_spelling(hub: TestHub) -> None:
    """Texts in any case from form clients, booleans from JSON clients, by either action; what is neither is refused."""

    def shared() -> list[tuple[str, str]]:
        kinds = [call(hub, "GetRepo", Type=kind)["RepoSet"] for kind in ("public", "private")]
        return [(row["RepoName"], row["IsShared"]) for rows in kinds for row in rows]

    refused = []
    for shown, spelled in (("true", ("true", "True", "TRUE", "1", "yes")), ("false", ("false", "False", "0", "no"))):
        for text in spelled:
            if call(hub, "CreateRepo", RepoName="demo", IsShared=text)["RetCode"]:
                refused.append(text)
                continue
            assert shared() == [("demo", shown)]
            for action, sent in (("UpdateRepo", text), ("DeleteRepo", "")):
                call(hub, "UpdateRepo", RepoName="demo", IsShared={"true": "false", "false": "true"}[shown])
                assert call(hub, action, RepoName="demo", IsShared=sent)["RetCode"] == 0
                assert shared() == ([("demo", shown)] if sent else [])
        for action in ("CreateRepo", "UpdateRepo"):
            named = {"Action": action, "RepoName": f"json-{shown}", "IsShared": shown}
            sent = f'"Action":"{action}","RepoName":"json-{shown}","IsShared":{shown}'
            assert js(hub, sent, named)["RetCode"] == 0
            assert (f"json-{shown}", shown) in shared()
        call(hub, "DeleteRepo", RepoName=f"json-{shown}")
    call(hub, "CreateRepo", RepoName="demo")
    for text in ("perhaps", "2", "tru", "null"):
        assert call(hub, "UpdateRepo", RepoName="demo", IsShared=text)["RetCode"] == 230
        assert call(hub, "CreateRepo", RepoName="never", IsShared=text)["RetCode"] == 230
    assert refused == []


def test_trap_45_a_new_description_leaves_the_visibility(depot: TestHub) -> None:
    """The documented default would unshare a repository whose description alone is changed; so would a blank."""
    for flag, kind in (("true", "public"), ("false", "private")):
        call(depot, "UpdateRepo", RepoName="depot", IsShared=flag)
        for more in ({}, {"IsShared": ""}):
            assert call(depot, "UpdateRepo", RepoName="depot", Description=f"{kind} {more}", **more)["RetCode"] == 0
            [row] = call(depot, "GetRepo", Type=kind)["RepoSet"]
            assert (row["IsShared"], row["Description"]) == (flag, f"{kind} {more}")
        null = {"Action": "UpdateRepo", "RepoName": "depot", "IsShared": ""}
        assert js(depot, '"Action":"UpdateRepo","RepoName":"depot","IsShared":null', null)["RetCode"] == 0
        assert call(depot, "GetRepo", Type=kind)["TotalCount"] == 1


def test_trap_46_without_a_type_the_shared_are_listed(depot: TestHub) -> None:
    """GetRepo alone means public, of everybody; not one's own."""
    other = person(depot, "other@example.com", other=True)
    call(depot, "CreateRepo", RepoName="mine", IsShared="true")
    call(depot, "CreateRepo", other, RepoName="theirs", IsShared="true")
    call(depot, "CreateRepo", other, RepoName="hidden")
    for more in ({}, {"Type": ""}, {"Type": "public"}):
        assert [row["RepoName"] for row in call(depot, "GetRepo", **more)["RepoSet"]] == ["mine", "theirs"]
    assert [row["RepoName"] for row in call(depot, "GetRepo", Type="private")["RepoSet"]] == ["depot"]


def test_trap_47_a_blank_tag_name_deletes_nothing(depot: TestHub) -> None:
    """Absent it means every tag of the image; Python also sends it empty, and that must not mean the same."""
    gone = {"RepoName": "depot", "ImageName": "app"}
    told = call(depot, "DeleteRepoImage", **gone, TagName="")
    assert (told["RetCode"], told["Message"]) == (230, "Params [TagName] not available")
    assert js(depot, '"Action":"DeleteRepoImage","RepoName":"depot","ImageName":"app","TagName":""',
              {"Action": "DeleteRepoImage", **gone, "TagName": ""})["RetCode"] == 230  # fmt: skip
    assert tags(depot) == ["v1", "v2"]
    assert call(depot, "DeleteRepoImage", **gone, TagName="v1")["RetCode"] == 0
    assert tags(depot) == ["v2"]
    assert call(depot, "DeleteRepoImage", **gone)["RetCode"] == 0
    assert call(depot, "GetRepoImage", RepoName="depot")["TotalCount"] == 0


@given(st.integers(0, 1000), st.integers(0, 2**31), st.text(max_size=6))
@example(0, 0, "-1")
@example(1, 1, "1.5")
@example(1000, 2**31, "1001")
@example(1, 1, "99999999999999999999")
@example(1, 1, "1e999999999")
@example(1, 1, "x")
def test_trap_48_limit_and_offset_in_every_spelling(hub: TestHub, limit: int, offset: int, odd: str) -> None:
    """Text from forms, numbers from JSON, decimals from files: the same page; what is no number is 230."""
    wanted = call(hub, "GetImageBucketList", Region="cn-bj2", Limit=str(limit), Offset=str(offset))
    assert (wanted["RetCode"], wanted["ImageSet"]) == (0, [])
    plain = {**LIST, "Limit": str(limit), "Offset": str(offset)}
    for a, b in ((limit, offset), (f"{limit}.0", f"{offset}.0"), (f'"{limit}"', f'"{offset}"')):
        sent = f'"Action":"GetImageBucketList","Region":"cn-bj2","Limit":{a},"Offset":{b}'
        assert js(hub, sent, plain) == wanted
    assert call(hub, "GetImageBucketList", Region="cn-bj2", Limit=f"{limit}.0", Offset=f"{offset}.0") == wanted
    if not re.fullmatch(r"[0-9.eE-]*", odd) or odd in {"-1", "1.5", "1001", "9" * 20, "1e999999999"}:
        assert call(hub, "GetImageBucketList", Region="cn-bj2", Limit=odd)["RetCode"] == 230
    plain = {**LIST, "Limit": "", "Offset": ""}
    assert js(hub, '"Action":"GetImageBucketList","Region":"cn-bj2","Limit":null,"Offset":""', plain)["RetCode"] == 0
    users = call(hub, "ListUsers", Limit=str(limit % 101), Offset=str(offset))
    assert (users["RetCode"], users["TotalCount"], type(users["TotalCount"])) == (0, 1, int)


# --- the account side


def test_trap_49_one_default_region_project_and_user(depot: TestHub) -> None:
    """One row for each zone, one default among them as a JSON boolean, one user: else `ucloud init` ends empty."""
    call(depot, "CreateProject", ProjectName="second")
    sub = person(depot, "sub@example.com")
    for keys in (None, sub):
        regions = call(depot, "GetRegion", keys)["Regions"]
        assert len({row["Zone"] for row in regions}) == len(regions) == 33
        projects = call(depot, "GetProjectList", keys)
        assert projects["ProjectCount"] == len(projects["ProjectSet"]) == 2
        for rows in (regions, projects["ProjectSet"]):
            assert sorted(row["IsDefault"] for row in rows) == [False] * (len(rows) - 1) + [True]
            assert {type(row["IsDefault"]) for row in rows} == {bool}
        assert {type(row["RegionId"]) for row in regions} == {int}
        [user] = call(depot, "GetUserInfo", keys)["DataSet"]
        assert (user["AuthState"], type(user["UserId"]), type(user["Admin"])) == ("CERTIFIED", int, int)


def test_trap_50_regions_and_zones_have_the_fields_that_clients_read(hub: TestHub) -> None:
    """No schema of them was ever printed: Regions[].Region and Zones[].Zone are there, and agree with GetRegion."""
    known = {(row["Region"], row["Zone"]) for row in call(hub, "GetRegion")["Regions"]}
    regions = [row["Region"] for row in call(hub, "ListRegions")["Regions"]]
    assert sorted(regions) == sorted({region for region, _ in known})
    assert {(one, row["Zone"]) for one in regions for row in call(hub, "ListZones", Region=one)["Zones"]} == known
    assert call(hub, "ListZones", Region="mars")["RetCode"] == 230


def test_trap_51_sub_users_name_their_project_to_uhub_only(depot: TestHub) -> None:
    """Missing is 299 and a wrong one 292, for UHub; UGC knows no projects and does not ask."""
    sub = person(depot, "sub@example.com", "pull", "push", "delete")
    for action in ("CreateRepo", "DeleteRepo", "UpdateRepo", "GetRepo", "GetRepoImage", "GetImageTag",
                   "DeleteRepoImage"):  # fmt: skip
        params = {"RepoName": "none", "ImageName": "none"}
        assert call(depot, action, sub, **params)["RetCode"] == 299, action
        told = call(depot, action, sub, **params, ProjectId="org-x")
        assert (told["RetCode"], told["Message"]) == (292, "Project [org-x] not exists"), action
    for sent, text in (("7", "7"), ("true", "true"), ("false", "false")):
        named = {"Action": "GetRepo", "Type": "private", "ProjectId": text}
        told = js(depot, f'"Action":"GetRepo","Type":"private","ProjectId":{sent}', named, sub)
        assert told["RetCode"] == 292, sent
    assert call(depot, "GetRepo", sub, ProjectId=depot.project_id)["RetCode"] == 0
    assert call(depot, "GetRepo")["RetCode"] == 0
    for action in ("GetImageBucketList", "GetAllImages", "GetDockerImageList", "CreateDockerImageBucket"):
        assert call(depot, action, sub, Region="cn-bj2", BucketName="depot")["RetCode"] in {0, 43022}, action
    assert call(depot, "DeleteImage", sub, Region="cn-bj2", BucketName="depot", ImageName="app",
                **{"Tag.0": "v1"})["RetCode"] == 0  # fmt: skip


def test_trap_52_no_value_of_a_parameter_is_logged(tmp_path: Path) -> None:
    """Keys and passwords come as parameters: neither the log of a real process nor the audit trail holds them."""
    made = entrepot("init", "--data", str(tmp_path / "data"), "--email", "main@example.com", "--json")
    secrets = json.loads(made.stdout)
    settings = config.load(environ={}, data=str(tmp_path / "data"), **places(tmp_path / "data"))
    port = free_port()
    process = serve(tmp_path / "data", port, log_level="debug")
    told: list[int] = []

    def send(method: str, path: str, body: str = "", **headers: str) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as client:
            client.request(method, path, body.encode(), headers)
            told.append(json.loads(client.getresponse().read())["RetCode"])

    def wire(**params: str) -> dict[str, str]:
        whole = {**params, "private-key": "secret-option", "PublicKey": secrets["PublicKey"]}
        return {**whole, "Signature": sha1_of(whole, secrets["PrivateKey"])}

    try:
        user = {"UserName": "alice", "AccessKeyStatus": "Active", "LoginProfileStatus": "Active"}
        create = wire(Action="CreateUser", Password="secret-password", **user)
        for _ in range(2):
            send("POST", "/?Action=CreateUser&Note=secret-query", urlencode(create), **FORM)
        send("GET", f"/?{urlencode(create)}")
        send("POST", "/", json.dumps(wire(Action="GetRegion", SecurityToken="secret-token")), **JSON)
        send("POST", "/", '{"Action":"GetRegion","Password":"secret-broken', **JSON)
        send("POST", "/", urlencode({"Action": "Login", "Password": "secret-unknown"}), **FORM)
        send("POST", "/", urlencode(wire(Action="CreateRepo", RepoName="depot", Description="secret-text")), **FORM)
        trail = str(outside(settings, lambda rows: rows.all("SELECT * FROM audit")))
        outside(settings, lambda rows: rows.run("ALTER TABLE bucket RENAME TO gone"))
        send("POST", "/", urlencode(wire(Action="CreateRepo", RepoName="fault", Description="secret-fault")), **FORM)
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert told == [0, 1023, 1023, 174, 230, 161, 0, 150]
    log = (tmp_path / f"serve-{port}.log").read_text()
    assert log.count("action=CreateUser") == 3
    assert trail.count("CreateUser") == 3
    for text in (log, trail):
        assert not re.findall(r"secret-\w+", text)
        for hidden in (secrets["PrivateKey"], secrets["Password"], create["Signature"]):
            assert hidden not in text


# --- names


def test_trap_53_names_that_docker_can_use_and_that_are_global(hub: TestHub) -> None:
    """The documented rule allows names that cannot be pushed to; real ones hold dots and hyphens; all are global."""
    other = person(hub, "other@example.com", other=True)
    for name in ("_abc", "abc_", "a___b", "a..b", "-abc", "abc.", "Upper", "测试镜像", "a" * 31, "abc", "a/bc", "ab c"):
        assert call(hub, "CreateDockerImageBucket", Region="cn-bj2", BucketName=name)["RetCode"] == 43025, name
        assert call(hub, "CreateRepo", RepoName=name)["RetCode"] == 1032, name
    for name in ("996.icu", "top_hub", "a--b", "a__b", "a" * 30, "1234"):
        assert call(hub, "CreateRepo", RepoName=name)["RetCode"] == 0, name
        push_image(hub, f"{name}/app", "v1", hub.main)
        assert call(hub, "CreateDockerImageBucket", other, Region="hk", BucketName=name)["RetCode"] == 43022
        assert call(hub, "CreateRepo", other, RepoName=name)["RetCode"] == 1031
        assert call(hub, "GetDockerImageList", other, Region="cn-bj2", BucketName=name)["RetCode"] == 43023


def test_trap_54_the_rule_for_names_holds_for_new_ones_only(hub: TestHub) -> None:
    """The documentation's own bucket has three letters: it lists, empties and goes; only making one is refused."""
    ucs = {"Region": "cn-bj2", "BucketName": "ucs"}
    assert call(hub, "CreateDockerImageBucket", **ucs)["RetCode"] == 43025
    for name in ("ucs", "testBucketName", "a" * 40, "ucsdr.ucloud.cn:5000/ucs/helloworld:6"):
        where = {"Region": "cn-bj2", "BucketName": name}
        assert call(hub, "GetImageBucketList", **where)["TotalCount"] == 0
        assert call(hub, "GetDockerImageList", **where)["RetCode"] == 43023
        assert call(hub, "DeleteImage", **where, ImageName="app", **{"Tag.0": "v1"})["RetCode"] == 43023
        assert call(hub, "DeleteRepo", RepoName=name)["RetCode"] == 1030
    old = {"account_id": 1, "project_id": hub.project_id, "region": "cn-bj2", "is_public": False}
    hub.run(hub.hub.db.write(lambda rows: buckets_sql.add(rows, name="ucs", **old, description="", now=1)))
    hub.run(hub.hub.db.write(lambda rows: buckets_sql.count(rows, **old, step=1)))
    push_image(hub, "ucs/app", "v1", hub.main)
    assert call(hub, "GetImageBucketList", **ucs)["TotalCount"] == 1
    assert call(hub, "GetDockerImageList", **ucs)["TotalCount"] == 1
    assert call(hub, "UpdateRepo", RepoName="ucs", Description="old")["RetCode"] == 0
    assert call(hub, "DeleteImage", **ucs, ImageName="app", **{"Tag.0": "v1"})["RetCode"] == 0
    assert call(hub, "DeleteRepoImage", RepoName="ucs", ImageName="app")["RetCode"] in {0, 1033}
    assert call(hub, "DeleteRepo", RepoName="ucs")["RetCode"] == 0


def test_trap_55_delete_only_empty_ones_and_hold_eight(loop: Loop, tmp_path: Path) -> None:
    """What the product's pages promise, the API enforces: eight to a project, and images go before their repository."""
    hub = TestHub(loop, tmp_path / "data", project_buckets=None)
    try:
        made = [call(hub, "CreateRepo", RepoName=f"repo-{place}")["RetCode"] for place in range(9)]
        assert made == [0] * 8 + [1040]
        assert call(hub, "CreateDockerImageBucket", Region="hk", BucketName="ninth")["RetCode"] == 1040
        push_image(hub, "repo-0/app", "v1", hub.main)
        assert call(hub, "DeleteRepo", RepoName="repo-0")["RetCode"] == 1010
        assert tags(hub, "repo-0") == ["v1"]
        assert call(hub, "DeleteRepoImage", RepoName="repo-0", ImageName="app")["RetCode"] == 0
        assert call(hub, "DeleteRepo", RepoName="repo-0")["RetCode"] == 0
        assert call(hub, "CreateRepo", RepoName="ninth")["RetCode"] == 0
        team = call(hub, "CreateProject", ProjectName="team")["ProjectId"]
        assert call(hub, "CreateRepo", RepoName="tenth", ProjectId=team)["RetCode"] == 0
    finally:
        hub.close()
