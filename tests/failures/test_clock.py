"""The clock jumps a year ahead and comes back. Nothing goes by it that nobody asked to remove, nothing outlives it."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.ops import clocks, collect, janitor
from tests import stored
from tests.conftest import Loop, entrepot
from tests.registry.kit import digest, push_blob, push_image
from tests.registry.test_collect import DAY, WEEK, Aging, document, put

APP = "depot/app"
YEAR = 366 * DAY


class Jumping(Aging):
    """Two clocks: the wall clock, which jumps, and the monotonic one, which goes on by what passes."""

    def __init__(self, loop: Loop, folder: Path, **given: Any) -> None:
        super().__init__(loop, folder, **given)
        self.mono = 1000.0
        self.shard = 0
        self.hub.monotonic = lambda: self.mono

    def start(self) -> None:
        """Another process opens the folder."""
        self.reopen()
        self.mono = 5.0
        self.hub.clock, self.hub.monotonic = (lambda: self.now), (lambda: self.mono)

    def passes(self, seconds: float) -> None:
        self.now += seconds
        self.mono += seconds

    def chores(self) -> bool:
        """What the collector and the janitor of a server do every minute; whether they did."""
        if not self.run(clocks.is_steady(self.hub)):
            return False
        self.run(self._collect())
        for step in janitor.STEPS:
            self.run(step(self.hub))
        return True

    async def _collect(self) -> None:
        report = collect.Report()
        while await collect.step(self.hub, report):
            pass
        self.shard = (self.shard + 1) % self.hub.blobs.shards
        await collect.sweep(self.hub, self.shard, report)

    def serve(self, seconds: float, pace: float = 600) -> None:
        for _ in range(int(seconds // pace)):
            self.passes(pace)
            self.chores()


@pytest.fixture
def depot(loop: Loop, tmp_path: Path) -> Iterator[Jumping]:
    made = Jumping(loop, tmp_path / "data")
    made.bucket("depot")
    made.chores()
    yield made
    made.close()


def state(depot: Jumping) -> list[int]:
    return [depot.count(table) for table in ("manifest", "image_blob", "blob", "audit", "tag_event", "upload")]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_year_ahead_and_back_removes_nothing(depot: Jumping, restarts: bool) -> None:
    push_image(depot, APP, "v1", depot.main)
    deleted = put(depot, document(depot), "v2")
    depot.request("DELETE", f"/v2/{APP}/manifests/v2", login=depot.main)
    waiting = document(depot)  # its blobs are pushed, its manifest is on its way
    place = depot.request("POST", f"/v2/{APP}/blobs/uploads/", login=depot.main).headers["location"]
    place = depot.request("PATCH", place, body=b"abc", login=depot.main).headers["location"]
    before = state(depot)
    depot.now += YEAR
    if restarts:
        depot.start()
    assert not depot.chores()
    depot.serve(1800)
    assert state(depot) == before
    depot.now -= YEAR
    if restarts:
        depot.start()
    assert not depot.chores()
    depot.serve(3600)
    assert state(depot) == before
    done = depot.request("PUT", f"{place}?digest={digest(b'abc')}", login=depot.main)
    assert done.status == 201
    put(depot, waiting, "v3")
    assert depot.call("RestoreTag", BucketName="depot", ImageName="app", TagName="v2")["Digest"] == deleted
    # Then everything takes its usual way again.
    depot.serve(2 * DAY)
    depot.request("DELETE", f"/v2/{APP}/manifests/v2", login=depot.main)
    depot.serve(WEEK + 2 * DAY, pace=3600)
    assert [depot.pull(one) for one in ("v1", "v3", deleted)] == [200, 200, 404]
    assert depot.is_clean()


def test_what_was_filed_under_a_clock_ahead_does_not_wait_for_that_year(depot: Jumping) -> None:
    depot.now += YEAR
    depot.chores()
    content = os.urandom(300)
    name = push_blob(depot, APP, content, depot.main)
    gone = put(depot, document(depot), "digest")
    depot.request("POST", f"/v2/{APP}/blobs/uploads/", login=depot.main)
    started = depot.request("POST", f"/v2/{APP}/blobs/uploads/", login=depot.main).headers["location"]
    depot.request("PATCH", started, body=b"idle", login=depot.main)
    depot.passes(60)
    depot.chores()
    depot.now -= YEAR
    depot.chores()
    depot.serve(2 * WEEK, pace=3600)
    assert depot.pull(gone) == 404
    assert depot.request("HEAD", f"/v2/{APP}/blobs/{name}", login=depot.main).status == 404
    assert stored.growing(depot) == []
    assert depot.is_clean()


def test_a_start_after_a_long_stop_waits_an_hour_not_a_day(depot: Jumping) -> None:
    depot.now += 3 * WEEK
    depot.start()
    assert not depot.chores()
    depot.passes(3000)
    assert not depot.chores()
    # A restart in the middle neither ends the wait nor begins it anew.
    depot.start()
    assert not depot.chores()
    depot.passes(700)
    assert depot.chores()


def test_a_short_stop_a_slow_minute_and_a_small_step_are_no_jump(depot: Jumping) -> None:
    depot.now += DAY / 2
    depot.start()
    assert depot.chores()
    depot.passes(3600)
    depot.now += 100
    assert depot.chores()
    depot.now -= 100
    assert depot.chores()


def test_a_hub_without_grace_does_not_wait(loop: Loop, tmp_path: Path) -> None:
    hub = Jumping(loop, tmp_path / "data", grace_seconds=0)
    assert hub.chores()
    hub.now += YEAR
    assert hub.chores()
    hub.close()


def test_the_collector_and_the_janitor_of_a_server_ask(depot: Jumping) -> None:
    push_blob(depot, APP, os.urandom(300), depot.main)
    before = state(depot)
    depot.now += YEAR

    async def story() -> None:
        tasks = [asyncio.ensure_future(chore.run(depot.hub)) for chore in (collect, janitor)]
        await asyncio.sleep(0.5)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    depot.run(story())
    assert state(depot) == before


def test_no_token_session_or_temporary_key_lives_longer_for_it(depot: Jumping) -> None:
    trust = '{"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":"ucs:iam::1:root"}}'
    role = depot.call("CreateRole", RoleName="actor", RolePolicyDocument=trust)["Role"]["RoleURN"]
    push_blob(depot, APP, b"x", depot.main)
    depot.now += YEAR
    token = depot.token(depot.main, f"repository:{APP}:pull,push")
    path = f"/v2/{APP}/blobs/{digest(b'x')}"
    assert depot.request("HEAD", path, login=token).status == 200
    place = depot.request("POST", f"/v2/{APP}/blobs/uploads/", login=depot.main).headers["location"]
    made = depot.call("AssumeRole", RoleUrn=role, RoleSessionName="s")["Credentials"]
    keys = (made["AccessKeyId"], made["AccessKeySecret"], made["SecurityToken"])
    assert depot.call_as(keys, "GetRegion")["RetCode"] != 174
    depot.now -= YEAR
    assert depot.request("HEAD", path, login=token).status == 401
    assert depot.request("PATCH", place, body=b"y", login=depot.main).code == "BLOB_UPLOAD_UNKNOWN"
    assert depot.call_as(keys, "GetRegion")["RetCode"] == 174
    # And a jump ahead ends what is alive, as time does.
    token = depot.token(depot.main, f"repository:{APP}:pull")
    assert depot.request("HEAD", path, login=token).status == 200
    depot.now += YEAR
    assert depot.request("HEAD", path, login=token).status == 401
    assert depot.request("HEAD", path, login=depot.main).status == 200


def test_gc_by_hand_asks_about_a_clock_that_jumped(depot: Jumping) -> None:
    push_blob(depot, APP, os.urandom(300), depot.main)
    data = str(depot.settings.data_dir)
    done = entrepot("gc", "--data", data)
    assert (done.returncode, "Removed 0" in done.stdout) == (0, True)
    past = int(depot.now) - YEAR
    depot.run(depot.hub.db.write(lambda rows: rows.run("UPDATE clock_seen SET at = :past", past=past)))
    for _ in range(2):
        refused = entrepot("gc", "--data", data)
        assert (refused.returncode, "--trust-clock" in refused.stderr) == (4, True)
    assert entrepot("gc", "--data", data, "--dry-run").returncode == 0
    assert entrepot("gc", "--data", data, "--trust-clock").returncode == 0
