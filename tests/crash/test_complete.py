"""The table is whole: between any two steps of a verb that reach the disk there is a failpoint, and it is listed."""

import itertools
import os
import re
import shutil
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import pytest

from entrepot import failpoint
from tests import s3, stored
from tests.conftest import Loop, TestHub
from tests.crash.bucket_verbs import BUCKET_VERBS, NAMED_ELSEWHERE
from tests.crash.client import Client
from tests.crash.doors import SETTINGS, InProcess
from tests.crash.scenes import BUCKETS
from tests.crash.verbs import VERBS, Verb

MONTH, THREE_DAYS = 30 * 86_400, 3 * 86_400
CHANGES = ("mark", "put", "delete", "begin", "put_part", "complete", "abort", "copy")
"""Of a bucket. Some are two requests to Azure; tests/buckets/test_azure.py looks at what is left between them."""
AT_ONCE = {"PUT", "PUT_PART"}
inside: ContextVar[bool] = ContextVar("inside", default=False)
"""Whether a change is part of another one."""
SOURCE = Path(failpoint.__file__).parent


def prepared(loop: Loop, folder: Path, verb: Verb, **given: str) -> tuple[TestHub, Client]:
    """A hub in which what the verb needs was done three days ago, or long enough for a collection: a month ago."""
    hub = TestHub(loop, folder, **SETTINGS, **given)
    for name in BUCKETS:
        hub.bucket(name)
    now = hub.hub.clock
    hub.hub.clock = lambda: now() - (MONTH if verb.is_chore else THREE_DAYS)
    client = Client(InProcess(hub))
    verb.before(client)
    hub.hub.clock = now
    return hub, client


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each thing that a verb does to the disk, in capitals, and each failpoint, as they come."""
    seen: list[str] = []

    def watch(name: str, does: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **given: Any) -> Any:
            done = does(*args, **given)
            seen.append(name.upper())
            return done

        return watched

    removed = shutil.rmtree

    def remove(folder: Path, **given: Any) -> None:
        """What has no name that anybody asks for goes in one step, however many files it is."""
        before, is_there = len(seen), folder.exists()
        removed(folder, **given)
        seen[before:] = ["RMTREE"] * is_there

    for name in ("mkdir", "fsync", "ftruncate", "write", "rename", "unlink", "link", "rmdir"):
        monkeypatch.setattr(os, name, watch(name, getattr(os, name)))
    monkeypatch.setattr(shutil, "rmtree", remove)
    monkeypatch.setattr(failpoint, "hook", seen.append)
    return seen


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_every_step_has_a_failpoint_and_every_failpoint_is_listed(
    loop: Loop, tmp_path: Path, verb: Verb, monkeypatch: pytest.MonkeyPatch, steps: list[str]
) -> None:
    stored.only_files()
    hub, client = prepared(loop, tmp_path / "data", verb)
    writer = hub.hub.db._writer  # type: ignore[attr-defined]
    # The trace comes before the statement runs; what counts is that COMMIT stands between its two points.
    writer.set_trace_callback(lambda text: steps.append(text) if text == "COMMIT" else None)
    steps.clear()
    verb.drive(client)
    steps.append("ANSWER")
    writer.set_trace_callback(None)
    assert [one for one in steps if not one.isupper()] == failpoint.path(verb.path)
    for one, following in itertools.pairwise(steps):
        # A folder and the folder above it are made by one call.
        assert not (one.isupper() and following.isupper()) or one == following == "MKDIR", (one, following)
    client.check()
    verb.after(client)
    hub.close()


@pytest.mark.parametrize("verb", BUCKET_VERBS, ids=lambda verb: verb.name)
def test_between_two_changes_of_a_bucket_is_a_failpoint(
    loop: Loop, tmp_path: Path, verb: Verb, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, client = prepared(loop, tmp_path / "data", verb, **s3.settings_of(tmp_path / "data"))
    steps: list[str] = []
    store = type(hub.hub.blobs._remote)  # type: ignore[attr-defined]

    def watch(name: str, does: Callable[..., Any]) -> Callable[..., Any]:
        async def watched(*args: Any) -> Any:
            if inside.get():
                return await does(*args)
            token = inside.set(True)
            try:
                return await does(*args)
            finally:
                inside.reset(token)
                steps.append(name.upper())

        return watched

    for name in CHANGES:
        monkeypatch.setattr(store, name, watch(name, getattr(store, name)))
    monkeypatch.setattr(failpoint, "hook", steps.append)
    verb.drive(client)
    steps.append("ANSWER")
    assert any(one.isupper() for one in steps[:-1]) or "remote." not in verb.path, "the store is watched"
    passed = [one for one in steps if not one.isupper() and not one.startswith(NAMED_ELSEWHERE)]
    assert passed == failpoint.path(verb.path)
    for one, following in itertools.pairwise(steps):
        # A tail and the part that it becomes, should nothing come after it, are on their way at once.
        assert not (one.isupper() and following.isupper()) or {one, following} == AT_ONCE, (one, following)
    client.check()
    hub.close()


def test_every_failpoint_of_the_source_is_passed_by_a_verb_of_the_table() -> None:
    placed = {
        name
        for path in SOURCE.rglob("*.py")
        for name in re.findall(r'failpoint\.at\("([^"]+)"\)', path.read_text("utf-8"))
    }
    assert placed == {name for verb in (*VERBS, *BUCKET_VERBS) for name in failpoint.path(verb.path)}
    # One of these commits, and the two places of a commit have the same names in both.
    writers = {"db_sqlite.py", "postgres_writer.py"}
    calls = sum(
        path.read_text("utf-8").count("failpoint.at(") for path in SOURCE.rglob("*.py") if path.name not in writers
    )
    assert calls + len({"db.ready", "db.committed"}) == len(placed), "a name stands for one place"


def test_a_failpoint_means_nothing_without_the_word_that_this_is_a_test() -> None:
    assert failpoint._killer({}) is None
    assert failpoint._killer({"ENTREPOT_FAILPOINT": "db.ready"}) is None
    assert failpoint._killer({"ENTREPOT_FAILPOINT": "db.ready", "ENTREPOT_CRASH_TEST": "yes"}) is None
    assert failpoint._killer({"ENTREPOT_CRASH_TEST": "1"}) is None
    assert failpoint._killer({"ENTREPOT_FAILPOINT": "db.ready", "ENTREPOT_CRASH_TEST": "1"}) is not None
    assert failpoint.hook is None, "the tests themselves must live"
