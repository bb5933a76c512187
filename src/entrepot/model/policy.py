"""IAM policies: who may call what on which resource. Pure: a document in, a verdict out.

Grammar of a document (UCloud IAM, "policy": version, effect, action, resource):

    {"Version": "1", "Statement": [{"Effect": "Allow", "Action": ["uhub:*"], "Resource": ["*"]}]}

An action is ``<product>:<API name>`` or the bare API name; a resource is a URN,
``ucs:<product>:<region>:<account>:<type>/<name>``; in both, * stands for any text. A statement that names a bucket
covers the images in it. Deny is stronger than any Allow.
"""

import fnmatch
import functools
import re
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from entrepot.errors import HubError, Kind

DOCUMENT_LENGTH = 6144
SESSION_LENGTH = 2048
"""Longest policy of an AssumeRole call (UCloud STS)."""
_STATEMENTS = 64
_STARS = 50
"""Most patterns with a star in one document: each is matched at every call of everybody who has the policy."""

_ACTION = re.compile(r"\*|(?:(?:[A-Za-z0-9]+|\*):)?[A-Za-z0-9*]+")
# Only what calls really name: a Deny on a resource that no call ever names would be an open door that looks shut.
_RESOURCES = "ucs:<product>:<region>:<account>:<repo, user, role or policy>/<name>"
_RESOURCE = re.compile(
    r"\*|ucs:(?:uhub|\*):[^:\s]*:[^:\s]*:(?:repo|\*)/\S+|ucs:(?:iam|\*)::[^:\s]*:(?:user|role|policy|\*)/\S+"
)


class Patterns:
    """Patterns that were read once: plain names are looked up, only those with a star are matched."""

    __slots__ = ("_everything", "_globs", "_plain")

    def __init__(self, texts: Iterable[str]) -> None:
        listed = list(texts)
        self._everything = "*" in listed
        self._plain = frozenset(one for one in listed if "*" not in one)
        self._globs = tuple(_compiled(one) for one in listed if "*" in one and one != "*")

    def has(self, *names: str) -> bool:
        """Whether one of the names matches; ``*`` matches even where there is no name."""
        return self._everything or any(
            name in self._plain or any(glob.match(name) for glob in self._globs) for name in names
        )


class Statement(NamedTuple):
    """One rule of a policy. Action patterns are in lower case, and name a product or hold no colon."""

    is_deny: bool
    actions: Patterns
    resources: Patterns


class Attached(NamedTuple):
    """Statements that hold for somebody: everywhere, or in one project."""

    statements: tuple[Statement, ...]
    project_id: str = ""


class Target(NamedTuple):
    """What is acted on: its names as URNs, the widest first (a bucket, then an image of it), and its project.

    ``project_id`` "" is the account itself, outside every project; of another account's bucket it is ``PUBLIC`` or
    ``LENT``: somebody who may do a thing in some project only may do it to everybody's buckets, not to lent ones.
    """

    urns: tuple[str, ...] = ()
    project_id: str = ""


PUBLIC, LENT = "*", "-"
ACCOUNT = Target()
"""The account as a whole: lists, users, keys. Only statements on every resource (``*``) speak of it."""


def parse(document: str, limit: int = DOCUMENT_LENGTH) -> tuple[Statement, ...]:
    """The statements of a document; raises BAD_PARAM that says what is wrong with it."""
    if len(document) > limit:
        raise HubError(Kind.BAD_PARAM, f"Document: at most {limit} characters")
    return _parsed(document)


@functools.lru_cache(maxsize=256)
def _parsed(document: str) -> tuple[Statement, ...]:
    try:
        whole = msgspec.json.decode(document.encode(), type=dict[str, msgspec.Raw])
        listed = msgspec.json.decode(whole.get("Statement", b""), type=list[dict[str, object]] | dict[str, object])
        version = msgspec.json.decode(whole.get("Version", b'"1"'), type=str | int)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as fault:
        raise HubError(Kind.BAD_PARAM, f"Document: {str(fault)[:120]}") from fault
    if str(version) != "1":
        raise HubError(Kind.BAD_PARAM, 'Document: Version must be "1"')
    rules = [listed] if isinstance(listed, dict) else listed
    if not 1 <= len(rules) <= _STATEMENTS:
        raise HubError(Kind.BAD_PARAM, f"Document: 1 to {_STATEMENTS} statements")
    read = [_rule(rule) for rule in rules]
    stars = sum("*" in one and one != "*" for _, actions, resources in read for one in (*actions, *resources))
    if stars > _STARS:
        raise HubError(Kind.BAD_PARAM, f"Document: at most {_STARS} patterns with a * in them")
    return tuple(
        Statement(effect == "Deny", Patterns(one.lower() for one in actions), Patterns(resources))
        for effect, actions, resources in read
    )


