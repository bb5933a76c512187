"""What a run does next: a machine without I/O. Results of tasks go in, tasks come out.

The same results in the same order give the same tasks: a run that was killed is brought back by giving it what was
recorded. Decisions are worked out in here; what touches the world (calls, sub-workflows, waiting) is a Task.
"""

from typing import Any, NamedTuple

from entrepot.model.flow import expr, kinds
from entrepot.model.flow.check import LONGEST_DELAY, SHORTEST_DELAY
from entrepot.model.flow.expr import Env, ExprError, Ref
from entrepot.model.flow.template import TIMEOUT, Activity, Template
from entrepot.model.flow.types import TypeFault, fit

MOST_STEPS = 5_000
"""Most steps of one run, decisions counted: the bound of every loop."""
MOST_DATA = 2_097_152
"""Most characters of a step's input or output."""


class Task(NamedTuple):
    """Something to do in the world. ``timeout`` in milliseconds; ``retries`` after the first try."""

    key: int
    name: str
    type: str
    input: dict[str, Any]
    timeout: int
    retries: int


class Result(NamedTuple):
    """How a task ended, and when (Unix seconds). ``fault``: "" when it went well."""

    response: Any = None
    fault: str = ""
    at: float = 0.0


class Visit(NamedTuple):
    """A step on the way of a run: what went in, what came out; ``state`` Running, Success or Failure."""

    name: str
    type: str
    state: str
    input: Any
    output: Any
    fault: str
    task: int | None


class _Token(NamedTuple):
    """Where a way stands; ``forks``: the splits that it came through, innermost last."""

    forks: tuple[int, ...] = ()


class StepFault(Exception):
    """A step that cannot go on."""


