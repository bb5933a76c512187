"""What a request acts on, as policies name it: buckets (there or to be made), users, roles, policies, a project."""

from entrepot.api.declare import Request
from entrepot.errors import HubError, Kind
from entrepot.model import names
from entrepot.model.policy import ACCOUNT, Target
from entrepot.ops import permits
from entrepot.ops.context import Ctx
from entrepot.ops.policies import urn_of
from entrepot.store.db import Rows
from entrepot.store.sql import buckets as buckets_sql
from entrepot.store.sql import members as members_sql
from entrepot.store.sql import people as people_sql
from entrepot.store.sql import trash as trash_sql


def acts_on(rows: Rows, ctx: Ctx, request: Request) -> tuple[Target, ...]:
    """Every target of a request: all of them must be allowed, and none denied. Raises BAD_PARAM for a huge name."""
    name = getattr(request, "bucket_name", None) or getattr(request, "repo_name", None)
    deletion = trash_sql.find(rows, ctx.who.account_id, getattr(request, "deletion_id", 0))
    if deletion is not None and deletion.bucket_name == name:
        # The name may be another bucket's by now.
        urn = f"ucs:uhub:{deletion.region}:{ctx.who.account_id}:repo/{name}"
        urns = (urn, f"{urn}/{deletion.image_name}") if deletion.image_name else (urn,)
        return (Target(urns, deletion.project_id),)
    if name:
        return (_bucket(rows, ctx, request, name),)
    project_id = _project(request)
    found = tuple(Target((urn,), project_id) for urn in _urns(rows, ctx, request))
    return found or ((Target((), project_id),) if project_id else (ACCOUNT,))


def _bucket(rows: Rows, ctx: Ctx, request: Request, name: str) -> Target:
    image = getattr(request, "image_name", None) or ""
    if max(len(name), len(image)) > names.NAME_LENGTH:
        raise HubError(Kind.BAD_PARAM, "ImageName" if image else "BucketName")
    bucket = buckets_sql.by_name(rows, name)
    if bucket is not None:
        return permits.target_of(ctx.who, bucket, image)
    account_id = ctx.who.account_id
    region = getattr(request, "region", None) or ctx.hub.settings.default_region
    home = getattr(request, "project_id", None) or people_sql.default_project(rows, account_id) or ""
    return Target((f"ucs:uhub:{region}:{account_id}:repo/{name}",), home)


def _project(request: Request) -> str:
    """The project a request is about; what stands beside a Scope of everywhere is not obeyed, so it does not count."""
    scope = getattr(request, "scope", None)
    if scope is not None and scope.lower() != "specified":
        return ""
    return getattr(request, "project_id", None) or ""


def _urns(rows: Rows, ctx: Ctx, request: Request) -> list[str]:
    account_id = ctx.who.account_id
    found = [getattr(request, "role_urn", None), getattr(request, "policy_urn", None)]
    found += getattr(request, "policy_urns", [])
    for kind in ("user", "role", "policy"):
        found += [urn_of(account_id, kind, name) for name in [getattr(request, f"{kind}_name", None)] if name]
    new_name = getattr(request, "new_user_name", None)
    found += [urn_of(account_id, "user", new_name)] if new_name else []
    key_id = getattr(request, "access_key_id", None)
    key = members_sql.find_key(rows, account_id, key_id) if key_id else None
    if key is not None:
        found.append(urn_of(account_id, "user", people_sql.user_name(rows, key.person_id)))
    return [urn for urn in found if urn]