def _rule(rule: dict[str, object]) -> tuple[str, list[str], list[str]]:
    """(effect, action patterns, resource patterns) of a statement."""
    unknown = set(rule) - {"Effect", "Action", "Resource", "Sid"}
    if unknown:
        # A condition that is not understood must not be dropped: the statement would allow more than was written.
        raise HubError(Kind.BAD_PARAM, f"Document: {min(unknown)[:40]!r} in a statement is not supported")
    if rule.get("Effect") not in {"Allow", "Deny"}:
        raise HubError(Kind.BAD_PARAM, "Document: Effect must be Allow or Deny")
    actions, resources = _texts(rule, "Action"), _texts(rule, "Resource")
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise HubError(Kind.BAD_PARAM, f"Document: Action {action[:60]!r}; write <product>:<API name>, * for any")
    for resource in resources:
        if not _RESOURCE.fullmatch(resource):
            raise HubError(Kind.BAD_PARAM, f"Document: Resource {resource[:60]!r}; write * or {_RESOURCES}")
    return str(rule["Effect"]), actions, resources


def _texts(rule: dict[str, object], name: str) -> list[str]:
    value = rule.get(name)
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise HubError(Kind.BAD_PARAM, f"Document: {name} must be a text or a list of them, not empty")
    return listed


def decide(policies: Iterable[Attached], action: str, target: Target) -> bool | None:
    """True: allowed; False: denied; None: nothing is said about it. ``action`` is ``product:Name``."""
    verdict: bool | None = None
    names = _names(action)
    for statements, project_id in policies:
        if project_id and target.project_id not in {project_id, PUBLIC, LENT}:
            continue
        for statement in statements:
            if statement.actions.has(*names) and statement.resources.has(*target.urns):
                if statement.is_deny:
                    return False
                if not project_id or target.project_id != LENT:
                    verdict = True
    return verdict


def _names(action: str) -> tuple[str, str]:
    """An action with its product and without, as patterns are compared to it."""
    lowered = action.lower()
    return lowered, lowered.partition(":")[2]


def projects(policies: Iterable[Attached], action: str) -> frozenset[str]:
    """Projects in which some statement on every resource allows the action and none denies it."""
    kept = list(policies)
    named = {one.project_id for one in kept if one.project_id}
    return frozenset(name for name in named if decide(kept, action, Target((), name)))


def touches(policies: Iterable[Attached], action: str) -> bool:
    """Whether some statement denies the action anywhere: the caller then must not be taken to have it everywhere."""
    names = _names(action)
    return any(
        statement.is_deny and statement.actions.has(*names) for statements, _ in policies for statement in statements
    )


def _compiled(pattern: str) -> re.Pattern[str]:
    # fnmatch writes stars as atomic groups, so a pattern of many stars cannot make a match take forever.
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]").replace("?", "[?]")))


def _allow(*actions: str) -> str:
    rule = {"Effect": "Allow", "Action": list(actions), "Resource": ["*"]}
    return msgspec.json.encode({"Version": "1", "Statement": [rule]}).decode()


class SystemPolicy(NamedTuple):
    """A policy that comes with the hub."""

    name: str
    description: str
    document: str

    @property
    def urn(self) -> str:
        """How it is attached."""
        return f"ucs:iam::ucs:policy/{self.name}"


_HISTORY = ("entrepot:ListTagHistory", "entrepot:ListQuotas", "entrepot:RestoreTag", "entrepot:TagImage")

SYSTEM = {
    one.urn: one
    for one in (
        SystemPolicy("AdministratorAccess", "Everything in the account", _allow("*")),
        SystemPolicy("UHubFullAccess", "Everything with buckets and images", _allow("uhub:*", "ugc:*", *_HISTORY)),
        SystemPolicy(
            "UHubReadOnlyAccess",
            "Pull, and list buckets and images",
            _allow("uhub:Pull*", "uhub:Get*", "uhub:List*", "uhub:Describe*", "ugc:Get*", *_HISTORY[:2]),
        ),
        SystemPolicy("IAMFullAccess", "Users, keys, policies, roles and projects", _allow("iam:*", "uaccount:*")),
        SystemPolicy("STSAssumeRoleAccess", "Take on roles of the account", _allow("sts:AssumeRole")),
    )
}
"""The policies that come with the hub, by URN."""
