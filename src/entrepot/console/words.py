"""The console's words in Chinese and English; a test holds the two to the same keys."""

WORDS = {
    "en": {
        "language": "Language",
        "lead": "A container image hub. It speaks OCI distribution to Docker and its kin, and UCloud's OpenAPI to "
        "every SDK and script. These are the first steps.",
        "login": "Log in",
        "login_text": "With your e-mail and password, or with a PublicKey and its PrivateKey. They were shown once "
        "when this hub was made.",
        "bucket": "Make a bucket",
        "bucket_text": "A bucket holds images; its name is global. It is private until you share it. The command takes "
        "the keys from ENTREPOT_PUBLIC_KEY and ENTREPOT_PRIVATE_KEY.",
        "push": "Push an image",
        "push_text": "An image's name is <bucket>/<image>.",
        "list": "Look at it through the API",
        "list_text": "The same call that UCloud's SDKs, command line and scripts make.",
        "note": "The full console is not built yet; the command line and the API do everything meanwhile.",
        "missing_title": "This page is not here",
        "missing_text": "Not built yet, or never was:",
        "back": "To the first steps",
    },
    "zh": {
        "language": "语言",
        "lead": "容器镜像仓库服务。Docker 等客户端使用 OCI 分发协议，SDK 与脚本使用 UCloud OpenAPI。以下是最初几步。",
        "login": "登录",
        "login_text": "使用邮箱和密码，或使用公钥（PublicKey）和私钥（PrivateKey）。它们只在初始化时显示一次。",
        "bucket": "创建镜像仓库",
        "bucket_text": "镜像仓库存放镜像，名称全局唯一，默认私有。"
        "命令从环境变量 ENTREPOT_PUBLIC_KEY 和 ENTREPOT_PRIVATE_KEY 读取密钥。",
        "push": "推送镜像",
        "push_text": "镜像名称的格式为 <仓库>/<镜像>。",
        "list": "通过 API 查看",
        "list_text": "与 UCloud 的 SDK、命令行和脚本发出的调用完全相同。",
        "note": "完整的控制台尚未完成；在此之前，命令行和 API 可以完成全部操作。",
        "missing_title": "没有这个页面",
        "missing_text": "尚未建成，或并不存在：",
        "back": "返回最初几步",
    },
}
