"""Names of buckets, images, tags and robots: the grammars, and nothing else.

A repository name on the registry wire is ``<bucket>/<image>``; the image part may hold more slashes.
"""

import re
from typing import NamedTuple

from entrepot.errors import HubError, Kind

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_BUCKET = re.compile(_COMPONENT)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")

NAME_LENGTH = 200
"""Longest repository name: clients cap host, slash and name at 255 characters together."""
BUCKET_LENGTH = (4, 30)
"""Shortest and longest name of a new bucket (UGC RetCode 43025)."""


class Repository(NamedTuple):
    """A repository name, split at its first slash."""

    bucket: str
    image: str

    def __str__(self) -> str:
        return f"{self.bucket}/{self.image}"


def repository(name: str) -> Repository:
    """Parse ``<bucket>/<image>[/more]`` (OCI distribution-spec, "Pulling manifests"); raises NAME_INVALID."""
    if len(name) > NAME_LENGTH:
        raise HubError(Kind.NAME_INVALID, f"it is longer than {NAME_LENGTH} characters")
    bucket, slash, image = name.partition("/")
    if not slash or not _BUCKET.fullmatch(bucket) or not _IMAGE.fullmatch(image):
        raise HubError(
            Kind.NAME_INVALID, f"{name[:80]!r}; write <bucket>/<image> in lower-case letters, digits and single . _ -"
        )
    return Repository(bucket, image)


def tag(text: str) -> str:
    """A valid tag; raises TAG_INVALID."""
    if not _TAG.fullmatch(text):
        raise HubError(
            Kind.TAG_INVALID, f"{text[:80]!r}; 1 to 128 of letters, digits and _ . -, not starting with . or -"
        )
    return text


def new_bucket(name: str) -> str:
    """A name for a new bucket; raises BUCKET_NAME_INVALID.

    UGC asks for 4 to 30 of lower-case letters, digits and underscore; UHub also has dots and hyphens in real
    names. What Docker could never push (``_abc``, ``a___b``) is refused, whoever asks for it.
    """
    shortest, longest = BUCKET_LENGTH
    if not shortest <= len(name) <= longest or not _BUCKET.fullmatch(name):
        raise HubError(
            Kind.BUCKET_NAME_INVALID,
            f"{name[:80]!r}; {shortest} to {longest} of lower-case letters, digits and single _ . - between them",
        )
    return name


def image(name: str) -> str:
    """The image part of a repository name; raises IMAGE_NAME_INVALID."""
    if len(name) > NAME_LENGTH or not _IMAGE.fullmatch(name):
        raise HubError(Kind.IMAGE_NAME_INVALID, f"{name[:80]!r}")
    return name


_POLICY = re.compile(r"[A-Za-z0-9_.@-]{1,64}")


def policy(name: str) -> str:
    """A name for a policy or a role; it becomes part of a URN. Raises BAD_PARAM."""
    if not _POLICY.fullmatch(name):
        raise HubError(Kind.BAD_PARAM, f"the name {name[:60]!r}; 1 to 64 of letters, digits and _ . @ -")
    return name


_ROBOT = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
ROBOT_LENGTH = 64
"""Longest name of a robot inside its bucket."""


class RobotName(NamedTuple):
    """A robot: its bucket, and its name in there."""

    bucket: str
    name: str

    def __str__(self) -> str:
        return f"robot${self.bucket}+{self.name}"


def robot(name: str) -> str:
    """A name for a robot inside its bucket; raises BAD_PARAM."""
    if len(name) > ROBOT_LENGTH or not _ROBOT.fullmatch(name):
        raise HubError(
            Kind.BAD_PARAM,
            f"RobotName: {name[:80]!r}; 1 to {ROBOT_LENGTH} of lower-case letters, digits, single . _ - between them",
        )
    return name


def robot_login(login: str) -> RobotName | None:
    """The robot that a login name means, ``robot$<bucket>+<name>``; None for a name that is none of a robot.

    ``robot+<bucket>+<name>`` is the same one: where a shell or a CI system would take ``$`` for a variable.
    """
    mark, bucket, name = login[:6], *login[6:].partition("+")[::2]
    if mark not in {"robot$", "robot+"} or len(login) > NAME_LENGTH + ROBOT_LENGTH:
        return None
    return RobotName(bucket, name) if _BUCKET.fullmatch(bucket) and _ROBOT.fullmatch(name) else None
