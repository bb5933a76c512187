"""Which tags go and which never change: actions of this hub, UCloud has none for it."""

import enum
from typing import Annotated, ClassVar

from entrepot.api.common import BucketName, Limit, Offset
from entrepot.api.declare import Model, Request, Response, action, doc
from entrepot.api.own import OWN

RULES_EN = (
    'A JSON list of rules, such as [{"Match": ["app/*:v*"], "Except": ["v*-lts"], "KeepNewest": 10, '
    '"KeepPushedDays": 30, "KeepPulledDays": 90}]. A rule is about the tags that Match names and Except does not; '
    "a pattern is <tag> or <image>:<tag>, * stands for any text. It keeps the newest so many of them in an image, "
    "those pushed in so many days, those pulled in so many days. A tag goes if a rule is about it and no rule keeps it"
)
RULES_ZH = (
    "JSON 规则列表。Match 和 Except 为标签或 镜像:标签 的通配模式，* 表示任意文本；每条规则保留每个镜像中最新的 "
    "KeepNewest 个、最近 KeepPushedDays 天内推送的、最近 KeepPulledDays 天内拉取的标签。"
    "至少被一条规则匹配且没有任何规则保留的标签会被删除"
)
RULES_EG = '[{"Match":["*"],"Except":["latest"],"KeepNewest":10,"KeepPulledDays":90}]'
ImageName = Annotated[str, doc("Only this image of the bucket", "只处理该镜像", eg="app")]
Pattern = "A pattern of tags, <tag> or <image>:<tag>; * stands for any text"


class Preset(enum.Enum):
    """Rules that are there already."""

    UHUB = "UHub"


PRESET = doc(
    "UHub: the rule that UCloud documents for UHub, the newest 800 tags of an image stay, and beyond them what was "
    "pulled in the last 30 days",
    "UHub：每个镜像保留最新的 800 个标签，以及 30 天内拉取过的标签",
    eg="UHub",
)


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="设置标签保留规则",
    zh=f"设置镜像仓库的标签保留规则，填写 Rules 或 Preset 之一；Rules 为 [] 表示关闭。"
    f"规则最早在设置一天后执行，此后每天一次；请先用 PreviewBucketRetention 预览。{OWN}",
)
class SetBucketRetention(Request, frozen=True, kw_only=True):
    """Set the rules by which tags of a bucket go; give Rules or Preset, and [] as Rules for none.

    They are applied a day later at the earliest, then daily: look at PreviewBucketRetention first. Manifests and blobs
    follow once no tag needs them; signatures stay as long as what they sign. An action of this hub.
    """

    bucket_name: BucketName
    rules: Annotated[str, doc(RULES_EN, RULES_ZH, eg=RULES_EG)] | None = None
    preset: Annotated[Preset, PRESET] | None = None
    returns: ClassVar = Response


class BucketRetention(Response, frozen=True):
    """Answer of GetBucketRetention."""

    rules: Annotated[str, doc("The rules, as SetBucketRetention takes them; [] for none", "规则", eg=RULES_EG)]
    next_run_time: Annotated[
        int, doc("When they are applied next, in Unix seconds; 0: never", "下次执行时间", eg=1700086400)
    ]
    last_run_time: Annotated[
        int, doc("When they were last applied to the end; 0: never yet", "上次执行时间", eg=1700000000)
    ]


@action(group="Entrepot", needs="pull", safe=True, title="获取标签保留规则", zh=f"返回镜像仓库的标签保留规则。{OWN}")
class GetBucketRetention(Request, frozen=True):
    """Tell the rules by which tags of a bucket go. An action of this hub."""

    bucket_name: BucketName
    returns: ClassVar = BucketRetention


class LeavingTag(Model, frozen=True, kw_only=True):
    """A tag that goes."""

    image_name: Annotated[str, doc("Image in the bucket", "镜像名称", eg="app")]
    tag_name: Annotated[str, doc("Tag", "标签名称", eg="v1")]
    digest: Annotated[str, doc("Digest that it points to", "摘要", eg="sha256:...")]
    push_time: Annotated[int, doc("When it was last pushed, in Unix seconds", "上次推送时间", eg=1700000000)]
    pull_time: Annotated[
        int,
        doc("When what it points to was last pulled; 0: never", "上次拉取时间，0 表示从未拉取", eg=1700000000),
    ]
    reason: Annotated[
        str,
        doc("The rules that match it, and what each misses", "匹配的规则及原因", eg="rule 1: not one of the newest 10"),
    ]


