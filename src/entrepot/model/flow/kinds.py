"""The types of activities: which fields their input has, and which of them name the steps that may follow."""

from collections.abc import Iterator
from typing import NamedTuple

from entrepot.model.flow.template import Activity

HTTP = "HttpActivity"
UHTTP = "UHttpActivity"
WORKFLOW = "WorkflowActivity"
"""Another workflow of the namespace. The documents describe it without naming its type."""
START, END = "StartActivity", "EndActivity"
BOOL, SWITCH, SPLIT, MERGE = "BoolDecision", "SwitchDecision", "SplitDecision", "MergeDecision"
WAIT, PLUS, ITERATE = "WaitDecision", "PlusDecision", "IterateDecision"


class Kind(NamedTuple):
    """``needs`` and ``takes``: fields of the input in lower case; ``outputs``: None where anything may come back."""

    needs: frozenset[str]
    takes: frozenset[str] = frozenset()
    has_next: bool = True
    is_task: bool = False
    outputs: frozenset[str] | None = frozenset()


_CALL = frozenset({"query", "header", "body", "timeout", "retrytimes", "isasync"})

KINDS: dict[str, Kind] = {
    START: Kind(frozenset()),
    END: Kind(frozenset(), has_next=False),
    HTTP: Kind(frozenset({"url", "method"}), _CALL, is_task=True),
    UHTTP: Kind(frozenset({"body"}), _CALL | {"url", "method"}, is_task=True, outputs=None),
    WORKFLOW: Kind(frozenset({"workflow"}), frozenset({"input"}), is_task=True, outputs=None),
    BOOL: Kind(frozenset({"express", "true", "false"}), has_next=False),
    SWITCH: Kind(frozenset({"express", "cases", "default"}), has_next=False),
    SPLIT: Kind(frozenset({"branches"}), has_next=False),
    MERGE: Kind(frozenset({"pass"})),
    WAIT: Kind(frozenset(), frozenset({"delay"}), is_task=True),
    PLUS: Kind(frozenset({"step"}), frozenset({"init"}), outputs=frozenset({"num"})),
    ITERATE: Kind(frozenset({"value"}), frozenset({"type"}), outputs=frozenset({"i", "v"})),
}


def follows(activity: Activity) -> Iterator[tuple[str, object]]:
    """(field, name) of every step that may come after an activity; the names are not checked."""
    kind = KINDS.get(activity.type)
    if kind is None:
        return
    if kind.has_next:
        yield "Next", activity.next
    elif activity.type == BOOL:
        yield "Input.true", activity.given("true")
        yield "Input.false", activity.given("false")
    elif activity.type == SWITCH:
        cases = activity.given("cases")
        for place, case in enumerate(cases if isinstance(cases, list) else []):
            yield f"Input.cases.{place}.next", case.get("next") if isinstance(case, dict) else None
        yield "Input.default", activity.given("default")
    elif activity.type == SPLIT:
        branches = activity.given("branches")
        for place, name in enumerate(branches if isinstance(branches, list) else []):
            yield f"Input.branches.{place}", name
