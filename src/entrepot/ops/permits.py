"""Whether somebody may do something: rights, policies, grants and networks come together here and nowhere else.

Rights (pull, push, delete, admin) hold in the caller's own account. Policies add to them and take from them. A grant
lets another account's people use a bucket as far as their own rights go. Networks close a bucket to addresses.
"""

from entrepot.errors import HubError, Kind
from entrepot.model import networks, policy
from entrepot.model.policy import ACCOUNT, Attached, Target
from entrepot.ops.context import Ctx, Who
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as sql
from entrepot.store.sql import grants as grants_sql
from entrepot.store.sql.buckets import Bucket, Place
from entrepot.store.sql.listing import BucketRow

VERBS = {"pull": "uhub:PullImage", "push": "uhub:PushImage", "delete": "uhub:DeleteImage"}
"""The names that policies give to what registry clients do."""


_SAME = (
    frozenset({"uhub:DeleteImage", "uhub:DeleteRepoImage", "ugc:DeleteImage"}),
    frozenset({"uhub:CreateRepo", "ugc:CreateDockerImageBucket"}),
    frozenset({"uhub:ListImages", "uhub:GetRepoImage", "ugc:GetDockerImageList"}),
    frozenset({"uhub:ListTags", "uhub:GetImageTag"}),
)
_SYNONYMS = {name: same for same in _SAME for name in same}
"""One deed under several names: a Deny of one name denies the deed; an Allow is for its own name."""


def may(who: Who, right: str, action: str, target: Target = ACCOUNT) -> bool:
    """Whether the caller may call ``action`` (product:Name) on a target of its account.

    ``right``: the right that allows it where no policy speaks; "" for what any login may do.
    """
    if who.boundary is not None and policy.decide([Attached(who.boundary)], action, target) is not True:
        return False
    if who.policies:
        verdict = policy.decide(who.policies, action, target)
        others = _SYNONYMS.get(action, frozenset()) - {action}
        if any(policy.decide(who.policies, name, target) is False for name in others):
            return False
        if verdict is not None:
            return verdict
    return not right or right in who.rights


def everywhere(who: Who, right: str) -> bool:
    """Whether the caller has a registry right in its whole account, with no exception anywhere."""
    return may(who, right, VERBS[right]) and not _has_exceptions(who, right)


def _has_exceptions(who: Who, right: str) -> bool:
    action = VERBS[right]
    held = (*who.policies, Attached(who.boundary)) if who.boundary is not None else who.policies
    return any(policy.touches(held, name) for name in _SYNONYMS.get(action, frozenset({action})))


def denied_in_lists(who: Who, action: str) -> bool:
    """Whether a list that the caller may see has to leave out what a policy denies."""
    return bool(who.policies) and policy.touches(who.policies, action)


def target_of(who: Who, bucket: Bucket | BucketRow, image: str = "") -> Target:
    """A bucket, or an image in it, as policies name it."""
    urn = f"ucs:uhub:{bucket.region}:{bucket.account_id}:repo/{bucket.name}"
    abroad = policy.PUBLIC if bucket.is_public else policy.LENT
    project_id = bucket.project_id if bucket.account_id == who.account_id else abroad
    return Target((urn, f"{urn}/{image}") if image else (urn,), project_id)


def on_bucket(rows: Rows, who: Who, right: str, bucket: Bucket, image: str = "") -> bool:
    """Whether the caller may pull from, push to or delete in a bucket, its own account's or another one's."""
    if right == "pull" and bucket.is_public:
        return True
    if who.is_anonymous:
        return False
    if who.robot is not None:
        return who.is_home(bucket.id, bucket.account_id) and right in who.rights
    if bucket.account_id != who.account_id:
        may_write = grants_sql.find(rows, bucket.id, who.account_id)
        if may_write is None or right not in ({"pull", "push"} if may_write else {"pull"}):
            return False
    return may(who, right, VERBS[right], target_of(who, bucket, image))


def on_whole_bucket(rows: Rows, who: Who, right: str, bucket: Bucket) -> bool:
    """Whether the caller may do it with every image of a bucket; a Deny anywhere counts against it."""
    return on_bucket(rows, who, right, bucket) and not _has_exceptions(who, right)


def readable(ctx: Ctx, rows: Rows, name: str, unknown: Kind) -> Bucket:
    """A bucket whose images the caller may list: its account's, granted to it, or public; raises ``unknown``."""
    bucket = sql.by_name(rows, name)
    mine = bucket is not None and bucket.account_id == ctx.who.account_id
    if bucket is None or not (
        bucket.is_public or mine or grants_sql.find(rows, bucket.id, ctx.who.account_id) is not None
    ):
        raise HubError(unknown, name)
    return bucket


def check_network(ctx: Ctx, place: Place, action: str) -> None:
    """Raise IP_REJECTED where the bucket is closed to the caller's address.

    UHub's rule for IsOutSide false: no push from outside, and no pull unless the bucket is public.
    """
    if place.networks and not networks.contains(place.networks, ctx.address):
        raise HubError(Kind.IP_REJECTED, f"{ctx.address} is not in a network that this bucket is open to")
    if place.is_outside or (action == "pull" and place.is_public):
        return
    if not networks.contains(ctx.hub.settings.internal_networks, ctx.address):
        raise HubError(Kind.IP_REJECTED, f"{ctx.address} is outside, and this bucket is for internal networks")
