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
from typing import Literal, NamedTuple

import msgspec

from entrepot.errors import HubError, Kind

DOCUMENT_LENGTH = 6144
SESSION_LENGTH = 2048
"""Longest policy of an AssumeRole call (UCloud STS)."""
_STATEMENTS = 64
_PATTERNS = 256

_ACTION = re.compile(r"\*|(?:(?:[a-z0-9]+|\*):)?[A-Za-z0-9*]+")
_RESOURCE = re.compile(r"\*|ucs(?::[^:\s]*){3}:[^\s]+")


class Statement(msgspec.Struct, frozen=True):
    """One rule of a policy."""

    effect: Literal["Allow", "Deny"] = msgspec.field(name="Effect")
    actions: tuple[str, ...] = msgspec.field(name="Action")
    resources: tuple[str, ...] = msgspec.field(name="Resource")


class Attached(NamedTuple):
    """Statements that hold for somebody: everywhere, or in one project."""

    statements: tuple[Statement, ...]
    project_id: str = ""


class Target(NamedTuple):
    """What is acted on: its names as URNs, the widest first (a bucket, then an image of it), and its project.

    ``project_id`` "" is the account itself, outside every project; "*" a place that belongs to somebody else's project.
    """

    urns: tuple[str, ...] = ()
    project_id: str = ""


ACCOUNT = Target()
"""The account as a whole: lists, users, keys. Only statements on every resource (``*``) speak of it."""


def parse(document: str, limit: int = DOCUMENT_LENGTH) -> tuple[Statement, ...]:
    """The statements of a document; raises BAD_PARAM that says what is wrong with it."""
    if len(document) > limit:
        raise HubError(Kind.BAD_PARAM, f"Document: at most {limit} characters")
    return _parsed(document)


@functools.lru_cache(maxsize=1024)
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
    return tuple(_statement(rule) for rule in rules)


def _statement(rule: dict[str, object]) -> Statement:
    unknown = set(rule) - {"Effect", "Action", "Resource", "Sid"}
    if unknown:
        # A condition that is not understood must not be dropped: the statement would allow more than was written.
        raise HubError(Kind.BAD_PARAM, f"Document: {min(unknown)[:40]!r} in a statement is not supported")
    try:
        made = msgspec.convert(
            {
                "Effect": rule.get("Effect"),
                "Action": _listed(rule.get("Action")),
                "Resource": _listed(rule.get("Resource")),
            },
            Statement,
        )
    except msgspec.ValidationError as fault:
        raise HubError(Kind.BAD_PARAM, f"Document: {str(fault)[:120]}") from fault
    if len(made.actions) + len(made.resources) > _PATTERNS or not made.actions or not made.resources:
        raise HubError(
            Kind.BAD_PARAM, f"Document: at least one Action and Resource, at most {_PATTERNS} in a statement"
        )
    for action in made.actions:
        if not _ACTION.fullmatch(action):
            raise HubError(
                Kind.BAD_PARAM, f"Document: Action {action[:60]!r}; write <product>:<API name>, with * for any"
            )
    for resource in made.resources:
        if not _RESOURCE.fullmatch(resource):
            raise HubError(Kind.BAD_PARAM, f"Document: Resource {resource[:60]!r}; write * or a URN")
    return made


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def decide(policies: Iterable[Attached], action: str, target: Target) -> bool | None:
    """True: allowed; False: denied; None: nothing is said about it. ``action`` is ``product:Name``."""
    verdict: bool | None = None
    for statements, project_id in policies:
        if project_id and target.project_id not in {project_id, "*"}:
            continue
        for statement in statements:
            if _covers(statement, action, target):
                if statement.effect == "Deny":
                    return False
                verdict = True
    return verdict


def _covers(statement: Statement, action: str, target: Target) -> bool:
    return any(_is_action(one, action) for one in statement.actions) and any(
        one == "*" or any(_matches(one, urn) for urn in target.urns) for one in statement.resources
    )


def projects(policies: Iterable[Attached], action: str) -> frozenset[str]:
    """Projects in which some statement on every resource allows the action and none denies it."""
    kept = list(policies)
    named = {one.project_id for one in kept if one.project_id}
    return frozenset(name for name in named if decide(kept, action, Target((), name)))


def touches(policies: Iterable[Attached], action: str) -> bool:
    """Whether some statement denies the action anywhere: the caller then must not be taken to have it everywhere."""
    return any(
        statement.effect == "Deny" and any(_is_action(one, action) for one in statement.actions)
        for statements, _ in policies
        for statement in statements
    )


def _is_action(pattern: str, action: str) -> bool:
    return _matches(pattern, action if ":" in pattern or pattern == "*" else action.partition(":")[2])


def _matches(pattern: str, text: str) -> bool:
    return _compiled(pattern).match(text) is not None


@functools.lru_cache(maxsize=4096)
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


SYSTEM = {
    one.urn: one
    for one in (
        SystemPolicy("AdministratorAccess", "Everything in the account", _allow("*")),
        SystemPolicy("UHubFullAccess", "Everything with buckets and images", _allow("uhub:*", "ugc:*")),
        SystemPolicy(
            "UHubReadOnlyAccess", "Pull, and list buckets and images", _allow("uhub:Pull*", "uhub:Get*", "ugc:Get*")
        ),
        SystemPolicy("IAMFullAccess", "Users, keys, policies, roles and projects", _allow("iam:*", "uaccount:*")),
        SystemPolicy("STSAssumeRoleAccess", "Take on roles of the account", _allow("sts:AssumeRole")),
    )
}
"""The policies that come with the hub, by URN."""