class RetentionPreview(Response, frozen=True, kw_only=True):
    """Answer of PreviewBucketRetention."""

    total_count: Annotated[int, doc("How many tags would go in all", "将被删除的标签总数", eg=1)]
    tag_set: Annotated[
        list[LeavingTag], doc("One page of them, by image and from the newest on", "将被删除的标签，分页")
    ]


@action(
    group="Entrepot",
    needs="pull",
    safe=True,
    title="预览标签保留规则",
    zh=f"列出现在执行规则会删除哪些标签以及原因，不做任何修改。可以预览尚未设置的规则。{OWN}",
)
class PreviewBucketRetention(Request, frozen=True, kw_only=True):
    """List each tag that would go if the rules were applied now, and why; nothing is changed. An action of this hub.

    Without Rules and Preset the rules that are set; with one of them, rules to try before they are set.
    """

    bucket_name: BucketName
    image_name: ImageName | None = None
    rules: Annotated[str, doc(RULES_EN, RULES_ZH, eg=RULES_EG)] | None = None
    preset: Annotated[Preset, PRESET] | None = None
    limit: Limit = 20
    offset: Offset = 0
    returns: ClassVar = RetentionPreview


class RetentionRun(Response, frozen=True, kw_only=True):
    """Answer of RunBucketRetention."""

    tag_set: Annotated[list[LeavingTag], doc("The tags that are deleted", "已删除的标签")]
    is_finished: Annotated[
        bool,
        doc("Whether no more is to go; if not, call again", "是否已全部完成，否则请再次调用", eg=True),
    ]


@action(
    group="Entrepot",
    needs="delete",
    safe=False,
    title="执行标签保留规则",
    zh=f"立即执行已设置的规则，每次最多删除 Limit 个标签。{OWN}",
)
class RunBucketRetention(Request, frozen=True, kw_only=True):
    """Apply the rules that are set now, without waiting for the day; call again until IsFinished. An own action.

    RestoreTag brings a deleted tag back as long as its manifest is there.
    """

    bucket_name: BucketName
    image_name: ImageName | None = None
    limit: Annotated[int, doc("Most tags to delete in this call", "本次最多删除的标签数", eg=1000, ge=1, le=1000)] = (
        1000
    )
    returns: ClassVar = RetentionRun


@action(
    group="Entrepot",
    needs="admin",
    safe=False,
    title="设置不可变标签",
    zh=f"设置不可移动、不可删除的标签；可以创建新标签，也可以重复推送相同内容。替换之前的全部设置。{OWN}",
)
class SetBucketImmutableTags(Request, frozen=True, kw_only=True):
    """Set which tags of a bucket can be made, but neither moved nor deleted, whoever asks. An action of this hub.

    It replaces what was set before. cosign adds signatures by moving its tags: except sha256-* where images are signed
    more than once.
    """

    bucket_name: BucketName
    tag: Annotated[
        list[str],
        doc(f"{Pattern}; one empty value for none", "标签的通配模式；一个空值表示不设置", eg="v*"),
    ]
    except_tag: Annotated[list[str], doc(f"{Pattern} that may change all the same", "例外", eg="v*-rc*")] | None = None
    returns: ClassVar = Response


class BucketImmutableTags(Response, frozen=True, kw_only=True):
    """Answer of GetBucketImmutableTags."""

    tag_set: Annotated[list[str], doc("Patterns of immutable tags", "不可变标签的通配模式", eg="v*")]
    except_tag_set: Annotated[list[str], doc("The exceptions from them", "例外", eg="v*-rc*")]


@action(group="Entrepot", needs="pull", safe=True, title="获取不可变标签", zh=f"返回镜像仓库的不可变标签。{OWN}")
class GetBucketImmutableTags(Request, frozen=True):
    """Tell which tags of a bucket can be neither moved nor deleted. An action of this hub."""

    bucket_name: BucketName
    returns: ClassVar = BucketImmutableTags
