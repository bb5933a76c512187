"""Around the account: regions, zones, projects, the user."""

from typing import Annotated, ClassVar

import msgspec

from entrepot.api.common import Region
from entrepot.api.declare import Model, Request, Response, action, doc


class RegionSet(Model, frozen=True):
    """A zone with its region."""

    region_id: Annotated[int, doc("Number of the region", "数据中心 ID", eg=1)]
    region_name: Annotated[str, doc("Name of the region", "数据中心名称", eg="cn-bj2")]
    is_default: Annotated[bool, doc("Whether it is the default", "是否为默认", eg=True)]
    bit_maps: Annotated[str, doc("Always empty here", "权限位，本系统恒为空", eg="")]
    region: Annotated[str, doc("Region", "地域名称", eg="cn-bj2")]
    zone: Annotated[str, doc("Zone", "可用区名称", eg="cn-bj2-01")]


class Regions(Response, frozen=True):
    """Answer of GetRegion."""

    regions: Annotated[list[RegionSet], doc("One for each zone", "各可用区的信息")]


@action(group="UAccount", needs="", safe=True, title="获取数据中心信息", zh="列出全部地域和可用区，每个可用区一行。")
class GetRegion(Request, frozen=True):
    """List regions and zones, one row for each zone."""

    returns: ClassVar = Regions


class RegionInfo(Model, frozen=True):
    """A region."""

    region: Annotated[str, doc("Region", "地域", eg="cn-bj2")]
    region_id: Annotated[int, doc("Number of the region", "地域 ID", eg=1)]
    region_name: Annotated[str, doc("Name of the region", "地域名称", eg="cn-bj2")]
    is_default: Annotated[bool, doc("Whether it is the default", "是否为默认", eg=True)]
    bit_maps: Annotated[str, doc("Always empty here", "权限位，本系统恒为空", eg="")]


class RegionInfos(Response, frozen=True):
    """Answer of ListRegions."""

    regions: Annotated[list[RegionInfo], doc("The regions", "地域列表")]


@action(group="UAccount", needs="", safe=True, title="获取地域列表", zh="列出本系统的全部地域。")
class ListRegions(Request, frozen=True):
    """List the regions of this hub."""

    returns: ClassVar = RegionInfos


class ZoneInfo(Model, frozen=True):
    """A zone."""

    zone: Annotated[str, doc("Zone", "可用区", eg="cn-bj2-01")]
    zone_id: Annotated[int, doc("Number of the zone", "可用区 ID", eg=1)]
    zone_name: Annotated[str, doc("Name of the zone", "可用区名称", eg="cn-bj2-01")]
    region: Annotated[str, doc("Region of the zone", "所属地域", eg="cn-bj2")]
    region_name: Annotated[str, doc("Name of the region", "地域名称", eg="cn-bj2")]
    is_default: Annotated[bool, doc("Whether it is the default of its region", "是否为该地域的默认可用区", eg=True)]


class ZoneInfos(Response, frozen=True):
    """Answer of ListZones."""

    zones: Annotated[list[ZoneInfo], doc("The zones", "可用区列表")]


@action(group="UAccount", needs="", safe=True, title="获取可用区列表", zh="列出一个地域的可用区。")
class ListZones(Request, frozen=True):
    """List the zones of a region."""

    region: Region
    returns: ClassVar = ZoneInfos


class ProjectSet(Model, frozen=True):
    """A project."""

    project_id: Annotated[str, doc("Project id", "项目 ID", eg="org-1a2b3c4d")]
    project_name: Annotated[str, doc("Project name", "项目名称", eg="Default")]
    parent_id: Annotated[str, doc("Always empty here", "父项目 ID，本系统恒为空", eg="")]
    parent_name: Annotated[str, doc("Always empty here", "父项目名称，本系统恒为空", eg="")]
    create_time: Annotated[int, doc("When it was made, in Unix seconds", "创建时间，Unix 时间戳（秒）", eg=1700000000)]
    is_default: Annotated[bool, doc("Whether it is the default project", "是否为默认项目", eg=True)]
    resource_count: Annotated[int, doc("Buckets in the project", "项目下的镜像仓库数", eg=1)]
    member_count: Annotated[int, doc("Users of the account", "项目成员数", eg=1)]


class Projects(Response, frozen=True):
    """Answer of GetProjectList."""

    project_count: Annotated[int, doc("How many projects", "项目总数", eg=1)]
    project_set: Annotated[list[ProjectSet], doc("The projects", "项目列表")]


