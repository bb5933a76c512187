"""The key page, at UCloud's path."""

from entrepot.console.pages import Nav, page, show_answer, stay
from entrepot.console.visit import Shown, Visit


@page(
    "/uapi/apikey",
    does={"CreateAccessKey": show_answer, "UpdateAccessKey": stay, "DeleteAccessKey": stay},
    nav=Nav("Keys", "密钥", "key", 60),
)
async def show(visit: Visit) -> Shown:
    """The own keys, or for an administrator those of any user; a new key's secret is shown this once."""
    user = visit.query.get("user", "") or visit.me.user_name
    listed = await visit.run("ListAccessKeys", UserName=user)
    made = visit.answer.access_key if visit.answer is not None else None
    return Shown(
        "keys.html", {"keys": listed.access_key, "user": user, "is_own": user == visit.me.user_name, "made": made}
    )
