"""What the hub does by itself: an action of this hub, UCloud has none for it."""

from typing import Annotated, ClassVar

from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.own import OWN


class Job(Model, frozen=True, kw_only=True):
    """Something that runs without being asked."""

    kind: Annotated[
        str,
        doc(
            "Retention, of a bucket of the account; for the account that was made first also Collection, Scrub, Backup",
            "Retention：账户内镜像仓库的保留规则；首个账户还可看到 Collection、Scrub、Backup",
            eg="Retention",
        ),
    ]
    bucket_name: Annotated[str, doc("The bucket, empty for what is about all", "镜像仓库，全局任务为空", eg="depot")]
    state: Annotated[str, doc("Running or Waiting", "Running：运行中，Waiting：等待中", eg="Waiting")]
    done: Annotated[int, doc("How far it has come, of Total", "已完成数量", eg=0)]
    total: Annotated[
        int, doc("How much there is to do; 0: not known. At most 10000 for Collection", "总数，0 表示未知", eg=0)
    ]
    start_time: Annotated[int, doc("When it last began, in Unix seconds; 0: never", "上次开始时间", eg=1700000000)]
    next_time: Annotated[int, doc("When it is due next, in Unix seconds; 0: not known", "下次执行时间", eg=1700086400)]


class Jobs(Response, frozen=True):
    """Answer of ListJobs."""

    job_set: Annotated[list[Job], doc("The jobs; at most 100 of Retention, the next ones", "任务列表")]


@action(
    group="Entrepot",
    needs="admin",
    safe=True,
    title="获取后台任务",
    zh=f"列出系统自动执行的任务：标签保留、垃圾回收、数据校验和备份的进度。{OWN}",
)
class ListJobs(Request, frozen=True):
    """Tell what the hub does by itself: retention, collection, scrub, backups. An action of this hub."""

    returns: ClassVar = Jobs
