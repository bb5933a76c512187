"""Refusals explained to people: what each kind means and what to do next, in both languages."""

from typing import NamedTuple

from entrepot.errors import HubError, Kind


class Explained(NamedTuple):
    """``what``: what was wrong, in a few words; ``detail``: of this case; ``next``: what to do."""

    what: str
    detail: str
    next: str


# kind -> (what is wrong, what to do), English and Chinese
WORDS: dict[str, tuple[str, str, str, str]] = {
    "MISSING_ACTION": ("No action named", "Name one in Action.", "缺少 Action 参数", "请在 Action 中填写接口名称。"),
    "UNKNOWN_ACTION": ("No such action", "Look it up in the catalogue.", "接口不存在", "请在 API 目录中查找。"),
    "MISSING_PARAM": ("A parameter is missing", "Fill it in and send again.", "缺少参数", "请填写后重新提交。"),
    "BAD_PARAM": ("A value cannot be used", "Correct it and send again.", "参数值不可用", "请修改后重新提交。"),
    "BAD_REQUEST": ("The request cannot be read", "Send it again.", "请求无法解析", "请重新提交。"),
    "TOO_LARGE": ("The request is too large", "Send less at once.", "请求过大", "请减少一次提交的内容。"),
    "UNSUPPORTED": ("Not supported here", "Go back and try another way.", "不支持该操作", "请返回并换一种方式。"),
    "NOT_FOUND": ("There is no such page", "Check the address, or start from the overview.", "页面不存在",
                  "请检查地址，或从概览开始。"),
    "MISSING_SIGNATURE": ("The call is not signed", "Sign it with a key.", "缺少签名", "请使用密钥签名。"),
    "BAD_SIGNATURE": ("The signature is wrong", "Compare the string that was signed with the one shown here.",
                      "签名错误", "请与此处显示的待签名字符串比较。"),
    "UNKNOWN_KEY": ("The key is not known or switched off", "Look at your keys.", "密钥不存在或已停用",
                    "请查看密钥列表。"),
    "UNKNOWN_TOKEN": ("The token is not known or has ended", "Get a new temporary key.", "令牌不存在或已失效",
                      "请重新获取临时密钥。"),
    "UNAUTHORIZED": ("Signing in failed", "Check e-mail and password.", "登录失败", "请检查邮箱和密码。"),
    "UNKNOWN_PROJECT": ("There is no such project", "Choose one of your projects.", "项目不存在",
                        "请选择账户中的项目。"),
    "IP_REJECTED": ("Your address is not allowed here", "Come from an allowed network, or ask who administers it.",
                    "当前地址不允许访问", "请使用允许的网络，或联系管理员。"),
    "DENIED": ("This is not allowed", "Ask the main user of your account for the right.", "没有权限",
               "请向主账号申请权限。"),
    "THROTTLED": ("Too many requests", "Wait a minute, then try again.", "请求过于频繁", "请稍候再试。"),
    "BUCKET_TAKEN": ("The bucket name is taken", "Names are global: choose another one.", "镜像仓库名称已被占用",
                     "名称全局唯一，请换一个。"),
    "BUCKET_UNKNOWN": ("There is no such bucket, or it is not yours", "Look at the list of buckets.",
                       "镜像仓库不存在或不属于您", "请查看镜像仓库列表。"),
    "IMAGE_NAME_INVALID": ("The image name is not valid", "Use lower-case letters, digits and single . _ - between.",
                           "镜像名称无效", "请使用小写字母、数字，中间可用单个 . _ -。"),
    "BUCKET_NAME_INVALID": ("The bucket name is not valid",
                            "Use 4 to 30 lower-case letters and digits, with single . _ - between.",
                            "镜像仓库名称无效", "请使用 4 到 30 个小写字母、数字，中间可用单个 . _ -。"),
    "DELETE_TOO_MANY": ("Too many tags at once", "Delete at most 100 in a call.", "一次删除的标签过多",
                        "一次最多删除 100 个。"),
    "DELETE_UNKNOWN": ("There is no such image or tag", "Look at the list of tags; it may be gone already.",
                       "镜像或标签不存在", "请查看标签列表，它可能已被删除。"),
    "DELETE_NO_IMAGE": ("No image named", "Name the image.", "缺少镜像名称", "请填写镜像名称。"),
    "DELETE_NO_TAG": ("No tag named", "Name at least one tag.", "缺少标签名称", "请至少填写一个标签。"),
    "BUCKET_NOT_EMPTY": ("The bucket still holds images", "Delete them first.", "镜像仓库中仍有镜像",
                         "请先删除其中的镜像。"),
    "FLOW_UNKNOWN": ("There is no such workflow, namespace or run", "Look at the list of workflows.",
                     "工作流、命名空间或运行不存在", "请查看工作流列表。"),
    "FLOW_INVALID": ("The workflow cannot be saved", "Correct what is listed and save again.",
                     "工作流定义有误", "请按列出的问题修改后重新保存。"),
    "FLOW_FAILED": ("The workflow ran and failed", "Look at the step that failed.",
                    "工作流运行失败", "请查看失败的步骤。"),
    "DELETION_UNKNOWN": ("Nothing is kept of this deletion", "Look at what can be brought back.",
                         "该删除记录不存在或已过期", "请查看可恢复的内容。"),
    "TAG_IMMUTABLE": ("The tag is immutable", "Use another tag, or except this one from the bucket's rule.",
                      "标签不可变", "请使用其他标签，或在仓库规则中排除该标签。"),
    "ROBOT_UNKNOWN": ("There is no such robot", "Look at the bucket's robots.",
                      "机器人账号不存在", "请查看该仓库的机器人账号。"),
    "WEBHOOK_UNKNOWN": ("There is no such webhook or delivery", "Look at the bucket's webhooks.",
                        "Webhook 或投递记录不存在", "请查看该仓库的 Webhook。"),
    "TOO_SLOW": ("The rest of the request did not come", "Send it again.",
                 "请求未在时限内传完", "请重新提交。"),
    "BACKUP_UNKNOWN": ("There is no such backup", "Look at the folder it should be in.",
                       "备份不存在", "请检查备份所在目录。"),
    "BACKUP_DAMAGED": ("The backup is damaged", "Use another generation.",
                       "备份已损坏", "请使用其他备份。"),
    "LAYOUT_INVALID": ("This is no image layout", "Check the file or folder.",
                       "不是有效的镜像布局", "请检查文件或目录。"),
    "NO_SPACE": ("The hub's disk is full", "Nothing was lost; tell its operator.",
                 "系统磁盘已满", "数据没有丢失，请联系运维人员。"),
    "REPO_UNKNOWN": ("There is no such repository, or it is not yours", "Look at the list of buckets.",
                     "镜像仓库不存在或不属于您", "请查看镜像仓库列表。"),
    "REPO_TAKEN": ("The name is taken", "Names are global: choose another one.", "名称已被占用",
                   "名称全局唯一，请换一个。"),
    "REPO_NAME_INVALID": ("The name is not valid",
                          "Use 4 to 30 lower-case letters and digits, with single . _ - between.", "名称无效",
                          "请使用 4 到 30 个小写字母、数字，中间可用单个 . _ -。"),
    "IMAGE_UNKNOWN": ("There is no such image or tag", "Look at the list; it may be gone already.",
                      "镜像或标签不存在", "请查看列表，它可能已被删除。"),
    "POLICY_UNKNOWN": ("There is no such policy", "Look at the list of policies.", "策略不存在", "请查看策略列表。"),
    "ROLE_UNKNOWN": ("There is no such role", "Look at the list of roles.", "角色不存在", "请查看角色列表。"),
    "IN_USE": ("It is still in use", "Take it from those who have it first.", "仍在使用中", "请先解除绑定。"),
    "QUOTA_EXCEEDED": ("The quota is used up", "Delete what is not needed, or ask the operator for more.",
                       "配额已用完", "请删除不需要的内容，或联系运营者提高配额。"),
    "NAME_INVALID": ("The name is not valid", "Write bucket/image in lower case.", "名称无效",
                     "请用小写书写 仓库/镜像。"),
    "NAME_UNKNOWN": ("The repository is not known here", "Create the bucket first.", "镜像仓库不存在",
                     "请先创建镜像仓库。"),
    "TAG_INVALID": ("The tag is not valid", "Use 1 to 128 letters, digits and _ . -.", "标签无效",
                    "请使用 1 到 128 个字母、数字和 _ . -。"),
    "DIGEST_INVALID": ("The digest is not valid", "Copy it whole, with sha256: in front.", "摘要无效",
                       "请完整复制，包括开头的 sha256:。"),
    "SIZE_INVALID": ("The length does not fit", "Send it again.", "长度不符", "请重新发送。"),
    "RANGE_INVALID": ("The range does not fit", "Send it again.", "范围不符", "请重新发送。"),
    "PAGE_INVALID": ("The page does not fit", "Go back to the first page.", "分页参数无效", "请返回第一页。"),
    "BLOB_UNKNOWN": ("The content is not here", "Push it again.", "内容不存在", "请重新推送。"),
    "UPLOAD_UNKNOWN": ("The upload has ended", "Start it again.", "上传已结束", "请重新开始上传。"),
    "MANIFEST_UNKNOWN": ("The manifest is not here", "Look at the list of tags.", "清单不存在", "请查看标签列表。"),
    "MANIFEST_INVALID": ("The manifest is not valid", "Push it with a current client.", "清单无效",
                         "请使用新版客户端推送。"),
    "MANIFEST_TOO_LARGE": ("The manifest is too large", "Make it smaller.", "清单过大", "请减小清单。"),
    "MANIFEST_BLOB_UNKNOWN": ("Content of the manifest is missing", "Push the layers first.", "清单引用的内容缺失",
                              "请先推送各层。"),
    "TOO_MANY_TAGS": ("Too many tags at once", "Send fewer.", "一次提交的标签过多", "请减少数量。"),
    "ALREADY_INITIALISED": ("There is a hub already", "Nothing has to be done.", "已经初始化", "无需操作。"),
    "NOT_INITIALISED": ("There is no hub yet", "Run entrepot init.", "尚未初始化", "请运行 entrepot init。"),
    "CONFIG_INVALID": ("The settings are not valid", "Tell the operator.", "设置无效", "请联系运营者。"),
    "EXISTS": ("It exists already", "Choose another name.", "已经存在", "请换一个名称。"),
    "PROJECT_NOT_EMPTY": ("The project still holds buckets", "Delete them first.", "项目中仍有镜像仓库",
                          "请先删除其中的镜像仓库。"),
    "USER_UNKNOWN": ("There is no such user", "Look at the list of users.", "用户不存在", "请查看用户列表。"),
    "KEY_UNKNOWN": ("There is no such key", "Look at the list of keys.", "密钥不存在", "请查看密钥列表。"),
    "UNAVAILABLE": ("The hub cannot do this just now", "Try again in a moment; tell the operator if it stays.",
                    "服务暂不可用", "请稍后重试；若持续出现请联系运营者。"),
    "INTERNAL": ("Something broke here", "Tell the operator the number of the request.", "服务内部错误",
                 "请把请求编号告知运营者。"),
}  # fmt: skip


def explain(fault: HubError, lang: str) -> Explained:
    """A refusal for its reader."""
    return explain_kind(fault.kind, fault.detail, lang)


def explain_kind(kind: Kind, detail: str, lang: str) -> Explained:
    """As ``explain``, for a kind."""
    en, en_next, zh, zh_next = WORDS[kind.name]
    return Explained(zh, detail, zh_next) if lang == "zh" else Explained(en, detail, en_next)
