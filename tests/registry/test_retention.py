"""Retention at the doors: what goes, why, what follows, and what stays because of what happened meanwhile."""

import asyncio
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.model import retention as model
from entrepot.ops import collect, pulls, retention
from entrepot.ops.context import Ctx, Who
from entrepot.store.migrate import _statements, migrations
from entrepot.store.sql import retention as sql
from tests.conftest import Loop, TestHub
from tests.registry.kit import OCI_INDEX, OCI_MANIFEST, digest, push_image, put_manifest
from tests.registry.test_collect import DAY, WEEK, Aging

APP = {"BucketName": "depot"}


@pytest.fixture
def depot(loop: Loop, tmp_path: Path) -> Iterator[Aging]:
    made = Aging(loop, tmp_path / "data")
    made.bucket("depot")
    yield made
    made.close()


def rules(hub: TestHub, *wanted: dict[str, Any], **more: Any) -> None:
    answer = hub.call("SetBucketRetention", **APP, Rules=json.dumps(wanted), **more)
    assert answer["RetCode"] == 0, answer


def push(hub: Aging, *tags: str, image: str = "depot/app", age: float = 1) -> list[str]:
    """One image after the other, a second between them; their digests."""
    made = []
    for tag in tags:
        hub.now += age
        made.append(push_image(hub, image, tag, hub.main)[0])
    return made


def tags(hub: TestHub, image: str = "depot/app") -> list[str]:
    return list(hub.request("GET", f"/v2/{image}/tags/list", login=hub.main).json["tags"])


def preview(hub: TestHub, **more: Any) -> list[str]:
    answer = hub.call("PreviewBucketRetention", **APP, **more)
    assert answer["RetCode"] == 0, answer
    assert answer["TotalCount"] >= len(answer["TagSet"])
    return [f"{one['ImageName']}:{one['TagName']}" for one in answer["TagSet"]]


def run(hub: TestHub, **more: Any) -> list[str]:
    answer = hub.call("RunBucketRetention", **APP, **more)
    assert answer["RetCode"] == 0, answer
    return [f"{one['ImageName']}:{one['TagName']}" for one in answer["TagSet"]]


def rows(hub: TestHub, text: str, **params: Any) -> list[Any]:
    return list(hub.run(hub.hub.db.read(lambda found: found.all(text, **params))))


def test_a_preview_says_what_a_run_then_does(depot: Aging) -> None:
    pushed = dict(zip(["v1", "v2", "v3", "dev"], push(depot, "v1", "v2", "v3", "dev"), strict=True))
    push(depot, "v1", image="depot/web")
    rules(depot, {"Match": ["v*"], "KeepNewest": 1})
    answer = depot.call("PreviewBucketRetention", **APP)
    assert (answer["TotalCount"], len(answer["TagSet"])) == (2, 2)
    assert answer["TagSet"][0] == {
        "ImageName": "app", "TagName": "v2", "Digest": pushed["v2"], "PushTime": int(depot.now - 3), "PullTime": 0,
        "Reason": "rule 1: not one of the newest 1",
    }  # fmt: skip
    assert tags(depot) == ["dev", "v1", "v2", "v3"]
    assert preview(depot, ImageName="web") == []
    assert preview(depot, Rules=json.dumps([{"Match": ["app:*"], "KeepNewest": 3}])) == ["app:v1"]
    assert run(depot) == ["app:v2", "app:v1"]
    assert (tags(depot), tags(depot, "depot/web")) == (["dev", "v3"], ["v1"])
    assert (run(depot), preview(depot)) == ([], [])
    history = depot.call("ListTagHistory", **APP, ImageName="app", TagName="v1")["TagHistorySet"]
    assert (history[0]["Event"], history[0]["User"]) == ("Deleted", "retention")
    trail = [one for one in depot.call("ListAuditRecords")["AuditSet"] if one["Action"] == "Retention"]
    assert [(one["Target"], one["User"]) for one in trail] == [("depot/app 2 tags: v2 v1", depot.email)]
    assert depot.is_clean()
    # Nothing is lost yet: as long as its manifest is there, a tag comes back, and is the newest then.
    assert depot.call("RestoreTag", **APP, ImageName="app", TagName="v1")["Digest"] == pushed["v1"]
    assert preview(depot) == ["app:v3"]


