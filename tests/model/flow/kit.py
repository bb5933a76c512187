"""Short ways to write templates."""

from typing import Any


def step(name: str, type_: str, next_: str = "", input_: Any = None, output: Any = None, **more: Any) -> dict[str, Any]:
    return {"Name": name, "Type": type_, "Next": next_, "RetryTimes": 0, "Timeout": 0,
            "Input": input_, "Output": output, **more}  # fmt: skip


def param(name: str, type_: str = "STRING", value: Any = None) -> dict[str, Any]:
    return {"Name": name, "Type": type_, "Value": value, "Constrain": None}


def start(next_: str) -> dict[str, Any]:
    return step("start", "StartActivity", next_)


END = step("end", "EndActivity")


def http(name: str, next_: str, output: Any = None, **body: Any) -> dict[str, Any]:
    return step(name, "HttpActivity", next_, {"url": "https://a.test/", "method": "POST", "body": body}, output)


def template(*steps: dict[str, Any], inputs: Any = (), outputs: Any = ()) -> dict[str, Any]:
    return {"Input": list(inputs), "Output": list(outputs), "Activities": [*steps, END]}


def every_type() -> dict[str, Any]:
    """A template that is sound and holds a step of each type."""
    left = {"name": "code", "type": "INT64", "value": "${api.output.RetCode}"}
    return template(
        start("call"),
        step("call", "HttpActivity", "api", {"url": "https://a.test/", "method": "GET", "query": {"A": "1"}},
             [param("N", "INT64", "${n}")], RetryTimes=2, Timeout=3000),
        step("api", "UHttpActivity", "sub", {"url": "https://api.ucloud.cn", "method": "POST",
                                             "body": {"Action": "GetRegion"}}),
        step("sub", "WorkflowActivity", "sure", {"workflow": "other", "input": {"A": "${workflow.input.Who}"}}),
        step("sure", "BoolDecision", "", {"express": {"left": left, "operation": "EQ", "right": 0},
                                          "true": "which", "false": "end"}),
        step("which", "SwitchDecision", "", {"express": left, "cases": [{"value": 0, "next": "split"}],
                                             "default": "wait"}),
        step("split", "SplitDecision", "", {"branches": ["plus", "each"]}),
        step("plus", "PlusDecision", "join", {"init": 0, "step": 2}),
        step("each", "IterateDecision", "join", {"type": "STRING", "Value": ["a", "中"]}),
        step("join", "MergeDecision", "wait", {"Pass": 2}),
        step("wait", "WaitDecision", "end", {"delay": 5}),
        inputs=[param("Who", "STRING", "me")], outputs=[param("Code", "INT64", "${api.output.RetCode}")],
    )  # fmt: skip