class Run:
    """One run of a checked template. ``state``: Running, Success or Failure."""

    def __init__(
        self, template: Template, given: dict[str, Any], global_values: dict[str, dict[str, Any]], at: float = 0.0
    ) -> None:
        self._template = template
        self._steps = {one.name: one for one in template.activities}
        self._globals = global_values
        self._now = at
        self._values: dict[str, dict[str, Any]] = {}
        self._waiting: dict[int, tuple[Activity, _Token, int]] = {}
        self._arrived: dict[tuple[str, tuple[int, ...]], int] = {}
        self._count = 0
        self.track: list[Visit] = []
        self.state = "Running"
        self.fault = ""
        self.output: dict[str, Any] | None = None
        self._given: dict[str, Any] = {}
        try:
            self._given = inputs(template, given)
        except StepFault as fault:
            self._fail(str(fault))

    def start(self) -> list[Task]:
        """The first tasks."""
        return self._go([("start", _Token())]) if self.state == "Running" else []

    def done(self, key: int, result: Result) -> list[Task]:
        """Take a task's result; the tasks that begin now. Results of a run that has ended are ignored."""
        activity, token, place = self._waiting.pop(key)
        if self.state != "Running":
            return []
        self._now = max(self._now, result.at)
        visit = self.track[place]
        if result.fault:
            self.track[place] = visit._replace(state="Failure", fault=result.fault)
            self._fail(f"{activity.name}: {result.fault}")
            return []
        try:
            output = self._outputs(activity, result.response)
        except (StepFault, ExprError, TypeFault) as fault:
            self.track[place] = visit._replace(state="Failure", fault=str(fault), output=result.response)
            self._fail(f"{activity.name}: {fault}")
            return []
        self._values[activity.name] = {"input": visit.input, "output": output}
        self.track[place] = visit._replace(state="Success", output=output)
        return self._go([(activity.next, token)])

    def _go(self, ready: list[tuple[str, _Token]]) -> list[Task]:
        tasks: list[Task] = []
        while ready and self.state == "Running":
            name, token = ready.pop(0)
            self._count += 1
            activity = self._steps[name]
            if self._count > MOST_STEPS:
                self._fail(f"{name}: the run has taken {MOST_STEPS} steps; a loop has to end before that")
                break
            try:
                task, followers = self._enter(activity, token)
            except (StepFault, ExprError, TypeFault) as fault:
                self.track.append(Visit(name, activity.type, "Failure", activity.input, None, str(fault), None))
                self._fail(f"{name}: {fault}")
                break
            tasks += [task] if task else []
            ready += followers
        if self.state == "Running" and not self._waiting:
            stuck = ", ".join(sorted({name for name, _ in self._arrived}))
            self._fail(f"no way came to end: more branches are waited for at {stuck}; lower its Pass")
        return tasks if self.state == "Running" else []

    def _enter(self, activity: Activity, token: _Token) -> tuple[Task | None, list[tuple[str, _Token]]]:
        if kinds.KINDS[activity.type].is_task:
            return self._task(activity, token), []
        if activity.type == kinds.MERGE:
            return None, self._merge(activity, token)
        given = expr.evaluate(activity.input, self._env()) if activity.input else {}
        low = {key.lower(): value for key, value in given.items()}
        output: dict[str, Any] = {}
        followers = [(activity.next, token)]
        if activity.type == kinds.END:
            self.output = output = self._answer()
            self.state = "Success"
            followers = []
        elif activity.type == kinds.BOOL:
            followers = [(low["true" if _compare(low["express"]) else "false"], token)]
        elif activity.type == kinds.SWITCH:
            followers = [(_chosen(low), token)]
        elif activity.type == kinds.SPLIT:
            inside = _Token((*token.forks, self._count))
            followers = [(name, inside) for name in low["branches"]]
        elif activity.type == kinds.PLUS:
            output = {"num": self._plus(activity.name, low)}
        elif activity.type == kinds.ITERATE:
            output = self._iterate(activity.name, low)
        _check_size(given, output)
        self._values[activity.name] = {"input": given, "output": output}
        self.track.append(Visit(activity.name, activity.type, "Success", given, output, "", None))
        return None, followers

    def _task(self, activity: Activity, token: _Token) -> Task:
        given = expr.evaluate(activity.input or {}, self._env())
        _check_size(given)
        low = {key.lower(): value for key, value in given.items()}
        if activity.type == kinds.WAIT:
            delay = _integer(low.get("delay", SHORTEST_DELAY), "delay")
            if not SHORTEST_DELAY <= delay <= LONGEST_DELAY:
                raise StepFault(f"delay is {delay}; {SHORTEST_DELAY} to {LONGEST_DELAY} seconds are possible")
        timeout = activity.timeout or _integer(low.get("timeout") or 0, "timeout") or TIMEOUT
        retries = activity.retry_times or _integer(low.get("retrytimes") or 0, "retrytimes")
        key = self._count
        self._waiting[key] = (activity, token, len(self.track))
        self._values[activity.name] = {"input": given, "output": {}}
        self.track.append(Visit(activity.name, activity.type, "Running", given, None, "", key))
        return Task(
            key, activity.name, activity.type, given, min(max(timeout, 1), 86_400_000), min(max(retries, 0), 20)
        )

    def _merge(self, activity: Activity, token: _Token) -> list[tuple[str, _Token]]:
        place = (activity.name, token.forks)
        self._arrived[place] = self._arrived.get(place, 0) + 1
        wanted = _integer(expr.evaluate(activity.given("pass"), self._env()), "Pass")
        if self._arrived[place] != wanted:
            return []  # not yet all of them, or one that came after those that were waited for
        self._values[activity.name] = {"input": {"Pass": wanted}, "output": {}}
        self.track.append(Visit(activity.name, activity.type, "Success", {"Pass": wanted}, {}, "", None))
        if not token.forks:
            del self._arrived[place]  # no split made these ways: a loop comes by again
        return [(activity.next, _Token(token.forks[:-1]))]

    def _plus(self, name: str, low: dict[str, Any]) -> int:
        before = self._values.get(name)
        if before is None:
            return _integer(low.get("init", 0), "init")
        return _integer(before["output"]["num"] + _integer(low["step"], "step"), "num")

    def _iterate(self, name: str, low: dict[str, Any]) -> dict[str, Any]:
        items = low["value"]
        if not isinstance(items, list):
            raise StepFault("Value is no array")
        before = self._values.get(name)
        # A loop that ended begins anew when the run comes by again.
        place = before["output"]["place"] + 1 if before and before["output"]["i"] == 0 else 0
        if place >= len(items):
            return {"i": -1, "v": None, "place": place}
        item = fit(items[place], low["type"]) if low.get("type") else items[place]
        return {"i": 0, "v": item, "place": place}

    def _outputs(self, activity: Activity, response: Any) -> dict[str, Any]:
        """The declared outputs; of an API call every field of the answer as well."""
        env = self._env(response)
        output = dict(response) if kinds.KINDS[activity.type].outputs is None and isinstance(response, dict) else {}
        for param in activity.output or ():
            # Without a Value, the output is the answer's field of the same name.
            is_named = param.value in (None, "")
            value = expr.walk(response, (param.name,)) if is_named else expr.evaluate(param.value, env)
            try:
                output[param.name] = fit(value, param.type)
            except TypeFault as fault:
                raise StepFault(f"Output {param.name}: {fault}") from fault
        _check_size(output)
        return output

    def _answer(self) -> dict[str, Any]:
        return {one.name: fit(expr.evaluate(one.value, self._env()), one.type) for one in self._template.outputs}

    def _env(self, response: Any = None) -> Env:
        return Env(lambda ref: self._find(ref, response), self._now)

    def _find(self, ref: Ref, response: Any) -> Any:
        head, *rest = ref.path
        side = rest[0].lower() if rest else ""
        if head.lower() == "workflow" and side == "input":
            path = rest[1:]
            value = expr.walk(self._given, tuple(path))
            if value is None and path[-1] == "value":
                value = expr.walk(self._given, tuple(path[:-1]))
            return value
        if head.lower() == "global" and len(rest) == 2:
            return self._globals.get(rest[0], {}).get(rest[1])
        if head not in self._steps or side not in {"input", "output"}:
            return expr.walk(response, ref.path)
        values = self._values.get(head, {}).get(side)
        found = expr.walk(values, tuple(rest[1:]))
        if found is None and side == "input" and isinstance(values, dict):
            found = expr.walk(values.get("body"), tuple(rest[1:]))
        return found

    def _fail(self, reason: str) -> None:
        self.state = "Failure"
        self.fault = reason


