"""What of the stored content is damaged: an action of this hub, UCloud has none for it."""

from typing import Annotated, ClassVar

from entrepot.api.common import Limit, Offset
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.own import OWN


class Damage(Model, frozen=True):
    """A blob or manifest of an image that is not served."""

    bucket_name: Annotated[str, doc("Image bucket", "镜像仓库名称", eg="helloworld")]
    image_name: Annotated[str, doc("Image in the bucket", "镜像名称", eg="app")]
    kind: Annotated[str, doc("Blob or Manifest", "Blob：数据层，Manifest：清单", eg="Blob")]
    digest: Annotated[str, doc("Its digest", "摘要", eg="sha256:...")]
    size: Annotated[int, doc("Its size in bytes", "大小（字节）", eg=1000)]
    fault: Annotated[
        str,
        doc(
            "missing, short, long, unreadable or damaged (another digest)",
            "missing：丢失，short：变短，long：变长，unreadable：无法读取，damaged：摘要不符",
            eg="damaged",
        ),
    ]
    time: Annotated[int, doc("When it was found, in Unix seconds", "发现时间，Unix 时间戳（秒）", eg=1700000000)]


class Damages(Response, frozen=True):
    """Answer of ListDamaged."""

    total_count: Annotated[int, doc("How many there are", "总数", eg=1)]
    damaged_set: Annotated[list[Damage], doc("By bucket, image and digest", "按镜像仓库、镜像和摘要排序")]


@action(
    group="Entrepot",
    needs="admin",
    safe=True,
    title="获取损坏的内容",
    zh=f"列出账户中已损坏、不再提供下载的数据层和清单；重新推送相同的内容即可恢复。{OWN}",
)
class ListDamaged(Request, frozen=True):
    """List what was found damaged and is not served; a push of the same content heals it. An action of this hub."""

    bucket_name: Annotated[str, doc("Only this bucket", "只返回该镜像仓库", eg="helloworld")] | None = None
    limit: Limit = 20
    offset: Offset = 0
    returns: ClassVar = Damages
