"""The own account: passwords, language, theme, networks."""

from entrepot.console.pages import page, stay
from entrepot.console.visit import Moved, Shown, Visit
from entrepot.errors import HubError, Kind


async def _checked(visit: Visit) -> Moved | None:
    """The new password is typed twice: what is typed once is lost by a slip."""
    if visit.form.get("do") == "SetPassword" and visit.form.get("NewPassword") != visit.form.get("again"):
        raise HubError(Kind.BAD_PARAM, "NewPassword: the two differ")
    return None


@page("/console/account", post=_checked, does={"SetPassword": stay, "SetNetworkMask": stay})
async def show(visit: Visit) -> Shown:
    """Who one is, and what one may; for administrators also from where the account's people come."""
    masks = await visit.tried("GetNetworkMask")
    return Shown("account.html", {"who": visit.me.who, "masks": masks.data if masks else None, "form": visit.form})
