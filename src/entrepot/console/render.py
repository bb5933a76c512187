"""Templates to HTML: one environment, everything escaped, and the few words that templates need for numbers and times.

Texts stand in the templates in both languages: ``say("Delete", "删除")``.
"""

import re
from datetime import UTC, datetime
from importlib import resources

import jinja2

from entrepot.api.declare import ACTIONS
from entrepot.console import faults
from entrepot.console.cookies import LOOKS
from entrepot.console.pages import PAGES, navigation
from entrepot.console.statics import Statics
from entrepot.console.visit import Shown, Visit, link

_STEPS = (
    (3600, 60, "minute", "分钟"),
    (86_400, 3600, "hour", "小时"),
    (2_592_000, 86_400, "day", "天"),
)


def choose_language(chosen: str, accepted: bytes) -> str:
    """``zh`` or ``en``: the switch first, then the browser's first wish of the two, then English."""
    if chosen in LOOKS["lang"]:
        return chosen
    for wish in accepted.decode("latin-1").lower().split(","):
        if wish.strip()[:2] in LOOKS["lang"]:
            return wish.strip()[:2]
    return "en"


def size(number: int) -> str:
    """Bytes for people: 1.5 MiB."""
    value, unit = float(number), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if value < 1024:
            break
        value, unit = value / 1024, larger
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.1f} {unit}"


def exact(seconds: int) -> str:
    """A time to the second, UTC."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return str(seconds)


def brief(digest: str) -> str:
    """sha256:0123456789ab of a digest: enough to tell one from another."""
    algorithm, colon, encoded = digest.partition(":")
    return f"{algorithm}{colon}{encoded[:12]}" if encoded else digest[:20]


def calm(target: str) -> str:
    """A line of the audit trail with its digests cut short."""
    return re.sub(r"(sha(?:256|512):[0-9a-f]{12})[0-9a-f]{20,}", r"\1…", target)


def spoken(action: str) -> str:
    """CreateAccessKey -> create access key; acronyms stay what they are."""
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z][a-z]+|[A-Z]+|[a-z]+", action)
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)


_DEEDS = {
    "Login": ("log in", "登录"),
    "PushManifest": ("push manifest", "推送清单"),
    "DeleteManifest": ("delete manifest", "删除清单"),
    "DeleteBlob": ("delete blob", "删除数据块"),
}
"""What the audit trail holds beside actions."""


def deed(action: str, lang: str) -> str:
    """What was done, in words."""
    known = ACTIONS.get(action)
    en, zh = (spoken(action), known.title) if known else _DEEDS.get(action, (spoken(action), action))
    return zh if lang == "zh" else en


class Renderer:
    """Renders pages."""

    def __init__(self, statics: Statics) -> None:
        folder = resources.files("entrepot.console") / "templates"
        self._statics = statics
        self._environment = jinja2.Environment(
            loader=jinja2.FileSystemLoader(str(folder)),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.filters.update(size=size, exact=exact, brief=brief, calm=calm)
        self._environment.globals.update(link=link, static=statics.url, navigation=navigation, actions=ACTIONS)

    def page(self, visit: Visit, shown: Shown, theme: str, csrf: str) -> bytes:
        """A whole page."""
        done = visit.query.get("done", "")
        page = PAGES.get(visit.path)
        values = {
            "visit": visit,
            "say": visit.say,
            "lang": visit.lang,
            "theme": theme if theme in {"light", "dark"} else "",
            "csrf": csrf,
            "section": page.section if page else "",
            "fault": visit.fault,
            "explain": lambda fault: faults.explain(fault, visit.lang),
            "meaning": lambda kind: faults.meaning(kind, visit.lang),
            "told": lambda message: faults.told(message, visit.lang),
            "phrase": lambda text: faults.phrase(text, visit.lang),
            "done": deed(done, visit.lang) if done in ACTIONS else "",
            "deed": lambda action: deed(action, visit.lang),
            "ago": lambda seconds: ago(int(visit.hub.clock()) - seconds, visit.lang),
            **shown.values,
        }
        # JSON may hold halves of characters, which no encoding takes.
        return self._environment.get_template(shown.template).render(values).encode(errors="replace")


def ago(seconds: int, lang: str) -> str:
    """3 hours ago, or in 3 hours; a year is told as days too, the exact time stands beside it.

    A few seconds ahead may be another node's clock, and are now.
    """
    apart = abs(seconds)
    if -60 < seconds < -3:
        return "即将" if lang == "zh" else "in a moment"
    if apart < 60:
        return "刚刚" if lang == "zh" else "just now"
    _, unit, en, zh = next((one for one in _STEPS if apart < one[0]), _STEPS[-1])
    number = apart // unit
    if lang == "zh":
        return f"{number} {zh}{'后' if seconds < 0 else '前'}"
    length = f"{number} {en}{'' if number == 1 else 's'}"
    return f"in {length}" if seconds < 0 else f"{length} ago"
