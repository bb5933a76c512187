"""Handlers of api/policies.py."""

from collections.abc import Callable
from datetime import UTC, datetime

from entrepot.actions.run import Call, handles
from entrepot.api.declare import Response
from entrepot.api.policies import (
    Assumed,
    AssumeRole,
    AttachedPolicies,
    AttachedPolicy,
    AttachPoliciesToRole,
    AttachPoliciesToUser,
    CreateIAMPolicy,
    CreateRole,
    CredentialsModel,
    DeleteIAMPolicy,
    DeleteRole,
    DetachPoliciesFromRole,
    DetachPoliciesFromUser,
    Entities,
    Entity,
    GetIAMPolicy,
    GetRole,
    IAMPolicy,
    ListEntitiesForPolicy,
    ListPolicies,
    ListPoliciesForRole,
    ListPoliciesForUser,
    ListRoles,
    NewPolicy,
    OnePolicy,
    OneRole,
    Policies,
    RoleModel,
    Roles,
    UpdateIAMPolicy,
)
from entrepot.model.policy import SYSTEM
from entrepot.ops import policies, roles
from entrepot.ops.context import Ctx
from entrepot.store.db import Rows
from entrepot.store.sql import policies as sql

Holder = Callable[[Ctx, Rows, str], str]


def _policy(row: sql.Policy) -> IAMPolicy:
    return IAMPolicy(
        policy_name=row.name,
        policy_urn=row.urn,
        description=row.description,
        document=row.document,
        scope_type=row.scope_type,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


@handles(CreateIAMPolicy)
async def create_iam_policy(call: Call, request: CreateIAMPolicy) -> NewPolicy:
    """Its URN, to attach it by."""
    name = request.policy_name
    await policies.create(
        call.ctx, name, document=request.document, description=request.description, scope_type=request.scope_type
    )
    return NewPolicy(policy_urn=policies.urn_of(call.ctx.who.account_id, "policy", name))


@handles(GetIAMPolicy)
async def get_iam_policy(call: Call, request: GetIAMPolicy) -> OnePolicy:
    """One, with its text."""
    row = await call.ctx.hub.db.read(lambda rows: policies.find(call.ctx, rows, request.policy_urn))
    return OnePolicy(policy=_policy(row))


@handles(ListPolicies)
async def list_policies(call: Call, request: ListPolicies) -> Policies:
    """Those of the hub first, then the account's by name."""
    total, page = await call.ctx.hub.db.read(
        lambda rows: policies.page(call.ctx, rows, request.owner, request.limit, request.offset)
    )
    return Policies(total_count=total, policies=[_policy(row) for row in page])


@handles(UpdateIAMPolicy)
async def update_iam_policy(call: Call, request: UpdateIAMPolicy) -> Response:
    """Holds at once."""
    await policies.update(call.ctx, request.policy_urn, document=request.document, description=request.description)
    return Response()


@handles(DeleteIAMPolicy)
async def delete_iam_policy(call: Call, request: DeleteIAMPolicy) -> Response:
    """Only one that nobody has."""
    await policies.delete(call.ctx, request.policy_urn)
    return Response()


Bound = AttachPoliciesToUser | AttachPoliciesToRole | DetachPoliciesFromUser | DetachPoliciesFromRole


async def _attach(call: Call, request: Bound, find: Holder, name: str) -> Response:
    def change(rows: Rows) -> None:
        place = policies.place(call.ctx, rows, request.scope, request.project_id)
        policies.attach(call.ctx, rows, find(call.ctx, rows, name), request.policy_urns, place)

    await call.ctx.hub.db.write(change)
    return Response()


async def _detach(call: Call, request: Bound, find: Holder, name: str) -> Response:
    def change(rows: Rows) -> None:
        place = policies.place(call.ctx, rows, request.scope, request.project_id)
        policies.detach(rows, find(call.ctx, rows, name), request.policy_urns, place)

    await call.ctx.hub.db.write(change)
    return Response()


@handles(AttachPoliciesToUser)
async def attach_policies_to_user(call: Call, request: AttachPoliciesToUser) -> Response:
    """All, or none."""
    return await _attach(call, request, policies.holder_of_user, request.user_name)


@handles(AttachPoliciesToRole)
async def attach_policies_to_role(call: Call, request: AttachPoliciesToRole) -> Response:
    """All, or none."""
    return await _attach(call, request, policies.holder_of_role, request.role_name)


@handles(DetachPoliciesFromUser)
async def detach_policies_from_user(call: Call, request: DetachPoliciesFromUser) -> Response:
    """All, or none."""
    return await _detach(call, request, policies.holder_of_user, request.user_name)


@handles(DetachPoliciesFromRole)
async def detach_policies_from_role(call: Call, request: DetachPoliciesFromRole) -> Response:
    """All, or none."""
    return await _detach(call, request, policies.holder_of_role, request.role_name)


async def _attached(
    call: Call, request: ListPoliciesForUser | ListPoliciesForRole, find: Holder, name: str
) -> AttachedPolicies:
    def load(rows: Rows) -> list[sql.Attachment]:
        return sql.attached(rows, find(call.ctx, rows, name))

    found = await call.ctx.hub.db.read(load)
    kept = [one for one in found if not request.project_id or one.project_id == request.project_id]
    return AttachedPolicies(
        total_count=len(kept),
        policies=[
            AttachedPolicy(
                policy_name=one.urn.rpartition("/")[2],
                policy_urn=one.urn,
                scope="Specified" if one.project_id else "All",
                attached_at=one.attached_at,
                description=SYSTEM[one.urn].description if one.urn in SYSTEM else one.description,
                project_name=one.project_name,
                project_id=one.project_id,
            )
            for one in kept[request.offset : request.offset + request.limit]
        ],
    )


@handles(ListPoliciesForUser)
async def list_policies_for_user(call: Call, request: ListPoliciesForUser) -> AttachedPolicies:
    """At most policies.ATTACHED of them."""
    return await _attached(call, request, policies.holder_of_user, request.user_name)


@handles(ListPoliciesForRole)
async def list_policies_for_role(call: Call, request: ListPoliciesForRole) -> AttachedPolicies:
    """At most policies.ATTACHED of them."""
    return await _attached(call, request, policies.holder_of_role, request.role_name)


@handles(ListEntitiesForPolicy)
async def list_entities_for_policy(call: Call, request: ListEntitiesForPolicy) -> Entities:
    """Users and roles."""
    total, found = await call.ctx.hub.db.read(
        lambda rows: policies.entities(call.ctx, rows, request.policy_urn, request.limit, request.offset)
    )
    return Entities(
        total_count=total,
        entities=[
            Entity(
                entity_name=one.name,
                entity_kind=one.kind,
                attached_at=one.attached_at,
                display_name=one.display_name,
                scope=one.project_id,
            )
            for one in found
        ],
    )


def _role(row: sql.Role) -> RoleModel:
    return RoleModel(
        role_name=row.name,
        role_urn=policies.urn_of(row.account_id, "role", row.name),
        description=row.description,
        role_policy_document=row.trust,
        max_session_duration=row.session_seconds,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


@handles(CreateRole)
async def create_role(call: Call, request: CreateRole) -> OneRole:
    """Without any policy yet."""
    made = await roles.create(
        call.ctx,
        request.role_name,
        trust=request.role_policy_document,
        description=request.description,
        session_seconds=request.max_session_duration,
    )
    return OneRole(role=_role(made))


@handles(GetRole)
async def get_role(call: Call, request: GetRole) -> OneRole:
    """One."""
    row = await call.ctx.hub.db.read(lambda rows: policies.role(call.ctx, rows, request.role_name))
    return OneRole(role=_role(row))


@handles(ListRoles)
async def list_roles(call: Call, request: ListRoles) -> Roles:
    """One page."""
    total, found = await call.ctx.hub.db.read(sql.roles, call.ctx.who.account_id, request.limit, request.offset)
    return Roles(total_count=total, roles=[_role(one) for one in found])


@handles(DeleteRole)
async def delete_role(call: Call, request: DeleteRole) -> Response:
    """With its temporary keys."""
    await roles.delete(call.ctx, request.role_name)
    return Response()


@handles(AssumeRole)
async def assume_role(call: Call, request: AssumeRole) -> Assumed:
    """The one answer that holds secret and token."""
    made = await roles.assume(
        call.ctx,
        request.role_urn,
        name=request.role_session_name,
        seconds=request.duration_seconds,
        boundary=request.policy,
    )
    return Assumed(
        credentials=CredentialsModel(
            access_key_id=made.public_key,
            access_key_secret=made.private_key,
            security_token=made.token,
            expiration=datetime.fromtimestamp(made.expires_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
    )
