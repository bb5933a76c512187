"""What is wrong with a template, said in Chinese: one line for each kind of fault that the model's check tells.

The model speaks English only; what a fault quotes (names, numbers) is carried over.
"""

import re

_WORDS: tuple[tuple[str, str], ...] = (
    (r"two activities have this name", "两个步骤同名，请改名"),
    (r"exactly one (\w+) is needed, and its Name is (.+)", "需要且只能有一个 {0}，其 Name 为 {1}"),
    (r"1 to 64 letters, digits, - and _; .+", "名称为 1 到 64 个字母、数字、-、_，不能是 workflow 或 global"),
    (r"(.+) is no type; known are (.+)", "{0} 不是有效类型，可用类型：{1}"),
    (r"there is no step (.+); name the step that follows", "没有步骤 {0}，请填写后续步骤的名称"),
    (r"nothing leads back to start; .+", "不能回到 start，请填写其他步骤"),
    (r"(.+) declares no outputs", "{0} 不能声明输出"),
    (r"two fields differ only in upper and lower case", "两个字段仅大小写不同"),
    (r"(.+) needs this field", "{0} 需要该字段"),
    (r"(.+) has no such field; it has: (.+)", "{0} 没有该字段，可用字段：{1}"),
    (r"a URL that begins with .+", "应为以 http:// 或 https:// 开头的 URL"),
    (r"one of (.+) is expected", "应为以下之一：{0}"),
    (r"an object is expected", "应为对象"),
    (r"an object or null is expected", "应为对象或 null"),
    (r"a step waits for its answer here; .+", "此处步骤会等待响应；请去掉该字段，或用 SplitDecision 建立分支"),
    (r"the name of an API action is expected", "应为 API 接口名称"),
    (r"the name of a workflow in this namespace is expected", "应为本命名空间中的工作流名称"),
    (r"a whole number from (\S+) to (\S+) is expected", "应为 {0} 到 {1} 的整数"),
    (r"an object with name, type and value is expected", "应为包含 name、type、value 的对象"),
    (r"EQ, LT or GT is expected", "应为 EQ、LT 或 GT"),
    (r"a value to compare with is expected", "缺少用于比较的值"),
    (r"a list of objects with value and next is expected", "应为包含 value 和 next 的对象列表"),
    (r"a list of 1 to (\d+) steps is expected", "应为 1 到 {0} 个步骤的列表"),
    (r"an array, or an expression that gives one, is expected", "应为数组，或结果为数组的表达式"),
    (r"an array is expected, not (.+)", "应为数组，不是 {0}"),
    (r"(.+) is no (INT64|FLOAT64|STRING|BOOL|OBJECT|ARRAY)", "{0} 不是 {1}"),
    (r"(.+): the workflow has no input (.+); declare it in Input", "{0}：工作流没有输入 {1}，请在 Input 中声明"),
    (r"(.+): there is no step (.+)", "{0}：没有步骤 {1}"),
    (r"(.+): only Output may look into the step's own answer", "{0}：只有 Output 可以引用步骤自身的响应"),
    (r"(.+): name what of (.+) is meant", "{0}：请写明 {1} 的哪个字段"),
    (r"(.+): the step (.+) declares no output (.+); declare it in its Output",
     "{0}：步骤 {1} 没有声明输出 {2}，请在其 Output 中声明"),
    (r"(.+): write (\$\{.+\})", "{0}：请写为 {1}"),
    (r"no step leads here; .+", "没有步骤通向此处，请连接或删除"),
    (r"from here no way leads to end; .+", "从此处无法到达 end，请接通"),
    (r"a template holds at most (\d+) bytes", "模板最多 {0} 字节"),
    (r"this is no JSON: (.+)", "不是有效的 JSON：{0}"),
    (r"a JSON object with Input, Output and Activities is expected", "应为包含 Input、Output、Activities 的 JSON 对象"),
    (r"at most (\d+) levels of nesting are accepted", "最多嵌套 {0} 层"),
    (r"at most (\d+) activities", "最多 {0} 个步骤"),
    (r"a list of activities is expected", "应为步骤列表"),
    (r"this is another spelling of Activities.+", "这是 Activities 的另一种拼写：请只写一个，或两者内容相同"),
    (r"an object with Name and Type is expected", "应为包含 Name 和 Type 的对象"),
    (r"a list of at most (\d+) objects with Name and Type is expected", "应为最多 {0} 个包含 Name 和 Type 的对象列表"),
    (r"(.+) is there twice", "{0} 重复出现"),
    (r"this field is not known; known are (.+)", "未知字段，可用字段：{0}"),
    (r"a text is expected", "应为文本"),
    (r"an expression has at most (\d+) characters", "表达式最多 {0} 个字符"),
    (r"after the call stands (.+); one @func\(\.\.\.\) alone is expected",
     "函数调用之后多出 {0}，应只有一个 @func(...)"),
    (r"a reference looks like (\$\{.+\}): .+", "引用的写法为 {0}：以点分隔的名称"),
    (r"calls are nested deeper than (\d+)", "函数嵌套超过 {0} 层"),
    (r"a comma or \) is missing in @func\(\.\.\.\)", "@func(...) 中缺少逗号或 )"),
    (r"there is no function (.+); known are (.+)", "没有函数 {0}，可用函数：{1}"),
    (r"(\S+) takes (\d+)(?: to (\d+))? arguments, not (\d+)", "{0} 的参数个数不对，现有 {3} 个"),
    (r"(.+) is no text", "{0} 不是文本"),
    (r'an argument is "text", .+, not (.+)', "参数应为 \"文本\"、数字、true、false、null、引用或函数调用，不是 {0}"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern, re.DOTALL), zh) for pattern, zh in _WORDS)


def in_words(message: str, lang: str) -> str:
    """A fault's text for its reader; a kind that is not known here stays as it is."""
    if lang != "zh":
        return message
    for pattern, zh in _PATTERNS:
        if match := pattern.fullmatch(message):
            return zh.format(*(part or "" for part in match.groups()))
    return message
