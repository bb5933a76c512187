"""What a door tells of a request while it answers it, for the access log and the traces. Made only where one is on."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Told:
    """``place``: the endpoint (tally); ``about``: names that were checked, such as a repository; never a secret."""

    place: int = 0
    who: str = ""
    address: str = ""
    about: dict[str, str] = field(default_factory=dict)
