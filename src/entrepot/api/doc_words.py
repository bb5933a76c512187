"""The fixed words of the API pages in both languages."""

from typing import NamedTuple


class Words(NamedTuple):
    """Headings and sentences of one language."""

    intro: str
    usage: str
    usage_text: str
    definition: str
    public: str
    request: str
    response: str
    models: str
    example: str
    example_request: str
    example_response: str
    params: str
    fields: str
    none: str
    action: str
    public_key: str
    signature: str
    ret_code: str
    action_name: str
    message: str
    needs: str
    any_login: str
    contents: str
    index_head: str
    samples: str


WORDS = {
    "zh": Words(
        intro="简介",
        usage="使用方法",
        usage_text="以下方式都可以发起请求：\n\n"
        "- 不加修改的 UCloud SDK（Python、Go、Java、JavaScript、PHP），只需把 base_url 指向本系统\n"
        "- 命令行：`entrepot api {name}`\n"
        "- 任何 HTTP 客户端：GET 或 POST，参数放在查询串、表单或 JSON 中",
        definition="定义",
        public="公共参数",
        request="请求参数",
        response="响应字段",
        models="数据模型",
        example="示例",
        example_request="请求示例",
        example_response="响应示例",
        params="| 参数名 | 类型 | 描述信息 | 必填 |",
        fields="| 字段名 | 类型 | 描述信息 | 必填 |",
        none="无。",
        action="接口名称，此处为 `{name}`",
        public_key="公钥，由 `entrepot key create` 生成",
        signature="签名：除 Signature 外的参数按名称排序，名称与值依次相连，末尾加上私钥，取 SHA-1 的十六进制小写值",
        ret_code="返回码，0 表示成功，其他值表示失败",
        action_name="接口名称加 Response",
        message="失败原因；成功时为空",
        needs="子用户需要 `{right}` 权限。",
        any_login="任何有效的密钥都可以调用。",
        contents="管理 API",
        index_head="| 接口 | 说明 |",
        samples="curl、Python、Go、Java、JavaScript、PHP 和命令行的示例代码见 [{name}](../samples/{name}.md)。",
    ),
    "en": Words(
        intro="Introduction",
        usage="How to call",
        usage_text="Each of these makes the call:\n\n"
        "- an unchanged UCloud SDK (Python, Go, Java, JavaScript, PHP) whose base_url is this hub\n"
        "- the command line: `entrepot api {name}`\n"
        "- any HTTP client: GET or POST, parameters in the query, a form or JSON",
        definition="Definition",
        public="Common parameters",
        request="Request parameters",
        response="Response fields",
        models="Data models",
        example="Example",
        example_request="Request",
        example_response="Response",
        params="| Parameter | Type | Description | Required |",
        fields="| Field | Type | Description | Required |",
        none="None.",
        action="Name of the action, here `{name}`",
        public_key="Public key, made by `entrepot key create`",
        signature="Lower-case hex SHA-1 of all other parameters sorted by name, names and values run together, "
        "and the private key behind",
        ret_code="0 for success, anything else for failure",
        action_name="Name of the action and `Response`",
        message="What went wrong; empty on success",
        needs="A sub-user needs the right `{right}`.",
        any_login="Any valid key may call it.",
        contents="Management API",
        index_head="| Action | What for |",
        samples="The call in curl, Python, Go, Java, JavaScript, PHP and on the command line: "
        "[{name}](../samples/{name}.md).",
    ),
}
