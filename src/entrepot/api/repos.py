"""Repositories (UHub): the same buckets under other words. A repository is a bucket; shared means public."""

import enum
from typing import Annotated, ClassVar

from entrepot.api.common import Limit, Offset
from entrepot.api.declare import Model, Request, Response, action, doc

ProjectId = Annotated[
    str,
    doc(
        "Project; the default project when absent. Sub-users must send it",
        "项目 ID，不填则为默认项目；子用户必须填写",
        eg="org-1a2b3c4d",
    ),
]
RepoName = Annotated[str, doc("Name of the repository", "镜像仓库名称", eg="helloworld", blank="refused")]
ImageName = Annotated[
    str, doc("Name of the image inside the repository", "镜像名称，不含仓库名", eg="app", blank="refused")
]
Shared = Annotated[
    str, doc("true: anybody may pull; false: the account only", "镜像仓库是否公开：true 公开，false 私有", eg="true")
]
Description = Annotated[
    str,
    doc(
        "Free text of at most 500 characters", "镜像仓库描述，最多 500 个字符", eg="demo", blank="kept", max_length=500
    ),
]
Time = Annotated[str, doc("Time in RFC 3339, UTC", "时间，RFC 3339 格式，UTC", eg="2024-05-08T12:17:43Z")]


class RepoScope(enum.Enum):
    """Which repositories."""

    PUBLIC = "public"
    PRIVATE = "private"


class RepoSet(Model, frozen=True):
    """A repository. Its flags are text, as UCloud's clients expect them."""

    repo_name: RepoName
    create_time: Time
    update_time: Time
    description: Description
    is_shared: Shared
    is_out_side: Annotated[
        str,
        doc(
            "Whether it is reachable from outside the internal networks; see SetBucketNetworkPolicy",
            "外网是否可访问，见 SetBucketNetworkPolicy",
            eg="true",
        ),
    ]


class Repos(Response, frozen=True):
    """Answer of GetRepo."""

    total_count: Annotated[int, doc("Repositories that match", "镜像仓库总数", eg=1)]
    repo_set: Annotated[list[RepoSet], doc("The repositories by name", "镜像仓库列表，按名称排序")]


@action(
    group="UHub",
    needs="push",
    safe=False,
    in_project=True,
    title="创建镜像仓库",
    zh="在项目中创建镜像仓库。名称全局唯一，创建后不能修改。",
)
class CreateRepo(Request, frozen=True, kw_only=True):
    """Create an image repository in a project. Its name is global and cannot be changed."""

    project_id: ProjectId | None = None
    repo_name: RepoName
    is_shared: Annotated[bool, doc("Anybody may pull from it; false by default", "是否公开，默认 false", eg=False)] = (
        False
    )
    description: Description = ""
    returns: ClassVar = Response


@action(
    group="UHub",
    needs="delete",
    safe=False,
    in_project=True,
    title="删除镜像仓库",
    zh="删除镜像仓库，只能删除空的仓库。",
)
class DeleteRepo(Request, frozen=True, kw_only=True):
    """Delete an image repository. It must be empty."""

    project_id: ProjectId | None = None
    repo_name: RepoName
    returns: ClassVar = Response


@action(
    group="UHub",
    needs="push",
    safe=False,
    in_project=True,
    title="更新镜像仓库",
    zh="修改镜像仓库的公开状态或描述；没有填写的参数保持不变。",
)
class UpdateRepo(Request, frozen=True, kw_only=True):
    """Change whether a repository is shared, or its description; what is not sent stays as it is."""

    project_id: ProjectId | None = None
    repo_name: RepoName
    is_shared: Shared | None = None
    description: Description | None = None
    returns: ClassVar = Response


@action(
    group="UHub",
    needs="pull",
    safe=True,
    in_project=True,
    title="获取镜像仓库",
    zh="列出镜像仓库：public 为所有公开的仓库，private 为项目内未公开的仓库。",
)
class GetRepo(Request, frozen=True, kw_only=True):
    """List repositories: every shared one (public), or those of the project that are not shared (private)."""

    project_id: ProjectId | None = None
    type: Annotated[
        RepoScope, doc("public or private; public by default", "仓库类型：public 或 private，默认 public", eg="private")
    ] = RepoScope.PUBLIC
    offset: Offset = 0
    limit: Limit = 20
    returns: ClassVar = Repos


class ImageSet(Model, frozen=True):
    """An image of a repository."""

    image_name: ImageName
    pull_count: Annotated[int, doc("How often a manifest of it was pulled", "镜像被拉取的次数", eg=3)]
    create_time: Time
    update_time: Time
    latest_tag: Annotated[str, doc("The tag that was pushed last", "最近一次推送的标签", eg="v1")]
    repo_name: RepoName


class RepoImages(Response, frozen=True):
    """Answer of GetRepoImage."""

    total_count: Annotated[int, doc("Images in the repository", "镜像总数", eg=1)]
    image_set: Annotated[list[ImageSet], doc("The images by name", "镜像列表，按名称排序")]


@action(group="UHub", needs="pull", safe=True, in_project=True, title="获取镜像", zh="列出一个镜像仓库中的镜像。")
class GetRepoImage(Request, frozen=True, kw_only=True):
    """List the images of a repository."""

    project_id: ProjectId | None = None
    repo_name: RepoName
    offset: Offset = 0
    limit: Limit = 20
    returns: ClassVar = RepoImages


class ImageTagSet(Model, frozen=True):
    """A tag of an image."""

    update_time: Time
    tag_name: Annotated[str, doc("Name of the tag", "标签名称", eg="v1")]
    digest: Annotated[str | None, doc("Digest of the manifest it points to", "标签所指清单的摘要", eg="sha256:…")] = (
        None
    )


class ImageTags(Response, frozen=True):
    """Answer of GetImageTag."""

    total_count: Annotated[int, doc("Tags that match", "标签总数", eg=1)]
    tag_set: Annotated[list[ImageTagSet], doc("The tags by name", "标签列表，按名称排序")]


@action(group="UHub", needs="pull", safe=True, in_project=True, title="获取镜像标签", zh="列出一个镜像的标签。")
class GetImageTag(Request, frozen=True, kw_only=True):
    """List the tags of an image."""

    project_id: ProjectId | None = None
    repo_name: RepoName
    image_name: ImageName
    offset: Offset = 0
    limit: Limit = 20
    tag_name: Annotated[str | None, doc("Only this tag", "只返回该标签", eg="v1")] = None
    returns: ClassVar = ImageTags


@action(
    group="UHub",
    needs="delete",
    safe=False,
    in_project=True,
    title="删除镜像",
    zh="删除镜像的一个标签；不填 TagName 则删除整个镜像。TagName 为空值时报错。",
)
class DeleteRepoImage(Request, frozen=True, kw_only=True):
    """Delete one tag of an image, or the whole image when TagName is absent. A blank TagName is refused."""

    project_id: ProjectId | None = None
    repo_name: RepoName
    image_name: ImageName
    tag_name: Annotated[
        str | None,
        doc(
            "Tag to delete; all of the image when absent", "要删除的标签，不填则删除整个镜像", eg="v1", blank="refused"
        ),
    ] = None
    returns: ClassVar = Response
