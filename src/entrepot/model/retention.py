"""Retention: which tags of an image may go. Pure: rules and tags in, verdicts out.

The algebra, whole:

- A rule *matches* the tags that its patterns select.
- A rule *keeps* a tag that it matches and that is one of the ``KeepNewest`` newest of all it matches in the image, or
  was pushed in the last ``KeepPushedDays`` days, or was pulled (or pushed) in the last ``KeepPulledDays`` days.
- A tag goes if at least one rule matches it and no rule keeps it.

So a tag that no rule matches stays; one more rule never takes what a rule keeps; the order of the rules does not
matter, nor in how many parts it is done; and once it is done nothing is left to do.

*Newest* is by the last push of the tag, under one second by name. A tag that was pushed less than T ago cannot have
gone unpulled for T: a fresh push is never taken for an unused tag. A *companion* (``companion_of``) is no tag of its
own: no rule matches it, it goes when the manifest that it names goes (ops/collect.py).
"""

import functools
import re
from typing import Any, NamedTuple

import msgspec

from entrepot.errors import HubError, Kind
from entrepot.model import globs
from entrepot.model.globs import Selection

DOCUMENT_LENGTH = 16_384
RULES = 20
"""Most rules of a bucket."""
PATTERNS = 100
"""Most patterns in all of them."""
DAY = 86_400
_KEEPS = {"KeepNewest": 1_000_000, "KeepPushedDays": 36_500, "KeepPulledDays": 36_500}
_KEYS = ("Match", "Except", *_KEEPS)
UHUB = '[{"Match":["*"],"KeepNewest":800,"KeepPulledDays":30}]'
"""UHub's documented limit: 800 tags of an image; beyond them, what was not pulled for a month goes."""

_COMPANION = re.compile(r"sha256-([0-9a-f]{64})(?:\.(?:sig|att|sbom))?")
_SUFFIXES = ("", ".sig", ".att", ".sbom")


def companion_of(tag: str) -> str | None:
    """The digest whose signature, attestation, SBOM or referrers a tag holds; None for a tag of its own.

    cosign's tags and the OCI distribution-spec's "Referrers Tag Schema".
    """
    found = _COMPANION.fullmatch(tag)
    return f"sha256:{found[1]}" if found else None


def companions(digest: str) -> tuple[str, ...]:
    """Every name that a companion of a digest may have."""
    algorithm, _, encoded = digest.partition(":")
    return tuple(f"sha256-{encoded}{suffix}" for suffix in _SUFFIXES) if algorithm == "sha256" else ()


class Rule(NamedTuple):
    """What it is about, and what it keeps of that; 0: it keeps nothing for this reason."""

    about: Selection
    newest: int = 0
    pushed_days: int = 0
    pulled_days: int = 0


class Tag(NamedTuple):
    """A tag as retention sees it. Times are Unix seconds; ``pulled_at`` 0: never pulled.

    Tags sort by age when ``pushed_at`` and ``name`` are compared.
    """

    name: str
    manifest_id: int
    digest: str
    pushed_at: int
    pulled_at: int


class Judge:
    """Verdicts on the tags of one image, which must be asked for newest first: the newest are counted on the way."""

    def __init__(self, rules: tuple[Rule, ...], image: str, now: int) -> None:
        self._rules = rules
        self._image = image
        self._now = now
        self._seen = [0] * len(rules)

    def verdict(self, tag: Tag) -> str:
        """Why the tag goes: what each rule that matches it misses in it; "" for one that stays."""
        if companion_of(tag.name) is not None:
            return ""
        is_kept, reasons = False, []
        for place, rule in enumerate(self._rules):
            if not rule.about.has(self._image, tag.name):
                continue
            is_kept |= self._seen[place] < rule.newest or _is_fresh(rule, tag, self._now)
            self._seen[place] += 1
            if not is_kept:
                reasons.append(f"rule {place + 1}: {_misses(rule)}")
        return "" if is_kept else "; ".join(reasons)


