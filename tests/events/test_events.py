"""The outbox: each change of a listened-to bucket is an event, numbered without gaps; elsewhere it costs nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.model import events as kinds
from entrepot.model import globs
from entrepot.ops import collect, damage, dispatch, events, janitor, pulls
from entrepot.store.sql import damage as damage_sql
from entrepot.store.sql import events as events_sql
from entrepot.store.sql import triggers as triggers_sql
from tests.conftest import TestHub
from tests.registry.kit import manifest_of, push_blob, push_image, put_manifest


def hook(hub: TestHub, bucket: str = "depot", **more: Any) -> str:
    made = hub.call("CreateBucketWebhook", BucketName=bucket, Url="http://127.0.0.1:9/x", **more)
    assert made["RetCode"] == 0, made
    return str(made["WebhookId"])


def told(hub: TestHub, bucket: str = "depot", **more: Any) -> list[dict[str, Any]]:
    answer = hub.call("ListEvents", BucketName=bucket, Limit=1000, **more)
    assert answer["RetCode"] == 0, answer
    return list(answer["EventSet"])


@pytest.fixture
def depot(hub: TestHub) -> TestHub:
    hub.bucket("depot")
    return hub


def test_a_tag_comes_moves_goes_and_comes_back(depot: TestHub) -> None:
    hook(depot)
    first, content = push_image(depot, "depot/app", "v1", depot.main)
    put_manifest(depot, "depot/app", "v1", content, depot.main)  # nothing changes: nothing is told
    second, _ = push_image(depot, "depot/app", "v1", depot.main)
    assert depot.request("DELETE", "/v2/depot/app/manifests/v1", login=depot.main).status == 202
    tag = {"BucketName": "depot", "ImageName": "app", "TagName": "v1"}
    assert depot.call("RestoreTag", **tag)["RetCode"] == 0
    assert depot.call("TagImage", **{**tag, "TagName": "stable"}, Source=first)["Digest"] == first
    assert depot.call("TagImage", **{**tag, "TagName": "stable"}, Source="v1")["RetCode"] == 0
    found = told(depot)
    assert [one["Number"] for one in found] == list(range(1, len(found) + 1))
    assert [(one["Kind"], one["TagName"], one["Digest"]) for one in found] == [
        ("image.pushed", "v1", first),
        ("image.moved", "v1", second),
        ("image.deleted", "v1", second),
        ("image.restored", "v1", second),
        ("image.pushed", "stable", first),
        ("image.moved", "stable", second),
    ]
    assert found[1]["Detail"] == {"OldDigest": first}
    assert {one["User"] for one in found} == {depot.email}
    assert [one["Number"] for one in told(depot, After=2, Kind="image.moved")] == [6]
    assert [one["Number"] for one in told(depot, OrderBy="Newest")] == [6, 5, 4, 3, 2, 1]
    assert [one["Number"] for one in told(depot, OrderBy="Newest", Before=5, After=2)] == [4, 3]


def test_what_is_deleted_names_its_tags(depot: TestHub) -> None:
    hook(depot, Event=["image.deleted", "image.restored"])
    digest, _ = push_image(depot, "depot/app", "v1", depot.main)
    assert depot.call("TagImage", BucketName="depot", ImageName="app", TagName="v2", Source="v1")["RetCode"] == 0
    assert depot.request("DELETE", f"/v2/depot/app/manifests/{digest}", login=depot.main).status == 202
    push_image(depot, "depot/app", "v3", depot.main)
    assert depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")["RetCode"] == 0
    manifest, image = told(depot, Kind="image.deleted")
    assert (manifest["Digest"], manifest["Detail"]["Tags"]) == (digest, ["v1", "v2"])
    assert (image["Digest"], image["ImageName"], image["Detail"]["Tags"]) == ("", "app", ["v3"])
    [deletion, _] = depot.call("ListDeleted")["DeletedSet"]
    assert depot.call("RestoreDeleted", BucketName="depot", DeletionId=deletion["DeletionId"])["RetCode"] == 0
    assert [one["TagName"] for one in told(depot, Kind="image.restored")] == ["v3"]


def test_buckets(depot: TestHub) -> None:
    hook(depot)
    other = depot.run(_other_account(depot))
    assert depot.call("UpdateRepo", RepoName="depot", IsShared="true")["RetCode"] == 0
    assert depot.call("UpdateRepo", RepoName="depot", Description="same")["RetCode"] == 0
    assert depot.call("UpdateRepo", RepoName="depot", IsShared="false")["RetCode"] == 0
    assert depot.call("GrantBucket", BucketName="depot", GranteeID=other, Permission="Write")["RetCode"] == 0
    assert depot.call("RevokeBucketGrant", BucketName="depot", GranteeID=other)["RetCode"] == 0
    assert depot.call("DeleteRepo", RepoName="depot")["RetCode"] == 0
    assert depot.call("ListEvents", BucketName="depot")["RetCode"] == 43023
    [deletion] = depot.call("ListDeleted")["DeletedSet"]
    assert depot.call("RestoreDeleted", BucketName="depot", DeletionId=deletion["DeletionId"])["RetCode"] == 0
    found = told(depot)
    assert [one["Kind"] for one in found] == [
        "bucket.shared", "bucket.unshared", "bucket.shared", "bucket.unshared", "bucket.deleted", "bucket.restored",
    ]  # fmt: skip
    assert found[2]["Detail"] == {"GranteeID": other, "Permission": "Write"}
    assert len(depot.call("ListBucketWebhooks", BucketName="depot")["WebhookSet"]) == 1, "they come back with it"


async def _other_account(hub: TestHub) -> int:
    from entrepot.ops import people

    made = await people.add_user(
        hub.hub, "other@example.com", password="battery staple", rights=frozenset(), account_of=None
    )
    assert made
    return 2


def test_pulls_are_told_together_and_only_to_who_wants_them(depot: TestHub) -> None:
    digest, _ = push_image(depot, "depot/app", "v1", depot.main)

    def pull() -> None:
        for reference in ("v1", "v1", digest):
            assert depot.request("GET", f"/v2/depot/app/manifests/{reference}", login=depot.main).status == 200
        assert depot.request("HEAD", "/v2/depot/app/manifests/v1", login=depot.main).status == 200
        depot.run(pulls.flush(depot.hub))

    pull()
    made = hook(depot, Event=["image.pushed"])
    pull()
    assert told(depot) == []
    wanted = {"BucketName": "depot", "WebhookId": made, "Event": ["image.pulled"]}
    assert depot.call("UpdateBucketWebhook", **wanted)["RetCode"] == 0
    pull()
    [one] = told(depot)
    assert (one["Kind"], one["Digest"], one["Detail"]) == ("image.pulled", digest, {"Count": 3, "Tags": ["v1"]})
    assert depot.hub.pulled == {}


def test_quotas(depot: TestHub) -> None:
    hook(depot)
    content = manifest_of([(push_blob(depot, "depot/app", b"blob", depot.main), 4)])
    from entrepot.ops import quotas

    depot.run(quotas.set_quota(depot.hub, project=None, bucket="depot", wanted={"tags": 10}))
    for number in range(10):
        assert put_manifest(depot, "depot/app", f"v{number}", content, depot.main).status == 201
    for _ in range(3):
        assert put_manifest(depot, "depot/app", "more", content, depot.main).code == "DENIED"
    [near] = told(depot, Kind="quota.near")
    assert (near["Detail"]["Quota"], near["Detail"]["Used"], near["Detail"]["Percent"]) == ("tags", 9, 90)
    [reached] = told(depot, Kind="quota.reached")
    assert "tags" in reached["Detail"]["Reason"]


def test_what_the_hub_does_by_itself(depot: TestHub) -> None:
    hook(depot)
    digest, _ = push_image(depot, "depot/app", "v1", depot.main)
    manifest = depot.run(depot.hub.db.read(damage_sql.manifests, 0, 10))[0]
    depot.run(damage.mark_manifest(depot.hub, manifest, "damaged"))
    depot.run(damage.mark_manifest(depot.hub, manifest, ""))
    depot.run(depot.hub.db.write(events.tell_scanned, "manifest", int(depot.hub.clock())))
    assert depot.request("DELETE", "/v2/depot/app/manifests/v1", login=depot.main).status == 202
    now = depot.hub.clock
    for days in (90, 180):
        depot.hub.clock = lambda days=days: now() + days * 86_400
        depot.run(collect.collect(depot.hub))
    kinds_told = [one["Kind"] for one in told(depot)]
    assert kinds_told == [
        "image.pushed", "damage.found", "damage.healed", "scan.done", "image.deleted", "image.deleted",
        "collection.done", "collection.done",
    ]  # fmt: skip
    taken = told(depot, Kind="collection.done")
    assert [one["Detail"] for one in taken] == [{"Manifests": 1, "Images": ["app"]}, {"Blobs": 2, "Images": ["app"]}]
    assert told(depot, Kind="image.deleted")[1]["Digest"] == digest
    assert told(depot, Kind="image.deleted")[1]["User"] == ""


def test_a_push_costs_nothing_where_nobody_listens_and_little_where_somebody_does(depot: TestHub) -> None:
    """Statements are counted: with a listener what it is about, its number, and the row."""
    content = manifest_of([(push_blob(depot, "depot/app", b"blob", depot.main), 4)])
    assert put_manifest(depot, "depot/app", "v0", content, depot.main).status == 201

    def cost(tag: str) -> int:
        before = depot.queries()
        assert put_manifest(depot, "depot/app", tag, content, depot.main).status == 201
        return depot.queries() - before

    plain, again = cost("v1"), cost("v1")
    made = hook(depot)
    assert cost("v2") == plain + 3
    assert cost("v2") == again, "nothing changed, nothing is told"
    switch = {"BucketName": "depot", "WebhookId": made}
    assert depot.call("UpdateBucketWebhook", **switch, Enabled="false")["RetCode"] == 0
    assert cost("v3") == plain
    assert depot.call("UpdateBucketWebhook", **switch, Enabled="true")["RetCode"] == 0
    assert cost("v4") == plain + 3
    assert depot.call("DeleteBucketWebhook", **switch)["RetCode"] == 0
    assert cost("v5") == plain
    assert [one["TagName"] for one in told(depot)] == ["v2", "v4"]


def test_a_change_that_is_refused_leaves_no_event_and_no_gap(depot: TestHub) -> None:
    hook(depot)
    push_image(depot, "depot/app", "v1", depot.main)
    tags = {"Region": "cn-bj2", "BucketName": "depot", "ImageName": "app", "Tag": ["v1", "nowhere"]}
    assert depot.call("DeleteImage", **tags)["RetCode"] == 43045
    push_image(depot, "depot/app", "v2", depot.main)
    assert [(one["Number"], one["Kind"]) for one in told(depot)] == [(1, "image.pushed"), (2, "image.pushed")]


def test_cloud_events(depot: TestHub) -> None:
    hook(depot)
    digest, _ = push_image(depot, "depot/app", "v1", depot.main)
    depot.call("UpdateRepo", RepoName="depot", IsShared="true")
    pushed, shared = depot.run(depot.hub.db.read(events_sql.unfiled, 10))
    made = events.cloud_event(pushed)
    assert {name: made[name] for name in ("specversion", "source", "type", "subject", "datacontenttype")} == {
        "specversion": "1.0", "source": "/buckets/depot", "type": "entrepot.image.pushed", "subject": "app:v1",
        "datacontenttype": "application/json",
    }  # fmt: skip
    assert made["id"] == f"{pushed.bucket_id}/1"
    assert made["time"].endswith("Z")
    assert (made["data"]["Digest"], made["data"]["BucketName"], made["data"]["Number"]) == (digest, "depot", 1)
    assert "subject" not in events.cloud_event(shared)
    json.dumps(made)


def test_old_events_go_once_nobody_waits_for_them(depot: TestHub) -> None:
    made = hook(depot)
    push_image(depot, "depot/app", "v1", depot.main)
    now = depot.hub.clock
    depot.hub.clock = lambda: now() + 30 * 86_400
    assert depot.run(janitor.forget_events(depot.hub)) == 0, "it was not filed yet"
    depot.hub.clock = now
    depot.run(dispatch.step(depot.hub))
    depot.hub.clock = lambda: now() + 30 * 86_400
    assert depot.run(janitor.forget_events(depot.hub)) == 0, "it waits to be sent"
    assert depot.call("UpdateBucketWebhook", BucketName="depot", WebhookId=made, Enabled="false")["RetCode"] == 0
    assert depot.run(janitor.forget_events(depot.hub)) == 1
    assert depot.run(janitor.forget_events(depot.hub)) == 0
    assert told(depot) == []
    assert depot.call("UpdateBucketWebhook", BucketName="depot", WebhookId=made, Enabled="true")["RetCode"] == 0
    push_image(depot, "depot/app", "v2", depot.main)
    assert [one["Number"] for one in told(depot)] == [2], "numbers go on"


def test_a_bucket_that_goes_for_good_takes_all_of_it_along(depot: TestHub) -> None:
    hook(depot)
    push_image(depot, "depot/app", "v1", depot.main)
    depot.run(dispatch.step(depot.hub))
    depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")
    assert depot.call("DeleteRepo", RepoName="depot")["RetCode"] == 0
    now = depot.hub.clock
    depot.hub.clock = lambda: now() + 90 * 86_400
    depot.run(collect.collect(depot.hub))
    for table in ("event", "webhook", "webhook_delivery"):
        rows = depot.run(depot.hub.db.read(lambda rows, table=table: rows.all(f"SELECT * FROM {table}")))
        assert rows == [], table


NAMES = st.text("ab-*", min_size=1, max_size=5)


@given(
    st.lists(st.one_of(NAMES, st.tuples(NAMES, NAMES).map(":".join)), max_size=3),
    st.text("ab-", min_size=1, max_size=4),
    st.lists(st.text("ab-", min_size=1, max_size=4), max_size=3),
    st.sampled_from(kinds.KINDS),
    st.lists(st.sampled_from(kinds.KINDS), max_size=3),
)
def test_who_wants_what(patterns: list[str], image: str, tags: list[str], kind: str, wanted: list[str]) -> None:
    """Against the words of the declaration: kinds and any tag of the event, or the whole bucket."""
    hears = kinds.wants(events.words(wanted), events.selection(patterns), kind, image, tags)
    by_kind = not wanted or kind in wanted
    by_tag = not patterns or any(_fits(pattern, image, tag) for pattern in patterns for tag in tags or [""])
    assert hears == (by_kind and by_tag)
    assert kinds.wants(events.words(wanted), events.selection(patterns), kind, "", []) == by_kind


def _fits(pattern: str, image: str, tag: str) -> bool:
    images, _, tags = pattern.rpartition(":")
    return globs.matches(images or "*", image) and globs.matches(tags, tag)


def test_the_declared_kinds_are_the_kinds() -> None:
    from entrepot.api.events import EventKind

    assert tuple(one.value for one in EventKind) == kinds.KINDS
    assert triggers_sql.COUNTED == 1000
