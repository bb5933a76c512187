"""What a verb is given: the hub's ports (Hub), and who asks from where (Ctx)."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from entrepot import tally
from entrepot.config import Settings
from entrepot.model.policy import Attached, Statement
from entrepot.ops.vault import Vault
from entrepot.store.blobs import BlobStore
from entrepot.store.db import Database
from entrepot.tally import Tally

RIGHTS = ("pull", "push", "delete", "admin")
"""What a user may do inside its own account. None implies another; ``delete`` is its own right."""


class Robot(NamedTuple):
    """A robot, as its tokens tell it; ``expires_at`` 0: never."""

    id: int
    generation: int
    bucket_id: int
    expires_at: int

    def is_listed(self, robots: str) -> bool:
        """Whether it is among the active robots of its bucket, unchanged since (sql.robots)."""
        return f"{self.id}.{self.generation}" in robots.split()


@dataclass(frozen=True, slots=True)
class Who:
    """The caller: a person of an account, a robot of one bucket, or nobody (``person_id`` 0).

    ``rights`` hold in the whole account, ``policies`` add to them and take from them (ops.permits decides). With a
    temporary key the person acts in a ``role``, whose policies are all it has, inside the ``boundary`` it asked for.
    A ``robot`` has its rights in its bucket alone; ``account_id`` is that of the bucket, ``person_id`` below 0.
    """

    person_id: int = 0
    account_id: int = 0
    email: str = ""
    is_main: bool = False
    rights: frozenset[str] = frozenset()
    policies: tuple[Attached, ...] = ()
    boundary: tuple[Statement, ...] | None = None
    role: str = ""
    robot: Robot | None = None

    @property
    def is_anonymous(self) -> bool:
        """Nobody logged in."""
        return self.person_id == 0

    def is_home(self, bucket_id: int, account_id: int) -> bool:
        """Whether a bucket (with the account that has it) is where the caller's rights hold."""
        return self.account_id == account_id if self.robot is None else self.robot.bucket_id == bucket_id


NOBODY = Who()


CHORES = {
    name: tally.cell(
        "entrepot_chore_last_success_timestamp_seconds", "newest", "When a chore last did its step.", chore=name
    )
    for name in ("janitor", "pulls", "collect", "retention", "scrub", "workflows")
}
"""What goes on beside the requests (wiring), and where the time of its last success is noted."""


@dataclass(slots=True)
class Hub:
    """The ports and settings that every verb works with. Clock and ids are fields, so tests set them."""

    settings: Settings
    db: Database
    blobs: BlobStore
    vault: Vault
    clock: Callable[[], float]
    new_id: Callable[[], str]
    monotonic: Callable[[], float] = time.monotonic
    seen: tuple[float, float, float] | None = None
    """What both clocks showed when they were compared last, and for how long things stay since a jump (clocks)."""
    running: dict[str, tuple[int, Any]] = field(default_factory=dict)
    """Hashes of uploads in this process: session -> (bytes hashed, running hash). Only a hint."""
    pulls: dict[int, int] = field(default_factory=dict)
    """Manifest pulls by image id that are counted but not yet in the rows (pulls.flush)."""
    used: set[int] = field(default_factory=set)
    """Manifests that were pulled, or asked for by who has them already, since the last ``pulls.flush``."""
    pushes: dict[int, int] = field(default_factory=dict)
    """Manifest pushes by account id that are counted but not yet in the rows."""
    flushing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while what was counted moves into the rows: twice at once would count it twice."""
    sweeping: set[int] = field(default_factory=set)
    """Accounts for which this process looks through a bucket's tags (ops.retention)."""
    passes: dict[str, Any] = field(default_factory=dict)
    """Verified registry tokens and what they say, each until it expires (access.verify)."""
    password_gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))
    checking: int = 0
    """Password checks that run or wait."""
    verified: dict[bytes, None] = field(default_factory=dict)
    """Keyed hashes of (password hash, password) pairs that were found right; the row's hash is part of the key."""
    meters: dict[str, Any] = field(default_factory=dict)
    """How much of its rate each key has used in this process (rates.take)."""
    tally: Tally = field(default_factory=Tally)
    """What is counted for /metrics, together with the other processes of this server."""
    engine: Any = None
    """What runs the workflows (flows.Engine as ops sees it)."""
    sender: Any = None
    """What sends to webhooks (webhooks.Sender as ops sees it)."""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when there may be an event that those who listen have not got yet (dispatch)."""
    pulled: dict[int, int] = field(default_factory=dict)
    """Pulls by manifest id that are counted but told to nobody yet (pulls.flush)."""
    refused: dict[str, float] = field(default_factory=dict)
    """When this process told of a refusal for a quota last, by bucket (events)."""
    stored_at: float = -1e9
    """When this process stored a manifest last, by the monotonic clock: who only follows lets pushes go first."""

    def did(self, chore: str) -> None:
        """A chore has done its step, whether or not there was anything to do."""
        self.tally.put(CHORES[chore], int(self.clock()))


@dataclass(slots=True)
class Ctx:
    """One call: the hub, the caller, and the address it came from."""

    hub: Hub
    who: Who = field(default=NOBODY)
    address: str = ""
    warnings: list[str] = field(default_factory=list)
    """What the answer should warn of, such as a quota that is nearly used up."""
    depth: int = 0
    """How many events led to this call through workflows (model.events.DEEPEST)."""

    @property
    def now(self) -> int:
        """The time of the hub's clock in whole Unix seconds."""
        return int(self.hub.clock())