def _is_fresh(rule: Rule, tag: Tag, now: int) -> bool:
    used_at = max(tag.pushed_at, tag.pulled_at)
    return (rule.pushed_days > 0 and tag.pushed_at > now - rule.pushed_days * DAY) or (
        rule.pulled_days > 0 and used_at > now - rule.pulled_days * DAY
    )


def _misses(rule: Rule) -> str:
    told = [
        (rule.newest, f"not one of the newest {rule.newest}"),
        (rule.pushed_days, f"not pushed for {rule.pushed_days} days"),
        (rule.pulled_days, f"not pulled for {rule.pulled_days} days"),
    ]
    return ", ".join(text for limit, text in told if limit)


def parse(document: str) -> tuple[Rule, ...]:
    """The rules of a JSON document; ``[]`` is none. Raises BAD_PARAM that names every fault of it.

    ``[{"Match": ["app/*:v*"], "Except": ["v*-lts"], "KeepNewest": 10, "KeepPushedDays": 30, "KeepPulledDays": 90}]``:
    Match and at least one Keep… are needed.
    """
    if len(document) > DOCUMENT_LENGTH:
        raise HubError(Kind.BAD_PARAM, f"Rules: at most {DOCUMENT_LENGTH} characters")
    return _parsed(document)


@functools.lru_cache(maxsize=256)
def _parsed(document: str) -> tuple[Rule, ...]:
    try:
        listed = msgspec.json.decode(document.encode(), type=list[dict[str, Any]])
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as fault:
        raise HubError(Kind.BAD_PARAM, f"Rules: {str(fault)[:120]}; write a JSON list of rules") from fault
    faults = [f"at most {RULES} rules"] if len(listed) > RULES else []
    for place, one in enumerate(listed[:RULES]):
        faults += [f"rule {place + 1}: {text}" for text in _faults(one)]
    if faults:
        raise HubError(Kind.BAD_PARAM, f"Rules: {'; '.join(faults[:40])}")
    if sum(len(one["Match"]) + len(one.get("Except", ())) for one in listed) > PATTERNS:
        raise HubError(Kind.BAD_PARAM, f"Rules: at most {PATTERNS} patterns in all of them")
    return tuple(
        Rule(
            Selection(tuple(one["Match"]), tuple(one.get("Except", ()))),
            *(int(one.get(name, 0)) for name in _KEEPS),
        )
        for one in listed
    )


def _faults(rule: dict[str, Any]) -> list[str]:
    found = [f"{name[:40]!r} is not known; known are {', '.join(_KEYS)}" for name in rule if name not in _KEYS]
    for name in ("Match", "Except"):
        patterns = rule.get(name, [])
        if not isinstance(patterns, list) or not all(isinstance(one, str) for one in patterns):
            found.append(f"{name} must be a list of patterns")
        elif len(patterns) > globs.PATTERNS:
            found.append(f"{name} holds at most {globs.PATTERNS} patterns")
        else:
            found += [f"{name}: {text}; {globs.HINT}" for text in globs.faults(patterns)]
    if not rule.get("Match"):
        found.append('Match is missing; ["*"] is every tag')
    for name, most in _KEEPS.items():
        if name in rule and not (type(rule[name]) is int and 1 <= rule[name] <= most):
            found.append(f"{name} must be a whole number from 1 to {most}")
    if not rule.keys() & _KEEPS.keys():
        found.append(f"it keeps nothing; give at least one of {', '.join(_KEEPS)}")
    return found


def text_of(rules: tuple[Rule, ...]) -> str:
    """Rules as a document that ``parse`` reads."""
    listed = []
    for rule in rules:
        one: dict[str, Any] = {"Match": rule.about.patterns}
        if rule.about.exceptions:
            one["Except"] = rule.about.exceptions
        one |= {name: keep for name, keep in zip(_KEEPS, rule[1:], strict=True) if keep}
        listed.append(one)
    return msgspec.json.encode(listed).decode()
