"""Actions of this hub that UCloud has none for: grants to other accounts, networks of a bucket, quotas."""

import enum
from typing import Annotated, ClassVar

import msgspec

from entrepot.api.common import BucketName
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.iam import Seconds

OWN = "本接口为本系统特有，UCloud 没有对应接口。"


class Permission(enum.Enum):
    """What a grant allows."""

    READ = "Read"
    WRITE = "Write"


GranteeId = Annotated[
    int,
    doc("Account that the grant is for: its CompanyID", "被授权账户的 CompanyID", eg=2, ge=1, le=2**53),
]


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="授权镜像仓库",
    zh=f"把镜像仓库授权给另一个账户：Read 可以拉取，Write 还可以推送。{OWN}",
)
class GrantBucket(Request, frozen=True, kw_only=True):
    """Let another account use a bucket: Read to pull, Write to push as well. An action of this hub."""

    bucket_name: BucketName
    grantee_id: GranteeId = msgspec.field(name="GranteeID")
    permission: Annotated[Permission, doc("Read or Write", "Read 或 Write", eg="Read")] = Permission.READ
    returns: ClassVar = Response


@action(group="Entrepot", needs="admin", safe=False, title="取消授权镜像仓库", zh=f"取消对另一个账户的授权。{OWN}")
class RevokeBucketGrant(Request, frozen=True, kw_only=True):
    """Take a grant back; registry tokens that were issued under it end within minutes. An action of this hub."""

    bucket_name: BucketName
    grantee_id: GranteeId = msgspec.field(name="GranteeID")
    returns: ClassVar = Response


class BucketGrant(Model, frozen=True, kw_only=True):
    """A grant on a bucket."""

    grantee_id: GranteeId = msgspec.field(name="GranteeID")
    permission: Annotated[str, doc("Read or Write", "Read 或 Write", eg="Read")]
    create_time: Seconds


class BucketGrants(Response, frozen=True):
    """Answer of ListBucketGrants."""

    grant_set: Annotated[list[BucketGrant], doc("The grants by account", "授权列表")]


@action(group="Entrepot", needs="admin", safe=True, title="获取镜像仓库的授权列表", zh=f"列出镜像仓库的授权。{OWN}")
class ListBucketGrants(Request, frozen=True):
    """List the accounts that a bucket is granted to. An action of this hub."""

    bucket_name: BucketName
    returns: ClassVar = BucketGrants


class BucketNetworks(Response, frozen=True):
    """Answer of GetBucketNetworkPolicy."""

    is_out_side: Annotated[
        str,
        doc(
            "true: reachable from anywhere; false: no push from outside the internal networks, and no pull unless the "
            "bucket is public",
            "true：可从任意网络访问；false：外网不能推送，私有仓库外网也不能拉取",
            eg="true",
        ),
    ]
    network_set: Annotated[
        list[str], doc("Networks that may use it; none: any", "允许访问的网段，空表示不限制", eg="192.0.2.0/24")
    ]


@action(group="Entrepot", needs="pull", safe=True, title="获取镜像仓库的网络策略", zh=f"返回镜像仓库的网络策略。{OWN}")
class GetBucketNetworkPolicy(Request, frozen=True):
    """Tell from where a bucket may be used. An action of this hub."""

    bucket_name: BucketName
    returns: ClassVar = BucketNetworks


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="设置镜像仓库的网络策略",
    zh=f"设置可以从哪些网络推送和拉取；没有填写的参数保持不变。{OWN}",
)
class SetBucketNetworkPolicy(Request, frozen=True):
    """Set from where a bucket may be pushed to and pulled from; what is not sent stays. An action of this hub."""

    bucket_name: BucketName
    is_out_side: Annotated[
        bool | None,
        doc("Whether it is reachable from outside the internal networks", "是否允许外网访问", eg=False),
    ] = None
    network: (
        Annotated[
            list[str],
            doc(
                "A network that may use it, CIDR or address; one empty value for any network",
                "允许访问的网段或地址；一个空值表示不限制",
                eg="192.0.2.0/24",
            ),
        ]
        | None
    ) = None
    returns: ClassVar = Response


class Quota(Model, frozen=True):
    """A quota and how much of it is used."""

    scope: Annotated[
        str,
        doc(
            "project <id>, bucket <name> or image <name>",
            "范围：project、bucket 或 image 及其名称",
            eg="project org-1a2b3c4d",
        ),
    ]
    kind: Annotated[str, doc("buckets, bytes or tags", "类型：buckets、bytes 或 tags", eg="buckets")]
    most: Annotated[int, doc("The quota; 0 is no limit", "配额，0 表示不限制", eg=8)]
    used: Annotated[int, doc("What is used of it", "已使用", eg=3)]


class Quotas(Response, frozen=True):
    """Answer of ListQuotas."""

    quota_set: Annotated[list[Quota], doc("The quotas", "配额列表")]


@action(
    group="Entrepot",
    needs="pull",
    safe=True,
    title="获取配额",
    zh=f"返回项目的配额和用量；指定镜像仓库和镜像时也返回它们的配额。配额由运营者用 entrepot quota 设置。{OWN}",
)
class ListQuotas(Request, frozen=True):
    """List quotas and what is used: of a project, and where named of a bucket and an image. An action of this hub.

    The operator sets them with `entrepot quota`.
    """

    project_id: (
        Annotated[str, doc("Project id; the default one when absent", "项目 ID，默认项目可不填", eg="org-1a2b3c4d")]
        | None
    ) = None
    bucket_name: BucketName = ""
    image_name: Annotated[str, doc("Image in the bucket", "镜像名称", eg="app")] = ""
    returns: ClassVar = Quotas
