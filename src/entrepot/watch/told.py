"""What a door tells of a request while it answers it, for the access log and the traces. Made only where one is on."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Told:
    """``place``: the endpoint (tally); ``about``: names, such as a repository; never a secret."""

    place: int = 0
    who: str = ""
    about: dict[str, str] = field(default_factory=dict)


def tell(scope: dict[str, Any], who: str, **about: str) -> None:
    """Note who asks and what it is about, where somebody listens."""
    told: Told | None = scope.get("told")
    if told is not None:
        told.who = who
        told.about.update(about)