def _check_size(*values: Any) -> None:
    if sum(map(expr.weight, values)) > MOST_DATA:
        raise StepFault(f"the step's data would have more than {MOST_DATA} characters")


def inputs(template: Template, given: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a run: what was given as its type, else the declared value. Raises StepFault."""
    odd = sorted(given.keys() - {one.name for one in template.inputs})
    if odd:
        raise StepFault(f"Input: the workflow takes no {odd[0][:60]!r}")
    found = {}
    for param in template.inputs:
        value = given.get(param.name, None if param.value == "" and param.type != "STRING" else param.value)
        try:
            found[param.name] = fit(value, param.type)
        except TypeFault as fault:
            raise StepFault(f"Input {param.name}: {fault}") from fault
    return found


def _integer(value: Any, name: str) -> int:
    try:
        made = fit(value, "INT64")
    except TypeFault as fault:
        raise StepFault(f"{name}: {fault}") from fault
    if made is None:
        raise StepFault(f"{name}: a whole number is expected, not null")
    return int(made)


def _typed(express: dict[str, Any], other: Any) -> tuple[Any, Any]:
    low = {key.lower(): value for key, value in express.items()}
    kind = low.get("type") or ""
    try:
        return (fit(low["value"], kind), fit(other, kind)) if kind else (low["value"], other)
    except TypeFault as fault:
        raise StepFault(f"express: {fault}") from fault


def _compare(express: dict[str, Any]) -> bool:
    left, right = _typed(express["left"], express["right"])
    if express["operation"] == "EQ":
        return bool(left == right)
    try:
        return bool(left < right) if express["operation"] == "LT" else bool(left > right)
    except TypeError as fault:
        raise StepFault(f"express: {left!r:.40} and {right!r:.40} have no order") from fault


def _chosen(low: dict[str, Any]) -> str:
    for case in low["cases"]:
        try:
            left, right = _typed(low["express"], case["value"])
        except StepFault:
            continue  # a case of another type is not this one
        if left == right:
            return str(case["next"])
    return str(low["default"])
