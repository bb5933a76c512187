"""The printed page of GetImageBucketList says what UCloud's page says: names, types, required marks, defaults."""

import re

from entrepot.api.declare import ACTIONS, fields
from entrepot.api.docs import page

REQUEST = [
    ("Region", "string", True), ("BucketName", "string", False), ("BucketType", "string", False),
    ("OrderBy", "string", False), ("Limit", "int", False), ("Offset", "int", False),
]  # fmt: skip
PUBLIC = [("Action", "string", True), ("PublicKey", "string", True), ("Signature", "string", True)]
RESPONSE = [
    ("RetCode", "int", True), ("Action", "string", True), ("Message", "string", False), ("TotalCount", "int", False),
    ("ImageSet", "array[[*ImageBucketListSet*](#ImageBucketListSet)]", False),
]  # fmt: skip
MODEL = [
    ("BucketName", "string", False), ("BucketType", "string", False), ("ImageCount", "int", False),
    ("CreateTime", "int", False),
]  # fmt: skip


def tables(text: str) -> list[list[tuple[str, str, bool]]]:
    found: list[list[tuple[str, str, bool]]] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|:--"):
            found.append([])
        elif line.startswith("| **"):
            found[-1].append((cells[0].strip("*"), cells[1], cells[-1] == "**Yes**"))
    return found


def test_the_page_has_the_tables_of_the_seed_page() -> None:
    for lang in ("zh", "en"):
        assert tables(page(ACTIONS["GetImageBucketList"], lang)) == [PUBLIC, REQUEST, RESPONSE, MODEL]


def test_the_page_has_the_sections_of_the_seed_page() -> None:
    headings = re.findall(r"^#+ (.*)$", page(ACTIONS["GetImageBucketList"], "zh"), re.MULTILINE)
    assert headings == [
        "获取可用的镜像仓库列表 - GetImageBucketList", "简介", "使用方法", "定义", "公共参数", "请求参数", "响应字段",
        "数据模型", "ImageBucketListSet", "示例", "请求示例", "响应示例",
    ]  # fmt: skip


def test_defaults_are_those_of_the_seed_page() -> None:
    defaults = {
        one.name: getattr(one.default, "value", one.default) for one in fields(ACTIONS["GetImageBucketList"].request)
    }
    assert defaults == {
        "Region": None,
        "BucketName": None,
        "BucketType": "All",
        "OrderBy": "Default",
        "Limit": 20,
        "Offset": 0,
    }
    text = page(ACTIONS["GetImageBucketList"], "zh")
    for stated in ("默认值：All", "默认为 20", "默认为 0"):
        assert stated in text


def test_every_field_has_words_in_both_languages_and_an_example() -> None:
    for action in ACTIONS.values():
        assert action.title
        assert action.en
        assert action.zh
        for struct in (action.request, action.request.returns):
            for field in fields(struct):
                assert field.en, (action.name, field.name)
                assert field.zh, (action.name, field.name)
                assert (
                    field.example is not None or not isinstance(field.type, type) or field.type.__module__ != "builtins"
                )


def test_every_declaration_can_be_decoded_with_every_field_set() -> None:
    from entrepot.api.declare import decode

    for action in ACTIONS.values():
        params = {}
        for field in fields(action.request):
            value = field.choices[0] if field.choices else str(field.example)
            params[f"{field.name}.0" if field.is_list else field.name] = value
        assert isinstance(decode(action.request, params), action.request), action.name
