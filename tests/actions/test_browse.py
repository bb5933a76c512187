"""What the console's lists and details tell, at the door of the API."""

import json

from hypothesis import given
from hypothesis import strategies as st

from entrepot.model import image
from entrepot.ops import people, pulls
from tests.conftest import TestHub
from tests.console.kit import config_of, furnish, push_whole
from tests.registry.kit import OCI_MANIFEST, manifest_of, push_blob, push_image, put_manifest

DEEP = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["config", "layers", "manifests", "annotations", "history", "digest", "size", "platform", "os",
                         "architecture", "variant", "mediaType", "Env", "Labels", "Cmd", "ExposedPorts", "created"])
        | st.text(max_size=5), inner, max_size=6),
    max_leaves=30,
)  # fmt: skip


@given(DEEP)
def test_any_json_is_read_without_a_fault(document: object) -> None:
    raw = json.dumps(document).encode()
    content, config = image.content(raw), image.config(raw)
    assert content.size >= 0
    assert all(isinstance(one, str) for one in config.environment)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_without_a_fault(raw: bytes) -> None:
    assert image.content(raw).layers == image.content(raw).layers
    assert image.config(raw).history == image.config(raw).history


def test_long_lists_and_texts_are_cut() -> None:
    config = image.config(config_of(config={"Env": ["x" * 9000] * 2000}, history=[{}] * 2000))
    assert (len(config.environment), len(config.environment[0]), len(config.history)) == (500, 4000, 500)
    assert image.config(b"[" * 100_000).platform == ""


def test_buckets_in_every_region_by_prefix_and_scope(hub: TestHub) -> None:
    for name, region in (("web-one", "cn-bj2"), ("web-two", "hk"), ("data", "cn-bj2")):
        hub.call("CreateDockerImageBucket", Region=region, BucketName=name)
    hub.user("other@example.com", other_account=True)
    hub.bucket("web-other", is_public=True, email="other@example.com")
    hub.bucket("hidden", email="other@example.com")

    def names(**params: object) -> tuple[int, list[str]]:
        answer = hub.call("ListBuckets", **params)
        return answer["TotalCount"], [one["BucketName"] for one in answer["BucketSet"]]

    assert names() == (4, ["data", "web-one", "web-other", "web-two"])
    assert names(Region="hk") == (1, ["web-two"])
    assert names(Prefix="web") == (3, ["web-one", "web-other", "web-two"])
    assert names(Prefix="web", BucketType="User", Limit=1, Offset=1) == (2, ["web-two"])
    assert names(BucketType="Share") == (1, ["web-other"])
    assert names(Prefix="web%") == (0, [])
    assert names(Limit=0) == (4, [])
    assert hub.call("ListBuckets", Region="nowhere")["RetCode"] == 230
    [other] = [one for one in hub.call("ListBuckets")["BucketSet"] if not one["IsOwn"]]
    assert (other["BytesHeld"], other["ProjectId"]) == (0, ""), "what another account holds is its own business"
    assert hub.call("DescribeBucket", BucketName="hidden")["RetCode"] == 43023


def test_tags_with_platforms_size_and_times(hub: TestHub) -> None:
    furnish(hub)
    assert hub.request("GET", "/v2/owned/app/manifests/v1", login=hub.main).status == 200
    hub.run(pulls.flush(hub.hub))
    tags = {one["TagName"]: one for one in hub.call("ListTags", BucketName="owned", ImageName="app")["TagSet"]}
    assert tags["v1"]["Platform"] == ["linux/amd64"]
    assert tags["many"]["Platform"] == ["linux/arm64"]
    assert tags["many"]["Size"] == tags["v1"]["Size"] > 20
    assert tags["v1"]["PullTime"] >= tags["v1"]["UpdateTime"]
    assert tags["sbom"]["PullTime"] == 0
    assert tags["sbom"]["ArtifactType"] == "application/spdx+json"
    by_name = hub.call("ListTags", BucketName="owned", ImageName="app", OrderBy="Name", Limit=2)
    assert [one["TagName"] for one in by_name["TagSet"]] == ["many", "sbom"]
    assert hub.call("ListTags", BucketName="owned", ImageName="app", Limit=101)["RetCode"] == 230
    assert hub.call("ListTags", BucketName="owned", ImageName="none")["RetCode"] == 1033


