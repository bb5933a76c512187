"""Handlers of api/accounts.py."""

from entrepot.actions.run import Call, handles
from entrepot.api.accounts import (
    GetNetworkMask,
    GetProjectList,
    GetRegion,
    GetUserInfo,
    ListRegions,
    ListZones,
    NetworkMask,
    NetworkMasks,
    Projects,
    ProjectSet,
    RegionInfo,
    RegionInfos,
    Regions,
    RegionSet,
    SetNetworkMask,
    UserInfo,
    UserInfos,
    ZoneInfo,
    ZoneInfos,
)
from entrepot.api.declare import Response
from entrepot.ops import members
from entrepot.store.db import Rows
from entrepot.store.sql import listing as sql
from entrepot.store.sql import people as people_sql

# A hub has no zones of its own; clients expect at least one in each region.
_ZONE = "{}-01"


@handles(GetRegion)
async def get_region(call: Call, request: GetRegion) -> Regions:  # noqa: ARG001
    """Each zone once; exactly one default, or `ucloud init` ends without a region."""
    settings = call.ctx.hub.settings
    return Regions(
        regions=[
            RegionSet(
                region_id=place,
                region_name=region,
                is_default=region == settings.default_region,
                bit_maps="",
                region=region,
                zone=_ZONE.format(region),
            )
            for place, region in enumerate(settings.region_ids, 1)
        ]
    )


@handles(ListRegions)
async def list_regions(call: Call, request: ListRegions) -> RegionInfos:  # noqa: ARG001
    """Each region once."""
    settings = call.ctx.hub.settings
    return RegionInfos(
        regions=[
            RegionInfo(
                region=region,
                region_id=place,
                region_name=region,
                is_default=region == settings.default_region,
                bit_maps="",
            )
            for place, region in enumerate(settings.region_ids, 1)
        ]
    )


@handles(ListZones)
async def list_zones(call: Call, request: ListZones) -> ZoneInfos:
    """The one zone of a region."""
    place = call.ctx.hub.settings.region_ids.index(request.region) + 1
    zone = _ZONE.format(request.region)
    return ZoneInfos(
        zones=[
            ZoneInfo(
                zone=zone,
                zone_id=place,
                zone_name=zone,
                region=request.region,
                region_name=request.region,
                is_default=True,
            )
        ]
    )


@handles(GetProjectList)
async def get_project_list(call: Call, request: GetProjectList) -> Projects:  # noqa: ARG001
    """The account's projects; exactly one is the default."""

    def page(rows: Rows) -> Projects:
        found = sql.projects(rows, call.ctx.who.account_id)
        members = sql.members(rows, call.ctx.who.account_id)
        return Projects(
            project_count=len(found),
            project_set=[
                ProjectSet(
                    project_id=row.id,
                    project_name=row.name,
                    parent_id="",
                    parent_name="",
                    create_time=row.created_at,
                    is_default=bool(row.is_default),
                    resource_count=row.buckets,
                    member_count=members,
                )
                for row in found
            ],
        )

    return await call.ctx.hub.db.read(page)


@handles(GetUserInfo)
async def get_user_info(call: Call, request: GetUserInfo) -> UserInfos:  # noqa: ARG001
    """Exactly one element, or the command-line client refuses the answer."""
    who = call.ctx.who
    main = await call.ctx.hub.db.read(sql.main_email, who.account_id)
    return UserInfos(
        data_set=[
            UserInfo(
                user_id=who.person_id,
                user_email=who.email,
                user_name=who.email,
                user_phone="",
                phone_prefix="",
                user_type=0,
                user_version=0,
                user_address="",
                company_name=main,
                industry_type=0,
                province="",
                city="",
                auth_state="CERTIFIED",
                administrator=main,
                admin=int(who.is_main),
                finance=0,
            )
        ]
    )


@handles(GetNetworkMask)
async def get_network_mask(call: Call, request: GetNetworkMask) -> NetworkMasks:  # noqa: ARG001
    """Both masks."""
    login, api = await call.ctx.hub.db.read(people_sql.networks, call.ctx.who.account_id)
    return NetworkMasks(data=NetworkMask(login_network_mask=login, api_network_mask=api))


@handles(SetNetworkMask)
async def set_network_mask(call: Call, request: SetNetworkMask) -> Response:
    """What was sent."""
    await members.set_networks(call.ctx, login=request.login_network_mask, api=request.api_network_mask)
    return Response()
