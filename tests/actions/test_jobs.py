"""ListJobs: what the hub does by itself, and to whom it tells it."""

from typing import Any

from entrepot.ops import collect, holds, people
from tests.conftest import TestHub
from tests.registry.kit import push_image

DAY = 86_400


def jobs(hub: TestHub, keys: tuple[str, str] | None = None) -> dict[str, dict[str, Any]]:
    answer = hub.call("ListJobs") if keys is None else hub.call_as(keys, "ListJobs")
    assert answer["RetCode"] == 0, answer
    return {f"{one['Kind']} {one['BucketName']}".strip(): one for one in answer["JobSet"]}


def test_what_is_due_is_told_until_it_is_done(hub: TestHub) -> None:
    hub.bucket("depot")
    push_image(hub, "depot/app", "v1", hub.main)
    hub.request("DELETE", "/v2/depot/app/manifests/v1", login=hub.main)
    told = jobs(hub)["Collection"]
    assert (told["State"], told["Total"]) == ("Waiting", 0)
    assert told["NextTime"] > hub.hub.clock()
    now = hub.hub.clock() + 30 * DAY
    hub.hub.clock = lambda: now
    told = jobs(hub)["Collection"]
    assert (told["State"], told["Total"] > 0) == ("Running", True)
    for _ in range(4):
        hub.run(collect.collect(hub.hub))
        now += 10 * DAY
    assert jobs(hub)["Collection"]["State"] == "Waiting"


def test_a_backup_is_told_while_it_runs(hub: TestHub) -> None:
    assert jobs(hub)["Backup"]["State"] == "Waiting"
    running = holds.hold(hub.hub)
    hub.run(running.__aenter__())
    assert (jobs(hub)["Backup"]["State"], jobs(hub)["Backup"]["Total"]) == ("Running", 1)
    hub.run(running.__aexit__(None, None, None))
    assert jobs(hub)["Backup"]["State"] == "Waiting"


def test_others_see_their_own_retention_alone(hub: TestHub) -> None:
    hub.bucket("depot")
    hub.call("SetBucketRetention", BucketName="depot", Rules='[{"Match": ["*"], "KeepNewest": 1}]')
    assert set(jobs(hub)) == {"Collection", "Scrub", "Backup", "Retention depot"}
    assert jobs(hub)["Retention depot"]["State"] == "Waiting"
    other = hub.run(
        people.add_user(hub.hub, "o@example.com", password="battery staple", rights=frozenset(), account_of=None)
    )
    keys = (other.public_key, other.private_key)
    assert jobs(hub, keys) == {}
    hub.call_as(keys, "CreateDockerImageBucket", Region="cn-bj2", BucketName="others")
    hub.call_as(keys, "SetBucketRetention", BucketName="others", Rules='[{"Match": ["*"], "KeepNewest": 1}]')
    assert set(jobs(hub, keys)) == {"Retention others"}
    assert "Retention others" not in jobs(hub)