def test_pages_are_bounded_and_a_run_is_resumed(depot: Aging) -> None:
    push(depot, *(f"t{number}" for number in range(7)))
    rules(depot, {"Match": ["*"], "KeepNewest": 2})
    assert preview(depot, Limit=2) == ["app:t4", "app:t3"]
    assert preview(depot, Limit=2, Offset=2) == ["app:t2", "app:t1"]
    assert preview(depot, Limit=2, Offset=4) == ["app:t0"]
    answer = depot.call("PreviewBucketRetention", **APP, Limit=0, Offset=3)
    assert (answer["TotalCount"], answer["TagSet"]) == (5, [])
    first = depot.call("RunBucketRetention", **APP, Limit=3)
    assert ([one["TagName"] for one in first["TagSet"]], first["IsFinished"]) == (["t4", "t3", "t2"], False)
    second = depot.call("RunBucketRetention", **APP, Limit=3)
    assert ([one["TagName"] for one in second["TagSet"]], second["IsFinished"]) == (["t1", "t0"], True)
    assert tags(depot) == ["t5", "t6"]


@pytest.mark.parametrize("how", ["tag", "digest", "head", "not-modified", "platform"])
def test_a_pull_in_whatever_form_keeps_a_tag(depot: Aging, how: str) -> None:
    child, content = push_image(depot, "depot/app", "platform", depot.main)
    held = {"mediaType": OCI_MANIFEST, "digest": child, "size": len(content)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [held]}).encode()
    assert put_manifest(depot, "depot/app", "v1", index, depot.main, OCI_INDEX).status == 201
    rules(depot, {"Match": ["v*"], "KeepPulledDays": 30})
    depot.now += 29 * DAY
    assert preview(depot) == []  # never pulled, but not there for a month yet
    reference = {"tag": "v1", "head": "v1", "platform": child}.get(how, digest(index))
    headers = {"if-none-match": f'"{digest(index)}"'} if how == "not-modified" else {}
    method = "HEAD" if how == "head" else "GET"
    before = depot.queries()
    seen = depot.request(method, f"/v2/depot/app/manifests/{reference}", headers=headers, login=depot.token(
        depot.main, "repository:depot/app:pull"))  # fmt: skip
    assert seen.status == (304 if how == "not-modified" else 200)
    assert depot.queries() > before
    depot.run(pulls.flush(depot.hub))
    depot.reopen()
    depot.hub.clock = lambda: depot.now
    depot.now += 29 * DAY
    assert preview(depot) == []
    depot.now += 2 * DAY
    assert preview(depot) == ["app:v1"]
    when = depot.call("PreviewBucketRetention", **APP)["TagSet"][0]["PullTime"]
    assert when == int(depot.now - 31 * DAY)


def test_pulls_of_before_are_kept_in_the_migration(depot: Aging) -> None:
    """The image's last pull is the latest that any of its manifests can have had."""
    text = dict(migrations())[15]
    [insert] = [one for one in _statements(text) if one.startswith("INSERT INTO manifest_pull")]
    push(depot, "v1", "v2")
    push(depot, "v1", image="depot/unused")

    def pulled(found: Any) -> None:
        found.run("UPDATE image SET pulled_at = 77 WHERE name = 'app'")
        found.run(insert)

    depot.run(depot.hub.db.write(pulled))
    assert rows(depot, "SELECT pulled_at FROM manifest_pull") == [(77,), (77,)]


def test_pulls_are_counted_once_when_they_are_stored_twice_at_once(depot: Aging) -> None:
    push(depot, "v1")
    for _ in range(3):
        depot.pull("v1")

    async def twice() -> None:
        await asyncio.gather(pulls.flush(depot.hub), pulls.flush(depot.hub))

    depot.run(twice())
    assert rows(depot, "SELECT pull_count FROM image") == [(3,)]
    depot.pull("v1")
    depot.run(twice())
    assert rows(depot, "SELECT pull_count FROM image") == [(4,)]
    assert (depot.hub.pulls, depot.hub.used) == ({}, set())


def test_pulls_go_with_their_manifests(depot: Aging) -> None:
    first, second, _ = push(depot, "v1", "v2", "v3")
    for tag in ("v1", "v2", "v3"):
        depot.pull(tag)
    depot.run(pulls.flush(depot.hub))
    assert depot.count("manifest_pull") == 3
    depot.pull(second)
    depot.request("DELETE", f"/v2/depot/app/manifests/{first}", login=depot.main)
    depot.request("DELETE", f"/v2/depot/app/manifests/{second}", login=depot.main)
    depot.run(pulls.flush(depot.hub))
    assert depot.count("manifest_pull") == 1
    assert depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")["RetCode"] == 0
    assert depot.count("manifest_pull") == 0


