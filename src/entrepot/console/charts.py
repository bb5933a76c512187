"""Bar charts as numbers for an SVG: no script draws them, and a table beside says the same."""

from datetime import UTC, datetime
from typing import NamedTuple

WIDTH, HEIGHT, BASE = 440, 150, 128
"""Of the drawing (its viewBox in overview.html); bars stand on BASE, below it are the days."""
LEFT = 36
LABELS = 6


class Bar(NamedTuple):
    """A day's bar, in units of the drawing; ``day`` as it is written."""

    x: float
    y: float
    width: float
    height: float
    day: str
    number: int


class Line(NamedTuple):
    """A line of the scale, with its number."""

    y: float
    number: int


class Chart(NamedTuple):
    """What the template draws."""

    bars: list[Bar]
    lines: list[Line]
    days: list[tuple[float, str]]


def bars(values: list[tuple[int, int]]) -> Chart:
    """A bar for each (Unix time of a day, count)."""
    top = _round_up(max([count for _, count in values], default=0))
    step = (WIDTH - LEFT) / max(1, len(values))
    width = max(1.0, step * 0.72)
    made = []
    for place, (day, count) in enumerate(values):
        height = (BASE - 12) * count / top
        x = LEFT + place * step + (step - width) / 2
        made.append(Bar(round(x, 2), round(BASE - height, 2), round(width, 2), round(height, 2), _day(day), count))
    every = max(1, -(-len(values) // LABELS))
    days = [(round(bar.x + bar.width / 2, 2), bar.day[5:]) for bar in made[::every]]
    scale = sorted({0, top // 2, top}) if top > 1 else [0, top]
    lines = [Line(round(BASE - (BASE - 12) * count / top, 2), count) for count in scale]
    return Chart(made, lines, days)


def _round_up(most: int) -> int:
    """The top of the scale: 1, 2, 4, 10, 20, 40, 100 ..."""
    top = 1
    while True:
        for factor in (1, 2, 4):
            if most <= top * factor:
                return top * factor
        top *= 10


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
