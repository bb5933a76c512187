"""The route table: each page files itself under its path, with the actions that its forms may call.

A new page is one module with ``@page`` functions and one template; `app.py` imports the module. A form posts to its own
page, names its action in ``do`` and carries the action's parameters under their wire names.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import NamedTuple

from entrepot.console.visit import Moved, Shown, Visit, link

Show = Callable[[Visit], Awaitable[Shown | Moved]]
Post = Callable[[Visit], Awaitable[Shown | Moved | None]]
Next = Callable[[Visit], str | None]
"""Where to go after a change; None shows the page at once, with the answer in ``visit.answer``."""


class Nav(NamedTuple):
    """An entry of the navigation. ``icon`` names a symbol of icons.html; lower ``place`` comes first."""

    en: str
    zh: str
    icon: str
    place: int


class Page(NamedTuple):
    """A page. ``section`` is the path of the navigation entry it belongs to; ``is_open``: nobody has to sign in."""

    path: str
    show: Show
    does: Mapping[str, Next]
    post: Post | None
    section: str
    nav: Nav | None
    is_open: bool


PAGES: dict[str, Page] = {}


def page(
    path: str,
    *,
    does: Mapping[str, Next] | None = None,
    post: Post | None = None,
    section: str = "",
    nav: Nav | None = None,
    is_open: bool = False,
) -> Callable[[Show], Show]:
    """File a page. ``does``: the actions that its forms call; ``post``: what a POST does that
    is not just one action; None leaves it to ``does``.
    """

    def register(show: Show) -> Show:
        assert path not in PAGES, f"{path} is there twice"
        PAGES[path] = Page(path, show, does or {}, post, section or path, nav, is_open)
        return show

    return register


def navigation() -> list[Page]:
    """The pages that the navigation shows, in their order."""
    return sorted((one for one in PAGES.values() if one.nav), key=lambda one: one.nav.place if one.nav else 0)


def stay(visit: Visit) -> str:
    """Back to the page that the form was on."""
    return visit.here(done=visit.form.get("do", ""))


def show_answer(visit: Visit) -> None:
    """Show the page with what the action answered."""


def to(path: str, **names: str) -> Next:
    """To another page; ``names``: part of its query -> the form's field that fills it."""

    def go(visit: Visit) -> str:
        return link(
            path, **{part: visit.form.get(name, "") for part, name in names.items()}, done=visit.form.get("do", "")
        )

    return go