def test_signatures_stay_with_their_subject_and_go_with_it(depot: Aging) -> None:
    old, new = push(depot, "v1", "v2")
    kinds = (".sig", ".att", ".sbom", "")
    push(depot, *(f"{one.replace(':', '-')}{kind}" for one in (old, new) for kind in kinds))
    stranger = "sha256-" + "ab" * 32 + ".sig"
    push(depot, stranger)  # signatures may live in a repository of their own
    rules(depot, {"Match": ["*"], "KeepNewest": 1})
    assert run(depot) == ["app:v1"]
    signed = [f"{new.replace(':', '-')}{kind}" for kind in kinds]
    assert len(tags(depot)) == 10
    depot.later(WEEK - 10)
    assert len(tags(depot)) == 10
    depot.later(20)
    assert tags(depot) == sorted([*signed, "v2", stranger])
    depot.later(10 * WEEK)
    depot.later(10 * WEEK)
    assert tags(depot) == sorted([*signed, "v2", stranger])
    gone = depot.call("ListTagHistory", **APP, ImageName="app", TagName=f"{old.replace(':', '-')}.sig")
    assert gone["TagHistorySet"][0]["User"] == "collection"
    assert depot.is_clean()


def test_an_immutable_signature_does_not_stop_collection(depot: Aging) -> None:
    [old] = push(depot, "v1")
    push(depot, f"{old.replace(':', '-')}.sig", f"{old.replace(':', '-')}.att")
    assert depot.call("SetBucketImmutableTags", **APP, Tag=["*.sig"])["RetCode"] == 0
    depot.request("DELETE", "/v2/depot/app/manifests/v1", login=depot.main)
    depot.later(WEEK + 1)
    assert tags(depot) == [f"{old.replace(':', '-')}.sig"]
    assert depot.pull(old) == 404


def test_an_index_keeps_its_platforms_until_its_tag_goes(depot: Aging) -> None:
    child, content = push_image(depot, "depot/app", "platform", depot.main)
    held = {"mediaType": OCI_MANIFEST, "digest": child, "size": len(content)}
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [held]}).encode()
    depot.now += 1
    put_manifest(depot, "depot/app", "v1", index, depot.main, OCI_INDEX)
    rules(depot, {"Match": ["platform"], "KeepPushedDays": 1}, {"Match": ["v*"], "KeepPushedDays": 60})
    depot.now += 2 * DAY
    assert run(depot) == ["app:platform"]
    depot.later(4 * WEEK)
    assert (depot.pull(child), depot.pull("v1")) == (200, 200)
    depot.now += 40 * DAY
    rules(depot, {"Match": ["v*"], "KeepPushedDays": 60})
    assert run(depot) == ["app:v1"]
    depot.later(WEEK + 1)
    depot.later(WEEK + 1)
    assert depot.pull(child) == 404
    assert depot.is_clean()


def test_immutable_tags_are_counted_and_stay(depot: Aging) -> None:
    push(depot, "v1", "v2", "v3", "v4")
    assert depot.call("SetBucketImmutableTags", **APP, Tag=["v1", "v4"])["RetCode"] == 0
    rules(depot, {"Match": ["*"], "KeepNewest": 1})
    assert preview(depot) == ["app:v3", "app:v2"]
    assert run(depot) == ["app:v3", "app:v2"]
    assert tags(depot) == ["v1", "v4"]


class Pass:
    """One image's retention, halted between what it judges and what it deletes."""

    def __init__(self, hub: Aging) -> None:
        self.hub = hub
        self.ctx = Ctx(hub.hub, Who(account_id=1, email="retention"))
        self.image_id = rows(hub, "SELECT id FROM image")[0][0]
        bucket_id = rows(hub, "SELECT id FROM bucket")[0][0]
        self.held = hub.run(hub.hub.db.read(sql.policy, bucket_id))
        self.seen = rows(hub, "SELECT MAX(id) FROM tag_event")[0][0]
        self.judged = hub.run(self._judge())

    async def _judge(self) -> list[retention.Leaving]:
        judged = retention._leaving(
            self.hub.hub, self.image_id, "app", model.parse(self.held.rules), self.held.immutable
        )
        return [one async for page in judged for one in page]

    def take(self) -> list[str]:
        self.hub.run(pulls.flush(self.hub.hub))
        gone, _ = self.hub.run(
            self.hub.hub.db.write(retention._take, self.ctx, self.held, self.image_id, self.judged, self.seen)
        )
        return [one.tag.name for one in gone]


@pytest.fixture
def judged(depot: Aging) -> Pass:
    """v4 is kept, v3 to v0 are to go."""
    push(depot, "v0", "v1", "v2", "v3", "v4")
    rules(depot, {"Match": ["*"], "KeepNewest": 1, "KeepPulledDays": 2})
    depot.now += 3 * DAY
    made = Pass(depot)
    assert [one.tag.name for one in made.judged] == ["v3", "v2", "v1", "v0"]
    return made


