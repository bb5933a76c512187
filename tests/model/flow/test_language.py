"""Templates: what is read is what is written; every fault is told; expressions."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.model.flow import expr, kinds, template
from entrepot.model.flow.check import check
from entrepot.model.flow.expr import Env
from entrepot.model.flow.template import TemplateError
from entrepot.model.flow.types import TYPES
from tests.model.flow.kit import http, param, start, step
from tests.model.flow.kit import template as made

names = st.from_regex(r"[a-z][a-z0-9_-]{0,8}", fullmatch=True)
texts = st.text(max_size=20)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
params = st.lists(
    st.fixed_dictionaries(
        {"Name": names, "Type": st.sampled_from(sorted(TYPES)), "Value": json_values, "Constrain": json_values}
    ),
    max_size=3,
    unique_by=lambda one: one["Name"],
)
activities = st.fixed_dictionaries(
    {
        "Name": names,
        "Type": st.sampled_from(sorted(kinds.KINDS)),
        "Next": names | st.just(""),
        "RetryTimes": st.integers(0, 20),
        "Timeout": st.integers(0, 86_400_000),
        "Input": st.none() | st.dictionaries(texts, json_values, max_size=4),
        "Output": st.none() | params,
    }
)
templates = st.fixed_dictionaries({"Input": params, "Output": params, "Activities": st.lists(activities, max_size=6)})


@given(templates)
def test_what_is_read_is_what_is_written(value: dict[str, Any]) -> None:
    read = template.parse(json.dumps(value))
    assert template.write(read) == value
    assert template.read(template.write(read)) == read


@given(templates)
def test_both_spellings_mean_the_same(value: dict[str, Any]) -> None:
    other = {("Activites" if key == "Activities" else key): one for key, one in value.items()}
    assert template.read(other) == template.read(value) == template.read({**value, **other})


@given(templates)
def test_the_check_answers_whatever_it_is_given(value: dict[str, Any]) -> None:
    assert all(fault.message and fault.field for fault in check(template.read(value)))


@given(json_values)
def test_what_is_no_template_is_refused_with_reasons(value: Any) -> None:
    with pytest.raises(TemplateError) as refused:
        template.read(value)
    assert refused.value.faults


@pytest.mark.parametrize("text", ["{", "[" * 100_000, json.dumps({"Activities": [0] * 1000}), " " * 300_000, "null"])
def test_bounds(text: str) -> None:
    with pytest.raises(TemplateError):
        template.parse(text)


def test_every_fault_is_told_at_once() -> None:
    bad = made(
        start("ask"),
        http("ask", "nowhere", [param("Code", "INT", "${RetCode}")]),
    )
    with pytest.raises(TemplateError) as shape:
        template.read(bad)
    assert [(one.activity, one.field) for one in shape.value.faults] == [("ask", "Output.0.Type")]
    wrong = made(
        start("ask"),
        http("ask", "nowhere", [param("Code", "INT64", "${RetCode}")], a="${ask2.output.X}", b='@func("no#such")'),
        step("if", "BoolDecision", "", {"express": {"left": {"value": "${ask.output.Other}"}, "operation": "NE"}}),
        step("wait", "WaitDecision", "end", {"delay": 4, "unit": "s"}),
        step("odd", "Odd", "end"),
        outputs=[param("X", "INT64", "${workflow.input.None}")],
    )
    found = {(one.activity, one.field) for one in check(template.read(wrong))}
    assert found == {
        ("ask", "Next"), ("ask", "Input.body.a"), ("ask", "Input.body.b"),
        ("if", "Input.true"), ("if", "Input.false"), ("if", "Input.express.left.value"),
        ("if", "Input.express.operation"), ("if", "Input.express.right"),
        ("wait", "Input.delay"), ("wait", "Input.unit"), ("odd", "Type"), ("", "Output.0.Value"),
    }  # fmt: skip


@pytest.mark.parametrize(("value", "faults"), [(True, 1), ("true", 1), (False, 0), (None, 0)])
def test_a_step_that_would_not_wait_is_refused(value: Any, faults: int) -> None:
    ask = step("ask", "HttpActivity", "end", {"url": "http://a.test", "method": "GET", "isAsync": value})
    assert len(check(template.read(made(start("ask"), ask)))) == faults


def test_steps_that_lead_nowhere() -> None:
    lost = made(start("end"), http("lost", "lost"))
    assert {one.activity for one in check(template.read(lost))} == {"lost"}


NOW = 1_700_000_000.5
VALUES = {"a": {"b": [1, {"c": "x"}]}, "n": 3, "t": " hi ", "none": None, "list": ["p"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"), ("${a.b.1.c}", "x"), ("${a.b.9.c}", None), ("${n}", 3), ("<${n}|${none}>", "<3|>"),
        ('@func("strings#concat", "a", "${t}", "b")', "a hi b"), ('@func("strings#trim", ${t})', "hi"),
        ('@func("strings#trimLeft", "xxa", "x")', "a"), ('@func("strings#trimRight", "axx", "x")', "a"),
        ('@func("strings#replace", "aba", "a", "c")', "cbc"),
        ('@func("convert#int64ToString", 12)', "12"), ('@func("convert#float64ToString", 1.005, 1)', "1.0"),
        ('@func("convert#stringToInt64", "-7")', -7), ('@func("convert#stringToFloat64", "2.5")', 2.5),
        ('@func("convert#isNull", ${none})', 1), ('@func("convert#isEqual", 1, 1)', 1),
        ('@func("convert#isEqual", 1, "1")', 0), ('@func("convert#int64ToFloat64", 1)', 1.0),
        ('@func("convert#float64ToInt64", 1.9)', 1), ('@func("time#unixNow")', 1_700_000_000),
        ('@func("time#now", "Asia/Shanghai", "2006-01-02 15:04:05")', "2023-11-15 06:13:20"),
        ('@func("encoding#toBase64", "hé")', "aMOp"), ('@func("encoding#fromBase64", "aMOp")', "hé"),
        ('@func("array#append", "STRING", ${list}, "q")', ["p", "q"]), ('@func("array#len", ${list})', 1),
        ('@func("number#neg", 2)', -2), ('@func("number#plus", 2, @func("number#mal", 3, ${n}))', 11),
        ('@func("number#div", -7, 2)', -3), ('@func("number#div", 7.0, 2)', 3.5),
    ],
)  # fmt: skip
def test_expressions(text: str, value: Any) -> None:
    found = expr.evaluate({"x": [text]}, Env(lambda ref: expr.walk(VALUES, ref.path), NOW))["x"][0]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    "text",
    [
        "${", "${}", "${a..b}", "${a b}", "@func(", "@func()", '@func("no#such")', '@func("strings#trim")',
        '@func("array#len", 1) rest', '@func("array#len" 1)', '@func("number#div", 1, 0)',
        '@func("number#plus", "1", 1)',
        '@func("number#mal", 9223372036854775807, 2)', '@func("number#mal", 1e308, 10.0)', '@func("strings#trim", 1)',
        '@func("time#now", "No/Where", "2006")', '@func("encoding#fromBase64", "%")',
        '@func("array#append", "INT64", ${list}, "q")', '@func("array#append", "ARRAY", ${list}, ${list})',
        '@func("number#neg", ' * 20 + "1" + ")" * 20, '@func("convert#stringToInt64", "1_0")',
        '@func("strings#replace", "' + "a" * 8000 + '", "", "' + "b" * 8000 + '")',
    ],
)  # fmt: skip
def test_expressions_that_fail(text: str) -> None:
    with pytest.raises(expr.ExprError):
        expr.evaluate(text, Env(lambda ref: expr.walk(VALUES, ref.path), NOW))


@given(st.text(alphabet='@func("strings#trim${ab.c}),1 \\', max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = expr.evaluate(text, Env(lambda ref: None, NOW))
    except expr.ExprError:
        return
    assert value is None or isinstance(value, str | int | float | bool | list | dict)
