"""Types that several actions share. Their wire names, defaults and required marks are UCloud's."""

from typing import Annotated

from entrepot.api.declare import doc

MOST = 1000

Region = Annotated[str, doc("Region; see the action ListRegions", "地域。可用值参见接口 ListRegions", eg="cn-bj2")]
Limit = Annotated[
    int,
    doc(
        f"How many to return, 20 by default, at most {MOST}; 0 returns only the count",
        f"返回数据长度，默认为 20，最大 {MOST}；0 表示只返回总数",
        eg=20,
        ge=0,
        le=MOST,
    ),
]
Offset = Annotated[
    int,
    doc(
        "How many to skip from the start of the list, 0 by default",
        "列表起始位置偏移量，默认为 0",
        eg=0,
        ge=0,
        le=2**53,
    ),
]
OrderBy = Annotated[
    str,
    doc(
        "Default: by name, the only order there is; others count as Default",
        "排序方式，目前只有 Default（按名称）",
        eg="Default",
    ),
]
BucketName = Annotated[str, doc("Name of an image bucket", "Docker 镜像仓库名称", eg="helloworld")]