def test_the_newest_tag_comes_first_and_pages_meet(hub: TestHub) -> None:
    hub.bucket("owned")
    now = hub.hub.clock()
    for number in range(7):
        hub.hub.clock = lambda number=number: now + number
        push_image(hub, "owned/app", f"t{number}", hub.main)
    listed = []
    for offset in range(0, 7, 2):
        page = hub.call("ListTags", BucketName="owned", ImageName="app", Limit=2, Offset=offset)["TagSet"]
        listed += [one["TagName"] for one in page]
    assert listed == ["t6", "t5", "t4", "t3", "t2", "t1", "t0"]


def test_a_manifest_with_all_that_belongs_to_it(hub: TestHub) -> None:
    hub.bucket("owned")
    config = config_of(config={"Env": ["A=1"], "Labels": {"l": "v"}}, history=[{"created_by": "RUN x"}])
    digest = push_whole(hub, "owned/app", "v1", config, hub.main, annotations={"a": "b"})
    told = hub.call("DescribeManifest", BucketName="owned", ImageName="app", Reference="v1")
    assert told["Digest"] == digest
    assert told["ConfigSet"][0]["Environment"] == ["A=1"]
    assert told["ConfigSet"][0]["Label"] == [{"Name": "l", "Value": "v"}]
    assert told["AnnotationSet"] == [{"Name": "a", "Value": "b"}]
    assert told == hub.call("DescribeManifest", BucketName="owned", ImageName="app", Reference=digest)
    assert json.loads(told["Content"])["schemaVersion"] == 2
    large = config_of(config={"Env": ["x" * 300] * 900})
    hub.hub.settings = hub.settings
    push_whole(hub, "owned/app", "large", large, hub.main)
    assert len(hub.call("DescribeManifest", BucketName="owned", ImageName="app", Reference="large")["ConfigSet"]) == 1
    huge = b"{" + b" " * 1_048_600 + b"}"
    push_whole(hub, "owned/app", "huge", huge, hub.main)
    assert hub.call("DescribeManifest", BucketName="owned", ImageName="app", Reference="huge")["ConfigSet"] == []


def test_a_config_that_lies_about_its_size_is_measured(hub: TestHub) -> None:
    hub.bucket("owned")
    config = b"{" + b" " * 1_048_600 + b"}"
    blob = push_blob(hub, "owned/app", config, hub.main)
    layer = push_blob(hub, "owned/app", b"layer", hub.main)
    assert (
        put_manifest(hub, "owned/app", "v1", manifest_of([(blob, 2), (layer, 5)]), hub.main, OCI_MANIFEST).status == 201
    )
    told = hub.call("DescribeManifest", BucketName="owned", ImageName="app", Reference="v1")
    assert (told["RetCode"], told["ConfigSet"]) == (0, [])


def test_what_is_in_an_image_takes_the_right_to_pull_it(hub: TestHub) -> None:
    hub.bucket("owned")
    push_image(hub, "owned/app", "v1", hub.main)
    made = hub.call("CreateUser", UserName="worker", AccessKeyStatus="Active", LoginProfileStatus="Inactive")
    keys = (made["AccessKeyID"], made["AccessKeySecret"])
    hub.call("SetUserRights", UserName="worker", Right=["pull"])
    deny = {"Version": "1", "Statement": [{"Effect": "Deny", "Action": "uhub:PullImage", "Resource": "*"}]}
    wanted = {"BucketName": "owned", "ImageName": "app", "Reference": "v1"}
    assert hub.call_as(keys, "DescribeManifest", **wanted)["RetCode"] == 0
    urn = hub.call("CreateIAMPolicy", PolicyName="closed", Document=json.dumps(deny))["PolicyURN"]
    hub.call("AttachPoliciesToUser", UserName="worker", PolicyURNs=[urn])
    assert hub.call_as(keys, "DescribeManifest", **wanted)["RetCode"] == 299
    hub.call("SetBucketNetworkPolicy", BucketName="owned", Network=["192.0.2.0/24"])
    assert hub.call("DescribeManifest", **wanted)["RetCode"] == 294


