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
