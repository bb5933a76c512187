"""Robots, retention, immutable tags and the trash of a bucket, by their forms."""

import html
import json
import re

from tests.conftest import Reply, TestHub
from tests.console.kit import Surfer, digest_of, signed_in
from tests.registry.kit import push_image

ROBOTS, RETENTION, TRASH = (f"/console/bucket/{page}?name=depot" for page in ("robots", "retention", "trash"))
DEPOT = {"BucketName": "depot"}


def depot(hub: TestHub, lang: str = "en") -> Surfer:
    hub.bucket("depot")
    push_image(hub, "depot/app", "v1", hub.main)
    push_image(hub, "depot/app", "v2", hub.main)
    return signed_in(hub, hub.main, lang)


def text(reply: Reply) -> str:
    return html.unescape(re.sub(r"<[^>]+>", " ", reply.body.decode()))


def pulls(hub: TestHub, login: tuple[str, str]) -> bool:
    return hub.request("GET", "/v2/depot/app/manifests/v1", login=login).status == 200


def test_a_robot_from_its_making_to_its_end(hub: TestHub) -> None:
    surfer = depot(hub)
    wanted = {**DEPOT, "RobotName": "ci", "Permission.0": "Pull", "Permission.2": "Delete", "Days": "30"}
    made = text(surfer.post(ROBOTS, {"do": "CreateBucketRobot", **wanted}))
    assert "docker login" in made
    secret = next(one for one in re.findall(r"\b[A-Za-z0-9]{30,}\b", made))
    login = ("robot$depot+ci", secret)
    assert pulls(hub, login)
    [robot] = hub.call("ListBucketRobots", **DEPOT)["RobotSet"]
    assert (robot["Permission"], robot["ExpireTime"] - robot["CreateTime"]) == (["Pull", "Delete"], 30 * 86_400)
    again = text(surfer.get(ROBOTS))
    assert "robot$depot+ci" in again
    assert secret not in again
    assert "in 29 days" in again or "in 30 days" in again
    off = surfer.post(ROBOTS, {"do": "UpdateBucketRobot", **DEPOT, "RobotName": "ci", "Status": "Inactive"})
    assert (off.status, pulls(hub, login)) == (303, False)
    gone = surfer.post(ROBOTS, {"do": "DeleteBucketRobot", **DEPOT, "RobotName": "ci"})
    assert (gone.status, hub.call("ListBucketRobots", **DEPOT)["RobotSet"]) == (303, [])


def test_a_robot_that_cannot_be_keeps_what_was_filled_in(hub: TestHub) -> None:
    wrong = depot(hub).post(ROBOTS, {"do": "CreateBucketRobot", **DEPOT, "RobotName": "CI!", "Permission.0": "Pull"})
    assert (wrong.status, 'value="CI!"' in wrong.body.decode()) == (400, True)


def test_a_rule_is_tried_then_set_then_applied(hub: TestHub) -> None:
    surfer = depot(hub)
    rules = json.dumps([{"Match": ["*"], "KeepNewest": 1}])
    tried = surfer.post(RETENTION, {"do": "PreviewBucketRetention", **DEPOT, "Rules": rules})
    assert "app:v1" in text(tried)
    assert hub.call("GetBucketRetention", **DEPOT)["Rules"] == "[]"
    assert surfer.post(RETENTION, {"do": "SetBucketRetention", **DEPOT, "Rules": rules}).status == 303
    assert "app:v1" not in text(surfer.get(RETENTION))
    shown = text(surfer.get(f"{RETENTION}&preview=1"))
    assert "app:v1" in shown
    assert "app:v2" not in shown
    assert "Deleted now: 1" in re.sub(r"\s+", " ", text(surfer.post(RETENTION, {"do": "RunBucketRetention", **DEPOT})))
    assert [one["TagName"] for one in hub.call("ListTags", **DEPOT, ImageName="app")["TagSet"]] == ["v2"]
    wrong = surfer.post(RETENTION, {"do": "SetBucketRetention", **DEPOT, "Rules": "[{"})
    assert (wrong.status, "[{" in text(wrong)) == (400, True)
    assert surfer.post(RETENTION, {"do": "SetBucketRetention", **DEPOT, "Preset": "UHub"}).status == 303
    assert "800" in hub.call("GetBucketRetention", **DEPOT)["Rules"]


