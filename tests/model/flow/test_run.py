"""Runs against small models: loops, branches, splits; the bounds; the same records give the same run."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.model.flow import template
from entrepot.model.flow.check import check
from entrepot.model.flow.run import MOST_STEPS, Result, Run, Task
from tests.model.flow.kit import http, param, start, step
from tests.model.flow.kit import template as made


def run_of(value: dict[str, Any], **given_: Any) -> Run:
    read = template.read(value)
    assert check(read) == []
    return Run(read, given_, {"ns-1": {"who": "me"}})


def finish(run: Run, answer: Any, choose: Any = lambda open_: 0) -> list[Task]:
    """Do every task until the run ends; ``choose`` says which of the open ones ends first."""
    did: list[Task] = []
    open_ = run.start()
    while open_ and run.state == "Running":
        task = open_.pop(choose(open_))
        did.append(task)
        open_ += run.done(task.key, answer(task))
    return did


LOOP = made(
    start("count"),
    step("count", "PlusDecision", "more", {"init": 1, "step": "${workflow.input.Step}"}),
    step("more", "BoolDecision", "", {
        "express": {"left": {"name": "n", "type": "INT64", "value": "${count.output.num}"}, "operation": "GT",
                    "right": "${workflow.input.Most}"}, "true": "end", "false": "call"}),
    http("call", "count", [param("Got", "INT64", "${sum}")], n="${count.output.num}", who="${global.ns-1.who}"),
    inputs=[param("Step", "INT64", 1), param("Most", "INT64", 3)],
    outputs=[param("Last", "INT64", "${call.output.Got}"), param("Num", "INT64", "${count.output.num}")],
)  # fmt: skip


@given(st.integers(1, 5), st.integers(-3, 20))
def test_a_counted_loop(by: int, most: int) -> None:
    run = run_of(LOOP, Step=by, Most=most)
    did = finish(run, lambda task: Result({"sum": task.input["body"]["n"] * 10}))
    numbers = [number for number in range(1, 100, by) if number <= most]
    assert [task.input["body"] for task in did] == [{"n": number, "who": "me"} for number in numbers]
    assert run.state == "Success", run.fault
    last = numbers[-1] if numbers else 1 - by
    assert run.output == {"Last": last * 10 if numbers else None, "Num": last + by}


@given(st.lists(st.integers(-5, 5), max_size=6))
def test_iterate(items: list[int]) -> None:
    run = run_of(
        made(
            start("each"),
            step("each", "IterateDecision", "is", {"type": "INT64", "Value": "${workflow.input.Items}"}),
            step(
                "is",
                "SwitchDecision",
                "",
                {
                    "express": {"name": "i", "type": "INT64", "value": "${each.output.i}"},
                    "cases": [{"value": "-1", "next": "end"}],
                    "default": "call",
                },
            ),
            http("call", "each", v="${each.output.v}"),
            inputs=[param("Items", "[]INT64")],
        ),
        Items=items,
    )
    assert [task.input["body"]["v"] for task in finish(run, lambda task: Result({}))] == items
    assert run.state == "Success", run.fault


SWITCH = made(
    start("which"),
    step("which", "SwitchDecision", "", {"express": {"value": "${workflow.input.X}", "type": "STRING"},
                                         "cases": [{"value": "a", "next": "one"}, {"value": 5, "next": "two"}],
                                         "default": "end"}),
    http("one", "end"),
    http("two", "end"),
    inputs=[param("X")],
)  # fmt: skip


@pytest.mark.parametrize(("given_", "went"), [("a", ["one"]), ("5", ["two"]), ("b", []), (None, [])])
def test_a_switch(given_: Any, went: list[str]) -> None:
    run = run_of(SWITCH, X=given_)
    assert [task.name for task in finish(run, lambda task: Result({}))] == went


def forked(branches: int, length: int, wanted: int) -> dict[str, Any]:
    steps = [
        http(f"b{branch}-{place}", f"b{branch}-{place + 1}" if place + 1 < length else "join")
        for branch in range(branches)
        for place in range(length)
    ]
    return made(
        start("split"),
        step("split", "SplitDecision", "", {"branches": [f"b{branch}-0" for branch in range(branches)]}),
        *steps,
        step("join", "MergeDecision", "after", {"Pass": wanted}),
        http("after", "end"),
    )


@given(st.data(), st.integers(1, 4), st.integers(1, 3))
def test_splits_and_merges(data: st.DataObject, branches: int, length: int) -> None:
    """In any order: each step once, those of a branch in theirs, and what follows the merge once it may."""
    wanted = data.draw(st.integers(1, branches))
    run = run_of(forked(branches, length, wanted))
    did = [
        task.name
        for task in finish(run, lambda task: Result({}), lambda open_: data.draw(st.integers(0, len(open_) - 1)))
    ]
    assert run.state == "Success", run.fault
    assert len(did) == len(set(did))
    assert did.count("after") == 1
    before = did[: did.index("after")]
    assert sum(f"b{branch}-{length - 1}" in before for branch in range(branches)) >= wanted
    for branch in range(branches):
        mine = [name for name in did if name.startswith(f"b{branch}-")]
        assert mine == [f"b{branch}-{place}" for place in range(len(mine))]


@given(st.data(), st.integers(1, 3), st.integers(1, 3))
def test_the_same_records_give_the_same_run(data: st.DataObject, branches: int, length: int) -> None:
    value = forked(branches, length, branches)
    first = run_of(value)
    did = finish(
        first,
        lambda task: Result({"n": task.key}, at=task.key),
        lambda open_: data.draw(st.integers(0, len(open_) - 1)),
    )
    again = run_of(value)
    again.start()
    for task in did:
        again.done(task.key, Result({"n": task.key}, at=task.key))
    assert (again.track, again.output, again.state) == (first.track, first.output, first.state)


def test_a_merge_that_waits_for_too_many_says_so() -> None:
    run = run_of(forked(2, 1, 3))
    finish(run, lambda task: Result({}))
    assert run.state == "Failure"
    assert "join" in run.fault


def test_a_split_inside_a_loop_waits_for_all_each_time() -> None:
    value = made(
        start("count"),
        step("count", "PlusDecision", "more", {"init": 0, "step": 1}),
        step("more", "BoolDecision", "", {"express": {"left": {"value": "${count.output.num}", "type": "INT64"},
                                                      "operation": "LT", "right": 3}, "true": "split", "false": "end"}),
        step("split", "SplitDecision", "", {"branches": ["a", "b"]}),
        http("a", "join"),
        http("b", "join"),
        step("join", "MergeDecision", "count", {"Pass": 1}),
    )  # fmt: skip
    did = [task.name for task in finish(run_of(value), lambda task: Result({}))]
    assert did.count("a") == 3
    assert did.count("b") >= 1


def test_a_loop_without_end_is_ended() -> None:
    value = made(
        start("count"),
        step("count", "PlusDecision", "more", {"step": 1}),
        step("more", "BoolDecision", "", {"express": {"left": {"value": "${count.output.num}", "type": "INT64"},
                                                      "operation": "LT", "right": 0}, "true": "end", "false": "count"}),
    )  # fmt: skip
    run = run_of(value)
    run.start()
    assert run.state == "Failure"
    assert str(MOST_STEPS) in run.fault


def test_a_step_that_grows_without_end_is_ended() -> None:
    def twice(other: str) -> list[dict[str, Any]]:
        return [param("V", "ARRAY", [f"${{{other}.output.V}}", f"${{{other}.output.V}}", "0123456789" * 10])]

    express = {"left": {"value": 1}, "operation": "EQ", "right": 1}
    value = made(
        start("one"),
        http("one", "two", twice("two")),
        http("two", "more", twice("one")),
        step("more", "BoolDecision", "", {"express": express, "true": "one", "false": "end"}),
    )
    run = run_of(value)
    assert len(finish(run, lambda task: Result({}))) < 30
    assert "characters" in run.fault


@pytest.mark.parametrize(("given_", "word"), [({"Step": "x"}, "Step"), ({"Odd": 1}, "Odd"), ({"Most": 2**70}, "Most")])
def test_inputs_are_typed(given_: dict[str, Any], word: str) -> None:
    run = run_of(LOOP, **given_)
    assert run.start() == []
    assert word in run.fault


def test_a_failed_step_ends_the_run_and_stays_on_its_track() -> None:
    run = run_of(LOOP)
    finish(run, lambda task: Result(None, "refused"))
    assert (run.state, run.fault, run.track[-1].state) == ("Failure", "call: refused", "Failure")
    run = run_of(LOOP)
    finish(run, lambda task: Result({"sum": "many"}))
    assert "Got" in run.fault