def test_a_tag_that_was_moved_pushed_or_pulled_meanwhile_stays(judged: Pass) -> None:
    hub = judged.hub
    push(hub, "v3")
    content = hub.request("GET", "/v2/depot/app/manifests/v2", login=hub.main).body
    put_manifest(hub, "depot/app", "v2", content, hub.main)
    hub.pull("v1")
    assert judged.take() == ["v0"]
    assert tags(hub) == ["v1", "v2", "v3", "v4"]
    assert hub.is_clean()


def test_what_somebody_deletes_meanwhile_is_not_counted_as_there(judged: Pass) -> None:
    """v4 goes by hand, so v3 is the newest: it must not go by what was judged before."""
    assert judged.hub.request("DELETE", "/v2/depot/app/manifests/v4", login=judged.hub.main).status == 202
    with pytest.raises(retention._Stale):
        judged.take()
    assert tags(judged.hub) == ["v0", "v1", "v2", "v3"]
    assert run(judged.hub) == ["app:v2", "app:v1", "app:v0"]


def test_rules_that_change_meanwhile_hold_at_once(judged: Pass) -> None:
    for change in (
        ("SetBucketRetention", {"Rules": "[]"}),
        ("SetBucketImmutableTags", {"Tag": ["v3"]}),
    ):
        assert judged.hub.call(change[0], **APP, **change[1])["RetCode"] == 0
        with pytest.raises(retention._Stale):
            judged.take()
    assert len(tags(judged.hub)) == 5


def test_two_runs_at_once_take_each_tag_once(judged: Pass) -> None:
    hub = judged.hub

    async def both() -> list[list[Any]]:
        found = []
        for ctx in (Ctx(hub.hub, Who(account_id=1)), Ctx(hub.hub, Who(account_id=1))):
            report = retention.Report()
            found.append((retention._sweep(ctx, judged.held.bucket_id, report), report))

        async def drain(sweep: Any) -> list[str]:
            return [one.tag.name async for gone in sweep for one in gone]

        return list(await asyncio.gather(*(drain(sweep) for sweep, _ in found)))

    first, second = hub.run(both())
    assert sorted(first + second) == ["v0", "v1", "v2", "v3"]
    deleted = rows(hub, "SELECT COUNT(*) FROM tag_event WHERE who = 'retention'")
    assert deleted == [(4,)]
    assert hub.is_clean()


def test_it_runs_by_itself_a_day_after_it_was_set_and_then_daily(depot: Aging) -> None:
    push(depot, "v1", "v2")
    one = {"Match": ["*"], "KeepNewest": 1}
    rules(depot, one)
    assert depot.run(retention.step(depot.hub)) is False
    depot.now += DAY - 10
    rules(depot, one)  # somebody who sets the same again and again does not put it off
    assert depot.run(retention.step(depot.hub)) is False
    depot.now += 11
    assert depot.run(retention.step(depot.hub)) is True
    assert tags(depot) == ["v2"]
    assert depot.run(retention.step(depot.hub)) is False
    shown = depot.call("GetBucketRetention", **APP)
    assert (shown["LastRunTime"], shown["NextRunTime"]) == (int(depot.now), int(depot.now) + DAY)
    assert json.loads(shown["Rules"]) == [one]
    trail = [line for line in depot.call("ListAuditRecords")["AuditSet"] if line["Action"] == "Retention"]
    assert [(line["Target"], line["User"]) for line in trail] == [("depot/app 1 tags: v1", "retention")]
    push(depot, "v3")
    depot.now += DAY - 10
    assert depot.run(retention.step(depot.hub)) is False
    depot.now += 20
    assert depot.run(retention.step(depot.hub)) is True
    assert tags(depot) == ["v3"]


def test_a_run_that_is_killed_is_taken_up_again_by_one_of_the_others(depot: Aging) -> None:
    push(depot, "v1", "v2")
    rules(depot, {"Match": ["*"], "KeepNewest": 1})
    depot.now += DAY + 1
    now = int(depot.now)
    claimed = depot.run(depot.hub.db.write(sql.claim, now, now + retention.LEASE))
    assert claimed is not None
    depot.reopen()  # the one that had it is gone
    depot.hub.clock = lambda: depot.now
    assert depot.run(retention.step(depot.hub)) is False
    depot.now += retention.LEASE + 1
    assert depot.run(retention.step(depot.hub)) is True
    assert tags(depot) == ["v2"]


