"""One request at the console as its pages see it: who, what was asked, in which language; and what they answer.

A page has no powers of its own: what it shows and does goes through ``Visit.run``, which is ``actions.run`` with the
person who is signed in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from entrepot.actions.run import Call, check_project, run
from entrepot.api.declare import ACTIONS, decode
from entrepot.errors import HubError, Kind
from entrepot.ops import rates
from entrepot.ops.context import Ctx, Hub
from entrepot.ops.visitors import Visitor


class Shown(NamedTuple):
    """A page to render: its template and what the template is given."""

    template: str
    values: dict[str, Any]
    status: int = 200


class Moved(NamedTuple):
    """See another page (303). ``to`` is made by us, never by the request. ``cookies`` are Set-Cookie values."""

    to: str
    cookies: tuple[str, ...] = ()


@dataclass(slots=True)
class Visit:
    """A request. Query and form hold the first value of each name."""

    hub: Hub
    path: str
    query: dict[str, str]
    form: dict[str, str]
    lang: str
    address: str
    base_url: str
    visitor: Visitor | None = None
    session: str = ""
    visit_cookie: str = ""
    fault: HubError | None = None
    answer: Any = None
    """What a change answered that has to be shown at once: a secret that is told once."""
    warnings: list[str] = field(default_factory=list)

    @property
    def me(self) -> Visitor:
        """Who is signed in; pages that are not open are only reached by somebody."""
        assert self.visitor is not None
        return self.visitor

    @property
    def host(self) -> str:
        """Host and port under which clients see the registry."""
        return self.base_url.partition("://")[2]

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the hub over https."""
        return self.base_url.startswith("https://")

    def say(self, en: str, zh: str) -> str:
        """The text in the language of the page."""
        return zh if self.lang == "zh" else en

    async def run(self, action: str, params: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """The answer of an action that the person calls; parameters have their wire names. Raises HubError.

        Actions that ask sub-users for a project get the default one where none is named.
        """
        declared = ACTIONS[action]
        given = {**(params or {}), **more}
        if declared.in_project and not given.get("ProjectId"):
            given["ProjectId"] = self.me.project_id
        if not declared.safe:
            rates.take(self.hub, f"console {self.me.who.person_id}", self.hub.new_id())
        ctx = Ctx(self.hub, self.me.who, self.address, self.warnings)
        project_id = given.get("ProjectId")
        await check_project(ctx, project_id if isinstance(project_id, str) else "")
        return await run(Call(ctx, self.host), decode(declared.request, given))

    async def tried(self, action: str, params: Mapping[str, Any] | None = None, **more: Any) -> Any:
        """As ``run``; None where the person may not: a page then shows the rest."""
        try:
            return await self.run(action, params, **more)
        except HubError as fault:
            if fault.kind in {Kind.DENIED, Kind.IP_REJECTED, Kind.BUCKET_UNKNOWN}:
                return None
            raise

    def number(self, name: str, most: int = 2**53) -> int:
        """A whole number of the query; 0 for anything else."""
        text = self.query.get(name, "")
        return min(int(text), most) if text.isascii() and text.isdigit() and len(text) < 17 else 0

    def here(self, **changes: Any) -> str:
        """The page with some of its query changed; None or "" takes a part out."""
        kept = {**self.query, **{name: "" if value is None else str(value) for name, value in changes.items()}}
        if "done" not in changes:
            kept.pop("done", None)
        return link(self.path, **kept)


def listed(name: str, text: str) -> dict[str, str]:
    """A list on the wire, one parameter each, of the words of one text in a form."""
    return {f"{name}.{place}": one for place, one in enumerate(text.replace(",", " ").split())}


def link(path: str, **query: Any) -> str:
    """A path of the console with a query; empty parts are left out."""
    text = urlencode({name: str(value) for name, value in query.items() if value not in {None, ""}})
    return f"{path}?{text}" if text else path
