"""A workflow as a drawing: steps in layers from start to end, as numbers for an SVG that graph.html prints.

It reads what it can of a template that is full of faults, so that they can be marked in it. No colours, no markup.
"""

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

from entrepot.model.flow import kinds
from entrepot.model.flow.template import MOST_ACTIVITIES, Activity

WIDTH, HEIGHT = 176, 46
"""Of a step."""
GAP_X, GAP_Y, LANE, BEND, EDGE = 28, 44, 16, 22, 14
SHOWN = 22
"""Most characters of a name in its box; the title holds all of it."""
SWEEPS = 6


class Step(NamedTuple):
    """A step as far as it can be read. ``follows``: (what the way is called, place of the step that follows)."""

    place: int
    name: str
    type: str
    follows: tuple[tuple[str, int], ...]


class Node(NamedTuple):
    """A drawn step; x and y of its upper left corner."""

    step: Step
    x: float
    y: float
    label: str


class Way(NamedTuple):
    """A drawn way: path and arrow head of the SVG; its label with a place for it. ``is_back``: it closes a loop."""

    path: str
    head: str
    label: str
    x: float
    y: float
    is_back: bool


class Graph(NamedTuple):
    """What the template draws."""

    nodes: list[Node]
    ways: list[Way]
    width: float
    height: float


def steps(value: Any) -> list[Step]:
    """The steps of a decoded template, whatever is wrong with the rest of it."""
    found = list(_read(value))
    places: dict[str, int] = {}
    for place, one in found:
        places.setdefault(one.name, place)
    return [
        Step(
            place,
            one.name,
            one.type,
            tuple((label, places[name]) for label, name in _ways(one) if isinstance(name, str) and name in places),
        )
        for place, one in found
    ]


def _read(value: Any) -> Iterator[tuple[int, Activity]]:
    listed = (value.get("Activities") or value.get("Activites")) if isinstance(value, dict) else None
    for place, one in enumerate((listed if isinstance(listed, list) else [])[:MOST_ACTIVITIES]):
        if isinstance(one, dict):
            given = one.get("Input")
            name, kind, follower = (one.get(key) for key in ("Name", "Type", "Next"))
            yield (
                place,
                Activity(
                    name if isinstance(name, str) and name else f"#{place}",
                    kind if isinstance(kind, str) else "",
                    follower if isinstance(follower, str) else "",
                    input=given if isinstance(given, dict) else None,
                ),
            )


def _ways(one: Activity) -> Iterator[tuple[str, object]]:
    for field, name in kinds.follows(one):
        label = field.rpartition(".")[2] if one.type in {kinds.BOOL, kinds.SWITCH} else ""
        if one.type == kinds.SWITCH and field.startswith("Input.cases."):
            case = one.given("cases")[int(field.split(".")[2])]
            label = str(case.get("value"))[:SHOWN] if isinstance(case, dict) else ""
        yield "".join(mark if mark.isprintable() else " " for mark in label), name


def draw(found: list[Step]) -> Graph:
    """The drawing: every step once, every way once."""
    back = _back(found)
    layer = _layers(found, back)
    rows, chains = _rows(found, layer, back)
    _order(rows, chains)
    x, width = _columns(rows)
    nodes = [
        Node(one, x[one.place] - WIDTH / 2, EDGE + layer[one.place] * (HEIGHT + GAP_Y), _short(one.name))
        for one in found
    ]
    ways, lane = [], 0
    for one in found:
        for number, (label, other) in enumerate(one.follows):
            if (one.place, other) in back:
                ways.append(_loop(x, layer, one.place, other, label, width + BEND + LANE * lane))
                lane += 1
            else:
                chain = chains[(one.place, number)]
                ways.append(_down([(x[key], layer_y) for key, layer_y in chain], label))
    height = 2 * EDGE + (max(layer.values(), default=0) + 1) * (HEIGHT + GAP_Y) - GAP_Y
    return Graph(nodes, ways, width + (BEND + LANE * lane + EDGE if lane else 0), height)


def _short(name: str) -> str:
    return name if len(name) <= SHOWN else f"{name[: SHOWN - 1]}…"


def _back(found: list[Step]) -> set[tuple[int, int]]:
    """The ways that lead back to where a walk from start came from."""
    follows = {one.place: [other for _, other in one.follows] for one in found}
    first = sorted(found, key=lambda one: (one.name != "start", one.place))
    state: dict[int, int] = {}
    back = set()
    for one in first:
        stack = [(one.place, iter(follows[one.place]))] if one.place not in state else []
        state.setdefault(one.place, 1)
        while stack:
            place, rest = stack[-1]
            other = next(rest, None)
            if other is None:
                state[place] = 2
                stack.pop()
            elif state.get(other) == 1:
                back.add((place, other))
            elif other not in state:
                state[other] = 1
                stack.append((other, iter(follows[other])))
    return back