def test_off_until_somebody_sets_it_and_off_again(depot: Aging) -> None:
    push(depot, "v1", "v2")
    shown = depot.call("GetBucketRetention", **APP)
    assert (shown["Rules"], shown["NextRunTime"], shown["LastRunTime"]) == ("[]", 0, 0)
    assert (run(depot), preview(depot)) == ([], [])
    assert depot.call("SetBucketRetention", **APP, Preset="UHub")["RetCode"] == 0
    assert json.loads(depot.call("GetBucketRetention", **APP)["Rules"]) == json.loads(model.UHUB)
    assert preview(depot) == []
    rules(depot)
    assert depot.call("GetBucketRetention", **APP)["Rules"] == "[]"
    depot.now += 2 * DAY
    assert depot.run(retention.step(depot.hub)) is False
    for wrong in ({}, {"Rules": "x"}, {"Preset": "other"}, {"Rules": "[]", "Preset": "UHub"}):
        assert depot.call("SetBucketRetention", **APP, **wrong)["RetCode"] in {220, 230}
    assert depot.call("PreviewBucketRetention", **APP, ImageName="nowhere")["RetCode"] == 1033
    assert depot.call("RunBucketRetention", **APP, Limit=1001)["RetCode"] == 230


def test_a_bucket_with_rules_can_be_deleted(depot: Aging) -> None:
    push(depot, "v1")
    rules(depot, {"Match": ["*"], "KeepNewest": 1})
    assert depot.call("DeleteRepoImage", RepoName="depot", ImageName="app")["RetCode"] == 0
    assert depot.call("DeleteRepo", RepoName="depot")["RetCode"] == 0
    depot.later(WEEK + 1)
    assert (depot.count("bucket"), depot.count("bucket_retention")) == (0, 0)


def test_one_look_at_a_time_for_an_account(depot: Aging) -> None:
    push(depot, "v1")
    depot.hub.sweeping.add(1)
    assert depot.call("PreviewBucketRetention", **APP)["RetCode"] == 153
    assert depot.call("RunBucketRetention", **APP)["RetCode"] == 153
    depot.hub.sweeping.clear()
    assert preview(depot) == []
    assert depot.call("PreviewBucketRetention", **APP, ImageName="nowhere")["RetCode"] == 1033
    assert depot.hub.sweeping == set()


def test_a_run_respects_the_networks_of_the_bucket(depot: Aging) -> None:
    assert depot.call("SetBucketNetworkPolicy", **APP, Network=["192.0.2.0/24"])["RetCode"] == 0
    assert depot.call("RunBucketRetention", **APP)["RetCode"] == 294


def fill(hub: Aging, count: int) -> None:
    """An image with so many tags, each older by a minute than the one before."""
    push(hub, "latest")

    def add(found: Any) -> None:
        image_id, manifest_id = found.one("SELECT image_id, manifest_id FROM tag")
        now = int(hub.now)
        listed = [{"i": image_id, "m": manifest_id, "n": f"t{number:06}", "at": now - 60 * number}
                  for number in range(1, count)]  # fmt: skip
        found.run_many(
            "INSERT INTO tag (image_id, name, manifest_id, created_at, updated_at) VALUES (:i, :n, :m, :at, :at)",
            listed,
        )
        found.run("UPDATE image SET tag_count = :count", count=count)

    hub.run(hub.hub.db.write(add))


@pytest.mark.slow
def test_a_hundred_thousand_tags_flat_and_in_small_transactions(depot: Aging) -> None:
    fill(depot, 100_000)
    rules(depot, {"Match": ["*"], "KeepNewest": 5}, {"Match": ["latest"], "KeepPushedDays": 1})
    tracemalloc.start()
    assert depot.call("PreviewBucketRetention", **APP, Limit=10, Offset=50_000)["TotalCount"] == 99_995
    assert tracemalloc.get_traced_memory()[1] < 8 * 2**20
    tracemalloc.stop()
    first = depot.call("RunBucketRetention", **APP, Limit=1000)
    assert (len(first["TagSet"]), first["IsFinished"]) == (1000, False)
    depot.now += DAY + 1
    # Every transaction stays small: the biggest audit line is one batch.
    before = depot.count("audit")
    task = asyncio.run_coroutine_threadsafe(retention.step(depot.hub), depot.loop.loop)
    assert task.result(600) is True
    assert tags(depot) == ["latest", "t000001", "t000002", "t000003", "t000004"]
    assert depot.count("audit") - before == -(-(99_995 - 1000) // retention.BATCH)
    assert depot.is_clean()
    assert depot.run(collect.collect(depot.hub)).is_empty