def test_pushes_and_pulls_by_day(hub: TestHub) -> None:
    hub.bucket("owned")
    day = 86_400
    now = int(hub.hub.clock()) // day * day
    for passed, pulled in ((0, 2), (1, 0), (3, 1)):
        hub.hub.clock = lambda passed=passed: now + passed * day + 5
        push_image(hub, "owned/app", f"v{passed}", hub.main)
        for _ in range(pulled):
            assert hub.request("GET", f"/v2/owned/app/manifests/v{passed}", login=hub.main).status == 200
        hub.run(pulls.flush(hub.hub))
    told = hub.call("GetAccountSummary", Days=4)
    assert [(one["Pushes"], one["Pulls"]) for one in told["DaySet"]] == [(1, 2), (1, 0), (0, 0), (1, 1)]
    assert [one["Day"] for one in told["DaySet"]] == [now + n * day for n in range(4)]
    assert (told["BucketCount"], told["PublicCount"], told["ImageCount"]) == (1, 0, 1)
    assert told["BytesHeld"] == hub.call("DescribeBucket", BucketName="owned")["Bucket"]["BytesHeld"] > 3000
    assert not hub.hub.used
    assert not hub.hub.pushes


def test_a_pull_of_what_is_gone_meanwhile_is_counted_nowhere(hub: TestHub) -> None:
    hub.bucket("owned")
    push_image(hub, "owned/app", "v1", hub.main)
    assert hub.request("GET", "/v2/owned/app/manifests/v1", login=hub.main).status == 200
    hub.call("DeleteRepoImage", RepoName="owned", ImageName="app")
    hub.call("DeleteRepo", RepoName="owned")
    hub.run(pulls.flush(hub.hub))
    assert hub.call("GetAccountSummary", Days=1)["DaySet"][0]["Pulls"] == 0


def test_the_last_pull_goes_with_its_manifest(hub: TestHub) -> None:
    hub.bucket("owned")
    digest, _ = push_image(hub, "owned/app", "v1", hub.main)
    assert hub.request("GET", "/v2/owned/app/manifests/v1", login=hub.main).status == 200
    hub.run(pulls.flush(hub.hub))
    assert hub.request("DELETE", f"/v2/owned/app/manifests/{digest}", login=hub.main).status == 202
    assert hub.run(hub.hub.db.read(lambda rows: rows.all("SELECT * FROM manifest_pull"))) == []


def test_passwords_of_ones_own(hub: TestHub) -> None:
    wrong = hub.call("SetPassword", Kind="Registry", CurrentPassword="wrong horse", NewPassword="registry horse")
    assert wrong["RetCode"] == 299
    assert hub.call("SetPassword", CurrentPassword=hub.password, NewPassword="short")["RetCode"] == 230
    assert hub.call("SetPassword", CurrentPassword=hub.password, NewPassword="registry horse")["RetCode"] == 0
    assert hub.request("GET", "/token", login=(hub.email, "registry horse")).status == 200
    assert (
        hub.call("SetPassword", Kind="Console", CurrentPassword="registry horse", NewPassword="x" * 9)["RetCode"] == 299
    )
    now = hub.hub.clock()
    hub.hub.clock = lambda: now
    codes = [hub.call("SetPassword", CurrentPassword="guess", NewPassword="x" * 9)["RetCode"] for _ in range(11)]
    assert codes[-1] == 153, "a key is no way to guess the password of its owner"
    lines = hub.call("ListAuditRecords", Limit=100)["AuditSet"]
    assert not [line for line in lines if "horse" in line["Target"]]
    assert hub.run(people.login(hub.hub, hub.email, hub.password, "127.0.0.1")).email == hub.email
