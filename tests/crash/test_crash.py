"""kill -9 at each failpoint of each verb: nothing acknowledged is lost, and nothing is left over.

A real process passes the failpoints of the verb up to one and dies there. Another one then finds the folder as it is.
"""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from entrepot import failpoint
from entrepot.ops import check, collect, janitor
from entrepot.ops.collect import Report
from tests import s3, stored
from tests.clients.judge import wrong_counters
from tests.conftest import Loop, TestHub
from tests.crash.bucket_verbs import BUCKET_VERBS
from tests.crash.client import Client
from tests.crash.doors import KILLED, Processes
from tests.crash.test_complete import MONTH, prepared
from tests.crash.verbs import VERBS, Verb

pytestmark = [pytest.mark.slow]


def crashes(verbs: Sequence[Verb]) -> list[tuple[Verb, str]]:
    """Each verb with each beginning of its path: it dies at the last point.

    Where two verbs begin in the same way and go on in different ones, one of them dies in the common part.
    Two chores of a server may overtake each other, so what the second one passes is counted from its own first point.
    """
    found: list[tuple[Verb, str]] = []
    for verb in verbs:
        points = failpoint.path(verb.path)
        known = {path for other, path in found if other.path != verb.path}
        turn = points.index(verb.next_chore) if verb.next_chore else len(points)
        beginnings = [" ".join(points[: place + 1]) for place in range(turn)]
        beginnings += [" ".join(points[turn : place + 1]) for place in range(turn, len(points))]
        found += [(verb, path) for path in beginnings if path not in known]
    return found


def name_of(crash: object) -> str:
    if isinstance(crash, Verb):
        return crash.name.replace(" ", "-")
    points = str(crash).split()
    return f"{len(points)}-{points[-1]}"


@pytest.mark.parametrize(("verb", "path"), crashes(VERBS), ids=name_of)
def test_a_kill_between_any_two_steps(loop: Loop, tmp_path: Path, verb: Verb, path: str) -> None:
    stored.only_files()
    hub, client = prepared(loop, tmp_path / "data", verb)
    killed_and_gone_on(hub, client, verb, path)
    assert on_disk(hub.settings.data_dir) == accounted(hub.settings.data_dir)


@pytest.mark.parametrize(("verb", "path"), crashes(BUCKET_VERBS), ids=name_of)
def test_a_kill_between_two_requests_to_a_bucket(loop: Loop, tmp_path: Path, verb: Verb, path: str) -> None:
    hub, client = prepared(loop, tmp_path / "data", verb, **s3.settings_of(tmp_path / "data"))
    killed_and_gone_on(hub, client, verb, path)
    found = {one.stored_key: one.stat().st_size for one in stored.objects(hub)}
    assert ({f"blobs/{key}": size for key, size in found.items()}, stored.growing(hub)) == (
        accounted(hub.settings.data_dir), [],
    )  # fmt: skip


def killed_and_gone_on(hub: TestHub, client: Client, verb: Verb, path: str) -> None:
    """The verb is killed at the end of the path; a new process finds what was acknowledged, and ends the verb."""
    hub.close()
    dying = Processes(hub, path)
    client.door = dying
    if not verb.is_chore:
        dying.start()
    try:
        with pytest.raises(KILLED):
            verb.drive(client)
        assert dying.has_died()
    finally:
        dying.kill()
    living = Processes(hub)
    client.door, client.again = living, True
    living.beside.generations()
    living.start()
    try:
        client.check()
        verb.drive(client)
        client.check()
        verb.after(client)
        long_after(hub)
        client.check(blobs=False)
    finally:
        living.kill()


def long_after(hub: TestHub) -> None:
    """Everything is as it should be; months later everything that is due has been collected, beside the server."""
    hub.open()
    assert hub.run(wrong_counters(hub.hub)) == []
    assert hub.run(check.check(hub.hub, deep=True, repair=False, progress=lambda *_: None)) == []
    now = hub.hub.clock
    for months in (1, 2):
        hub.hub.clock = lambda months=months: now() + months * MONTH
        for step in janitor.STEPS:
            hub.run(step(hub.hub))
        hub.run(collect.step(hub.hub, Report()))
    hub.run(collect.collect(hub.hub))
    assert hub.run(check.check(hub.hub, deep=True, repair=False, progress=lambda *_: None)) == []
    hub.close()


def on_disk(data: Path) -> dict[str, int]:
    """Every file that holds bytes of somebody, and its size."""
    found = [one for folder in ("blobs", "uploads") for one in (data / folder).rglob("*") if one.is_file()]
    return {str(one.relative_to(data)): one.stat().st_size for one in found}


def accounted(data: Path) -> dict[str, int]:
    """The same by what the rows say; nothing waits to be collected any more."""
    with sqlite3.connect(data / "hub.db") as rows:
        for queue in ("gc_manifest", "gc_link", "gc_blob", "dead_object", "upload"):
            assert rows.execute(f"SELECT COUNT(*) FROM {queue}").fetchone() == (0,), queue
        kept = rows.execute("SELECT 'blobs/' || storage_key, size FROM blob WHERE content IS NULL").fetchall()
    rows.close()
    return dict(kept)
