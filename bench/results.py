"""Rows of the result: what was measured, against which bar, and whether it was reached."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import median

from bench.servers import DISTRIBUTION, NGINX, OURS, SECOND, ZOT

COLUMNS = (OURS, SECOND, DISTRIBUTION, ZOT, NGINX)
BASE = "base"
"""A row's own point of comparison, where that is no other server."""


@dataclass(frozen=True)
class Bar:
    """``at_least`` so many times a peer, ``at_most`` so many times a peer, or (no peer) at most so much."""

    peer: str = ""
    at_least: float = 0
    at_most: float = 0

    def words(self, unit: str, base: str) -> str:
        """As the table shows it."""
        if not self.peer:
            return f"at most {number(self.at_most)} {unit}"
        name = base if self.peer == BASE else self.peer
        return f"{self.at_least:g}x {name}" if self.at_least else f"at most {self.at_most:g}x {name}"


@dataclass
class Row:
    """One work: the value of each round for each column. More is better, unless a bar says ``at_most``."""

    work: str
    unit: str
    values: dict[str, list[float]]
    bars: list[Bar] = field(default_factory=list)
    note: str = ""
    base: str = ""

    def middle(self, column: str) -> float | None:
        """The median of a column."""
        rounds = self.values.get(column)
        return median(rounds) if rounds else None

    def ratio(self, peer: str) -> float | None:
        """Ours by the peer's."""
        ours, theirs = self.middle(OURS), self.middle(peer)
        return ours / theirs if ours is not None and theirs else None

    def reached(self, bar: Bar) -> bool | None:
        """None: not measured."""
        value = self.ratio(bar.peer) if bar.peer else self.middle(OURS)
        if value is None:
            return None
        return value >= bar.at_least if bar.at_least else value <= bar.at_most

    def ratios(self) -> Iterator[str]:
        """Ours beside every peer that was measured."""
        for peer in (*COLUMNS[2:], BASE):
            value = self.ratio(peer)
            if value is not None:
                yield f"{value:.3g}x {self.base if peer == BASE else peer}"

    def spread(self, column: str) -> str:
        """Median, least and most."""
        rounds = self.values.get(column)
        if not rounds:
            return "–"
        return f"{number(median(rounds))} ({number(min(rounds))} … {number(max(rounds))})"


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


Contestants = Mapping[str, Callable[[], float]]


def in_turn(
    tell: Callable[[str], None], work: str, unit: str, rounds: int, contestants: Contestants
) -> dict[str, list[float]]:
    """Every contestant once in each round, so that what drifts on the machine meets all of them.

    Every other round goes the other way: who comes first finds more free pages, and must not always be the same.
    """
    values: dict[str, list[float]] = {name: [] for name in contestants}
    for place in range(rounds):
        for name in list(contestants)[:: -1 if place % 2 else 1]:
            value = contestants[name]()
            values[name].append(value)
            tell(f"{work}, round {place + 1} of {rounds}: {name} {number(value)} {unit}")
    return values
