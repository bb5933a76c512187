"""Handlers of api/iam.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.declare import Response
from entrepot.api.iam import (
    AccessKey,
    CreateAccessKey,
    CreateProject,
    CreateUser,
    DeleteAccessKey,
    DeleteUser,
    GetUser,
    Keys,
    ListAccessKeys,
    ListProjects,
    ListUsers,
    ModifyProject,
    NewProject,
    NewUser,
    OneKey,
    OneUser,
    ProjectModel,
    ProjectPage,
    SetUserRights,
    Switch,
    TerminateProject,
    UpdateAccessKey,
    UpdateUser,
    UserModel,
    Users,
)
from entrepot.errors import HubError, Kind
from entrepot.ops import members
from entrepot.ops.context import RIGHTS
from entrepot.store.db import Rows
from entrepot.store.sql import listing
from entrepot.store.sql import members as sql


@handles(CreateUser)
async def create_user(call: Call, request: CreateUser) -> NewUser:
    """At least one way in, as IAM asks."""
    log_in = request.login_profile_status is Switch.ACTIVE
    with_key = request.access_key_status is Switch.ACTIVE
    if not log_in and not with_key:
        raise HubError(Kind.BAD_PARAM, "LoginProfileStatus")
    made = await members.create(
        call.ctx,
        request.user_name,
        email=request.email,
        display_name=request.display_name,
        password=request.password,
        log_in=log_in,
        with_key=with_key,
    )
    return NewUser(
        access_key_id=made.public_key,
        access_key_secret=made.private_key,
        company_id=call.ctx.who.account_id,
        user_name=request.user_name,
        display_name=request.display_name or request.user_name,
        email=made.email,
        password="" if request.password else made.password,
        console_access=log_in,
        api_access=with_key,
    )


def _user(member: sql.Member) -> UserModel:
    status = "Inactive" if not member.is_active else "Active" if member.may_log_in else "ConsoleInactive"
    return UserModel(
        email=member.email,
        user_name=member.user_name,
        display_name=member.name,
        status=status,
        created_at=member.created_at,
        console_access=bool(member.may_log_in),
        api_access=bool(member.has_keys),
        rights=list(RIGHTS) if member.is_main else member.rights.split(),
        is_main=bool(member.is_main),
    )


@handles(GetUser)
async def get_user(call: Call, request: GetUser) -> OneUser:
    """One member."""
    return OneUser(
        user=_user(await call.ctx.hub.db.read(lambda rows: members.found(call.ctx, rows, request.user_name)))
    )


@handles(ListUsers)
async def list_users(call: Call, request: ListUsers) -> Users:
    """One page of members."""
    total, found = await call.ctx.hub.db.read(sql.page, call.ctx.who.account_id, request.limit, request.offset)
    return Users(total_count=total, users=[_user(one) for one in found])


@handles(UpdateUser)
async def update_user(call: Call, request: UpdateUser) -> Response:
    """Names and status."""
    active = None if request.status is None else request.status is Switch.ACTIVE
    await members.update(
        call.ctx,
        request.user_name,
        new_name=request.new_user_name,
        display_name=request.display_name,
        active=active,
    )
    return Response()


@handles(DeleteUser)
async def delete_user(call: Call, request: DeleteUser) -> Response:
    """A member and its keys."""
    await members.delete(call.ctx, request.user_name)
    return Response()


@handles(SetUserRights)
async def set_user_rights(call: Call, request: SetUserRights) -> Response:
    """Exactly these."""
    await members.set_rights(call.ctx, request.user_name, [right for right in request.right if right])
    return Response()


def _key(key: sql.Key, secret: str = "") -> AccessKey:
    return AccessKey(
        access_key_id=key.public_key,
        access_key_secret=secret,
        user_id=key.person_id,
        description=key.description,
        status="Active" if key.is_active else "Inactive",
        created_at=key.created_at,
        expired_at=0,
        updated_at=key.updated_at,
        deleted_at=0,
    )


@handles(CreateAccessKey)
async def create_access_key(call: Call, request: CreateAccessKey) -> OneKey:
    """The one answer that holds the secret."""
    return OneKey(access_key=_key(*await members.create_key(call.ctx, request.user_name)))


@handles(ListAccessKeys)
async def list_access_keys(call: Call, request: ListAccessKeys) -> Keys:
    """Without secrets."""
    return Keys(access_key=[_key(one) for one in await members.list_keys(call.ctx, request.user_name)])


@handles(UpdateAccessKey)
async def update_access_key(call: Call, request: UpdateAccessKey) -> Response:
    """On, off, described."""
    active = None if request.status is None else request.status is Switch.ACTIVE
    await members.update_key(call.ctx, request.access_key_id, active=active, description=request.description)
    return Response()


@handles(DeleteAccessKey)
async def delete_access_key(call: Call, request: DeleteAccessKey) -> Response:
    """Dead at once."""
    await members.delete_key(call.ctx, request.access_key_id)
    return Response()


@handles(CreateProject)
async def create_project(call: Call, request: CreateProject) -> NewProject:
    """Beside the default one."""
    return NewProject(project_id=await members.create_project(call.ctx, request.project_name))


@handles(ModifyProject)
async def modify_project(call: Call, request: ModifyProject) -> Response:
    """Its name."""
    await members.rename_project(call.ctx, request.project_id, request.project_name)
    return Response()


@handles(TerminateProject)
async def terminate_project(call: Call, request: TerminateProject) -> Response:
    """Only an empty one."""
    await members.delete_project(call.ctx, request.project_id)
    return Response()


@handles(ListProjects)
async def list_projects(call: Call, request: ListProjects) -> ProjectPage:
    """One page of projects."""

    def page(rows: Rows) -> ProjectPage:
        every = listing.projects(rows, call.ctx.who.account_id)
        users = listing.members(rows, call.ctx.who.account_id)
        return ProjectPage(
            total_count=len(every),
            projects=[
                ProjectModel(project_id=one.id, project_name=one.name, user_count=users, created_at=one.created_at)
                for one in every[request.offset : request.offset + request.limit]
            ],
        )

    return await call.ctx.hub.db.read(page)