@action(group="UAccount", needs="", safe=True, title="获取项目列表", zh="列出当前账户的项目。")
class GetProjectList(Request, frozen=True):
    """List the projects of your account."""

    is_finance: Annotated[
        str | None,
        doc("Accepted and not used: there are no finance accounts here", "是否是财务账号，本系统不使用", eg="No"),
    ] = None
    returns: ClassVar = Projects


class UserInfo(Model, frozen=True):
    """The user behind the key."""

    user_id: Annotated[int, doc("User id", "用户 ID", eg=1)]
    user_email: Annotated[str, doc("E-mail", "用户邮箱", eg="main@example.com")]
    user_name: Annotated[str, doc("Name", "用户姓名", eg="main@example.com")]
    user_phone: Annotated[str, doc("Always empty here", "本系统恒为空", eg="")]
    phone_prefix: Annotated[str, doc("Always empty here", "本系统恒为空", eg="")]
    user_type: Annotated[int, doc("Always 0 here", "本系统恒为 0", eg=0)]
    user_version: Annotated[int, doc("Always 0 here", "本系统恒为 0", eg=0)]
    user_address: Annotated[str, doc("Always empty here", "本系统恒为空", eg="")]
    company_name: Annotated[str, doc("Name of the account", "账户名称", eg="main@example.com")]
    industry_type: Annotated[int, doc("Always 0 here", "本系统恒为 0", eg=0)]
    province: Annotated[str, doc("Always empty here", "本系统恒为空", eg="")]
    city: Annotated[str, doc("Always empty here", "本系统恒为空", eg="")]
    auth_state: Annotated[str, doc("Always CERTIFIED here", "本系统恒为 CERTIFIED", eg="CERTIFIED")]
    administrator: Annotated[str, doc("E-mail of the account's main user", "主账号邮箱", eg="main@example.com")]
    admin: Annotated[int, doc("1 for the main user", "主账号为 1", eg=1)]
    finance: Annotated[int, doc("Always 0 here", "本系统恒为 0", eg=0)]


class UserInfos(Response, frozen=True):
    """Answer of GetUserInfo."""

    data_set: Annotated[list[UserInfo], doc("Exactly one element", "用户信息，恰好一个元素")]


@action(group="UAccount", needs="", safe=True, title="获取用户信息", zh="返回密钥所属用户的信息。")
class GetUserInfo(Request, frozen=True):
    """Tell who the key belongs to."""

    returns: ClassVar = UserInfos


class NetworkMask(Model, frozen=True, kw_only=True):
    """From where the account is used."""

    login_network_mask: Annotated[
        str, doc("Networks for logins with a password; empty for any", "登录网络掩码，空表示不限制", eg="")
    ]
    api_network_mask: Annotated[
        str, doc("Networks for keys; empty for any", "API 调用网络掩码，空表示不限制", eg="192.0.2.0/24")
    ] = msgspec.field(name="APINetworkMask")


class NetworkMasks(Response, frozen=True):
    """Answer of GetNetworkMask."""

    data: Annotated[NetworkMask, doc("The masks", "网络掩码")]


@action(group="UAccount", needs="admin", safe=True, title="获取网络掩码", zh="返回账户登录和调用 API 的网络限制。")
class GetNetworkMask(Request, frozen=True):
    """Tell from where the account's people may log in and call."""

    returns: ClassVar = NetworkMasks


@action(
    group="UAccount",
    needs="admin",
    safe=False,
    title="设置网络掩码",
    zh="设置账户登录和调用 API 的网络限制；没有填写的参数保持不变，填空表示不限制。"
    "API 网络掩码必须包含当前调用的地址。",
)
class SetNetworkMask(Request, frozen=True, kw_only=True):
    """Set from where the account's people may log in and call; what is not sent stays, an empty one is any address.

    The API mask must hold the address of this call: others would be the account's last one.
    """

    login_network_mask: Annotated[
        str | None,
        doc(
            "Networks for logins with a password, separated by commas; empty for any",
            "登录网络掩码，以英文逗号分隔，空表示不限制",
            eg="",
            blank="kept",
        ),
    ] = None
    api_network_mask: Annotated[
        str | None,
        doc(
            "Networks for keys, separated by commas; empty for any",
            "API 调用网络掩码，以英文逗号分隔，空表示不限制",
            eg="192.0.2.0/24",
            blank="kept",
        ),
    ] = msgspec.field(name="APINetworkMask", default=None)
    code: Annotated[
        str, doc("Accepted and not used: no text messages are sent here", "短信验证码，本系统不使用", eg="")
    ] = ""
    returns: ClassVar = Response