def _layers(found: list[Step], back: set[tuple[int, int]]) -> dict[int, int]:
    """The longest way to each step, loops left out."""
    into = {one.place: 0 for one in found}
    forward = {one.place: [other for _, other in one.follows if (one.place, other) not in back] for one in found}
    for others in forward.values():
        for other in others:
            into[other] += 1
    layer = dict.fromkeys(into, 0)
    ready = [place for place, count in into.items() if not count]
    while ready:
        place = ready.pop()
        for other in forward[place]:
            layer[other] = max(layer[other], layer[place] + 1)
            into[other] -= 1
            if not into[other]:
                ready.append(other)
    return layer


Chain = list[tuple[Any, float]]


def _rows(
    found: list[Step], layer: Mapping[int, int], back: set[tuple[int, int]]
) -> tuple[list[list[Any]], dict[tuple[int, int], Chain]]:
    """What stands in each layer: steps, and for a way across layers a bend in each; and the ways through them."""
    rows: list[list[Any]] = [[] for _ in range(max(layer.values(), default=0) + 1)]
    chains = {}
    for one in found:
        rows[layer[one.place]].append(one.place)
    for one in found:
        for number, (_, other) in enumerate(one.follows):
            if (one.place, other) in back:
                continue
            chain: Chain = [(one.place, EDGE + layer[one.place] * (HEIGHT + GAP_Y) + HEIGHT)]
            for level in range(layer[one.place] + 1, layer[other]):
                bend = ("bend", one.place, number, level)
                rows[level].append(bend)
                top = EDGE + level * (HEIGHT + GAP_Y)
                chain += [(bend, top), (bend, top + HEIGHT)]
            chain.append((other, EDGE + layer[other] * (HEIGHT + GAP_Y)))
            chains[(one.place, number)] = chain
    return rows, chains


def _order(rows: list[list[Any]], chains: Mapping[tuple[int, int], Chain]) -> None:
    """Bring what is connected above each other: each to the middle of its neighbours, down and up some times."""
    above: dict[Any, list[Any]] = {}
    below: dict[Any, list[Any]] = {}
    for chain in chains.values():
        keys = list(dict.fromkeys(key for key, _ in chain))
        for upper, lower in pairwise(keys):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    for sweep in range(SWEEPS):
        near = below if sweep % 2 else above
        at = {key: place / max(1, len(row)) for row in rows for place, key in enumerate(row)}
        for row in reversed(rows) if sweep % 2 else rows:
            weight = {key: sum(at[one] for one in near.get(key, [])) / max(1, len(near.get(key, []))) for key in row}
            row.sort(key=lambda key: weight[key] if near.get(key) else at[key])
            at.update({key: place / max(1, len(row)) for place, key in enumerate(row)})


def _columns(rows: list[list[Any]]) -> tuple[dict[Any, float], float]:
    """The middle of everything, each layer centred; and the width of all."""
    sizes = [[BEND if isinstance(key, tuple) else WIDTH for key in row] for row in rows]
    broad = max((sum(row) + GAP_X * (len(row) - 1) for row in sizes), default=0)
    x = {}
    for row, widths in zip(rows, sizes, strict=True):
        at = EDGE + (broad - sum(widths) - GAP_X * (len(row) - 1)) / 2
        for key, width in zip(row, widths, strict=True):
            x[key] = at + width / 2
            at += width + GAP_X
    return x, broad + 2 * EDGE


def _down(points: list[tuple[float, float]], label: str) -> Way:
    path = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for (x1, y1), (x2, y2) in pairwise(points):
        half = (y1 + y2) / 2
        path.append(f"L{x2:g} {y2:g}" if x1 == x2 else f"C{x1:g} {half:g} {x2:g} {half:g} {x2:g} {y2:g}")
    x, y = points[-1]
    (x1, y1), (x2, y2) = points[0], points[1]
    head = f"M{x - 4:g} {y - 8:g}L{x + 4:g} {y - 8:g}L{x:g} {y:g}Z"
    return Way("".join(path), head, label, x1 + (x2 - x1) * 0.6, y1 + (y2 - y1) * 0.6 + 3, False)


def _loop(x: Mapping[Any, float], layer: Mapping[int, int], place: int, other: int, label: str, lane: float) -> Way:
    x1, y1 = x[place] + WIDTH / 2, EDGE + layer[place] * (HEIGHT + GAP_Y) + HEIGHT * 0.65
    x2, y2 = x[other] + WIDTH / 2, EDGE + layer[other] * (HEIGHT + GAP_Y) + HEIGHT * 0.35
    path = (
        f"M{x1:g} {y1:g}H{lane - 8:g}Q{lane:g} {y1:g} {lane:g} {y1 - 8:g}V{y2 + 8:g}"
        f"Q{lane:g} {y2:g} {lane - 8:g} {y2:g}H{x2:g}"
    )
    head = f"M{x2 + 8:g} {y2 - 4:g}L{x2 + 8:g} {y2 + 4:g}L{x2:g} {y2:g}Z"
    return Way(path, head, label, min(x1 + 24, lane), y1 - 5, True)
