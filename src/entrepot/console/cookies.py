"""The console's cookies, and the token that every form carries.

session: who is signed in (HttpOnly). visit: random, for forms before that. lang and theme: what the switches say.
Over https the first two have the __Host- prefix, so no other host of the domain can set them.
"""

import hmac

from entrepot.console.visit import Visit

YEAR = 31_536_000
LOOKS = {"lang": ("en", "zh"), "theme": ("auto", "light", "dark")}
_GUARDED = ("session", "visit")


def _name(name: str, *, is_secure: bool) -> str:
    return f"__Host-entrepot-{name}" if is_secure and name in _GUARDED else f"entrepot-{name}"


def jar(header: bytes, *, is_secure: bool) -> dict[str, str]:
    """Our cookies by short name."""
    found: dict[str, str] = {}
    sent = [part.strip().partition("=") for part in header.decode("latin-1").split(";")]
    for name in (*_GUARDED, *LOOKS):
        wanted = _name(name, is_secure=is_secure)
        for key, _, value in sent:
            if key == wanted and len(value) <= 200 and value.isascii():
                found.setdefault(name, value)
    return found


def cookie(name: str, value: str, *, is_secure: bool, seconds: int | None = None) -> str:
    """A Set-Cookie value. Lax: a link from elsewhere finds one signed in, a form from elsewhere does not."""
    life = "" if seconds is None else f"; Max-Age={seconds}"
    secure = "; Secure" if is_secure else ""
    return f"{_name(name, is_secure=is_secure)}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{life}"


def look_cookies(visit: Visit) -> tuple[str, ...]:
    """What ?lang= and ?theme= switch to; values that are not known switch nothing."""
    return tuple(
        cookie(name, visit.query[name], is_secure=visit.is_secure, seconds=YEAR)
        for name, known in LOOKS.items()
        if visit.query.get(name) in known
    )


def csrf_token(visit: Visit) -> str:
    """The token of a visit's forms: nobody can make it who does not know the cookie and the hub's key."""
    if visit.visitor is None:
        return _mac(visit, f"visit {visit.visit_cookie}")
    return _mac(visit, f"session {visit.session}")


def csrf_holds(visit: Visit) -> bool:
    """Whether the form carries the token of its visit."""
    has_cookie = bool(visit.visit_cookie) or visit.visitor is not None
    given = visit.form.pop("csrf", "").encode()
    return has_cookie and hmac.compare_digest(given, csrf_token(visit).encode())


def _mac(visit: Visit, text: str) -> str:
    return hmac.digest(visit.hub.vault.derive("console-form"), text.encode(), "sha256").hex()