def test_immutable_tags_are_lists_of_patterns(hub: TestHub) -> None:
    surfer = depot(hub)
    form = {"do": "SetBucketImmutableTags", **DEPOT, "Tags": "v*\napp:r*", "ExceptTags": "v*-rc*"}
    assert surfer.post(RETENTION, form).status == 303
    told = hub.call("GetBucketImmutableTags", **DEPOT)
    assert (sorted(told["TagSet"]), told["ExceptTagSet"]) == (["app:r*", "v*"], ["v*-rc*"])
    assert surfer.post(RETENTION, {**form, "Tags": "", "ExceptTags": ""}).status == 303
    assert hub.call("GetBucketImmutableTags", **DEPOT)["TagSet"] == []


def test_the_trash_gives_back_and_gives_up(hub: TestHub) -> None:
    surfer = depot(hub, "zh")
    for tag in ("v1", "v2"):
        name = digest_of(hub, "depot/app", tag)
        assert hub.request("DELETE", f"/v2/depot/app/manifests/{name}", login=hub.main).status == 202
    first, second = hub.call("ListDeleted", **DEPOT)["DeletedSet"]
    assert "回收站" in text(surfer.get(TRASH))
    back = surfer.post(TRASH, {"do": "RestoreDeleted", **DEPOT, "DeletionId": second["DeletionId"]})
    assert (back.status, pulls(hub, hub.main)) == (303, True)
    assert surfer.post(TRASH, {"do": "PurgeDeleted", **DEPOT, "DeletionId": first["DeletionId"]}).status == 303
    assert hub.call("ListDeleted", **DEPOT)["DeletedSet"] == []
    assert surfer.post(TRASH, {"do": "SetUndeleteWindow", **DEPOT, "Days": "3"}).status == 303


def test_a_deleted_bucket_comes_back_from_the_trash_of_the_account(hub: TestHub) -> None:
    surfer = depot(hub)
    hub.call("DeleteRepoImage", RepoName="depot", ImageName="app")
    assert hub.call("DeleteRepo", RepoName="depot")["RetCode"] == 0
    [bucket] = [one for one in hub.call("ListDeleted")["DeletedSet"] if one["Kind"] == "Bucket"]
    form = {"do": "RestoreDeleted", **DEPOT, "DeletionId": bucket["DeletionId"]}
    assert surfer.post("/console/trash", form).status == 303
    assert hub.call("DescribeBucket", **DEPOT)["RetCode"] == 0


def test_a_description_can_be_taken_away(hub: TestHub) -> None:
    surfer, settings = depot(hub), "/console/bucket/settings?name=depot"
    for words in ("something", ""):
        assert surfer.post(settings, {"do": "UpdateRepo", "RepoName": "depot", "Description": words}).status == 303
        assert hub.call("DescribeBucket", **DEPOT)["Bucket"]["Description"] == words


def test_a_role_is_made_and_given_a_policy(hub: TestHub) -> None:
    surfer = signed_in(hub, hub.main)
    page = surfer.get("/console/roles").body.decode()
    trust = html.unescape(re.search(r"<textarea[^>]*>([^<]+)</textarea>", page)[1])  # type: ignore[index]
    made = surfer.post("/console/roles", {"do": "CreateRole", "RoleName": "deployer", "RolePolicyDocument": trust})
    assert made.headers["location"].startswith("/console/role?name=deployer")
    path, urn = "/console/role?name=deployer", "ucs:iam::ucs:policy/UHubFullAccess"
    form = {"RoleName": "deployer", "PolicyURNs.0": urn, "ProjectID": ""}
    assert surfer.post(path, {"do": "AttachPoliciesToRole", **form}).status == 303
    assert [one["PolicyURN"] for one in hub.call("ListPoliciesForRole", RoleName="deployer")["Policies"]] == [urn]
    assert surfer.post(path, {"do": "DetachPoliciesFromRole", **form}).status == 303
    assert (
        surfer.post(path, {"do": "DeleteRole", "RoleName": "deployer"}).headers["location"].startswith("/console/roles")
    )


def test_networks_of_the_account(hub: TestHub) -> None:
    surfer, form = signed_in(hub, hub.main), {"do": "SetNetworkMask"}
    masks = {"LoginNetworkMask": "127.0.0.0/8", "APINetworkMask": "127.0.0.0/8"}
    assert surfer.post("/console/account", {**form, **masks}).status == 303
    assert hub.call("GetNetworkMask")["Data"] == masks
    lost = surfer.post("/console/account", {**form, "APINetworkMask": "192.0.2.0/24"})
    assert (lost.status >= 400, "192.0.2.0/24" in lost.body.decode()) == (True, True)
    none = {"LoginNetworkMask": "", "APINetworkMask": ""}
    assert surfer.post("/console/account", {**form, **none}).status == 303
    assert hub.call("GetNetworkMask")["Data"] == none
