"""The API under generated calls: from its own OpenAPI document, and from bytes that are almost requests."""

import copy
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection

from entrepot.api import openapi
from entrepot.client.actions import flatten
from entrepot.model import signing
from tests.conftest import Live, TestHub, entrepot, free_port, serve

DOCUMENT = openapi.document()
NAMES = sorted(DOCUMENT["components"]["schemas"])
ACTIONS = [name.removesuffix("Request") for name in NAMES if name.endswith("Request")]
SECRET = "correct horse battery"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server of its own: the calls are made as the main user, and some of them succeed."""
    data = tmp_path_factory.mktemp("fuzzed") / "data"
    made = json.loads(entrepot("init", "--data", str(data), "--password", SECRET, "--json").stdout)
    port = free_port()
    process = serve(data, port, calls_per_second="0", log_level="debug")
    yield Live(
        f"http://127.0.0.1:{port}", port, data, made["Email"], SECRET, made["PublicKey"], made["PrivateKey"],
        made["ProjectId"], process,
    )  # fmt: skip
    process.terminate()
    assert process.wait(30) == 0
    log = (data.parent / f"serve-{port}.log").read_text("utf-8", "replace")
    assert "event=call" in log
    for word in ("Traceback", "action failed", made["PrivateKey"], SECRET):
        assert word not in log, log[log.index(word) - 2000 :][:4000]


def signed(target: Live, body: Any) -> Any:
    """A generated body with a right key and signature in place of the generated ones."""
    if not isinstance(body, dict):
        return body
    kept = {name: value for name, value in body.items() if name not in {"Signature", "SecurityToken"}}
    kept["PublicKey"] = target.public_key
    received = json.loads(json.dumps(kept), parse_int=signing.Number, parse_float=signing.Number)
    return {**kept, "Signature": signing.sign(received, target.private_key)}


def check(reply: Any) -> None:
    assert reply.status_code == 200
    assert reply.headers["content-type"] == ["application/json; charset=utf-8"]
    assert len(reply.headers["x-ucloud-request-uuid"][0]) == 36
    answer = reply.json()
    assert isinstance(answer["RetCode"], int)
    assert isinstance(answer["Message"], str)
    assert answer["RetCode"] not in {110, 130, 150}, answer


def operation(action: str) -> schemathesis.schemas.APIOperation:
    """The one operation of the document, with one action in it."""
    narrow = copy.deepcopy(DOCUMENT)
    for content in narrow["paths"]["/"]["post"]["requestBody"]["content"].values():
        content["schema"] = {"$ref": f"#/components/schemas/{action}Request"}
    return schemathesis.openapi.from_dict(narrow)["/"]["POST"]


@pytest.mark.parametrize("action", ACTIONS)
def test_calls_made_from_the_openapi_document(target: Live, action: str) -> None:
    """Every answer is one that the document describes; nothing breaks the hub."""
    described = operation(action)
    answered: set[int] = set()

    def call(case: schemathesis.Case) -> None:
        case.media_type = "application/json"
        case.body = signed(target, case.body)
        reply = case.call(base_url=target.url)
        check(reply)
        # Refusals of this API are HTTP 200 with a RetCode.
        case.validate_response(reply, excluded_checks=[negative_data_rejection])
        answered.add(reply.json()["RetCode"])

    for mode, examples in ((GenerationMode.POSITIVE, 15), (GenerationMode.NEGATIVE, 10)):
        strategy = described.as_strategy(generation_mode=mode)
        settings(max_examples=examples, suppress_health_check=list(HealthCheck))(given(case=strategy)(call))()
        if mode is GenerationMode.POSITIVE:
            assert not answered & {160, 161, 170, 171, 172, 174}, "the call itself was not understood"


texts = st.one_of(
    st.sampled_from(
        ["", "cn-bj2", "fuzzed", "-1", "0", "1", "999999999999", "1e9", "true", "None", "ucs:iam::1:role/x"]
    ),
    st.text(max_size=40),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)),
    max_leaves=6,
)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, bytes, str]:
    """(query, body, content type) of a call that knows the names of an action's parameters and little else."""
    action = draw(st.sampled_from(ACTIONS))
    known = list(DOCUMENT["components"]["schemas"][f"{action}Request"]["properties"])
    indexed = [f"{name}.{place}" for name in known for place in (0, 10, 999999, 10**7)]
    names = st.one_of(st.sampled_from(known), st.sampled_from(indexed), texts)
    params = draw(st.dictionaries(names, values, max_size=6)) | {"Action": action, "PublicKey": "KEY"}
    kind = draw(st.sampled_from(["form", "query", "json", "both", "broken"]))
    if kind == "json":
        return "", json.dumps(params).encode("utf-8", "surrogatepass"), "application/json"
    text = urlencode(flatten({name: str(value) for name, value in params.items()}), errors="surrogatepass")
    if kind == "query":
        return text, b"", ""
    if kind == "both":
        return f"Action={action}", text.encode(), "application/x-www-form-urlencoded"
    if kind == "form":
        return "", text.encode(), "text/plain; charset=gbk"
    return quote(draw(st.text(max_size=20)), safe="&=%"), draw(st.binary(max_size=80)), "multipart/form-data"


@given(made=requests(), key=st.booleans())
@settings(max_examples=400)
def test_encodings_of_parameters(hub: TestHub, made: tuple[str, bytes, str], key: bool) -> None:
    """Whatever arrives is answered in the API's own form."""
    query, body, kind = made
    if key:  # unsigned keys stay "KEY", so nothing but reading and refusing happens
        body = body.replace(b"KEY", hub.public_key.encode())
    reply = hub.request("POST", f"/?{query}", headers={"content-type": kind}, body=body)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json; charset=utf-8")
    assert isinstance(reply.json["RetCode"], int)
    assert reply.json["RetCode"] not in {0, 130}
    assert isinstance(reply.json["Action"], str)


@given(params=st.dictionaries(texts, values, max_size=6), action=st.sampled_from(ACTIONS))
@settings(max_examples=300)
def test_signed_json_of_any_shape(hub: TestHub, params: dict[str, Any], action: str) -> None:
    """A right signature over nested values is recognised, whatever the values are; the action then takes or refuses."""
    whole = {**params, "Action": action, "PublicKey": hub.public_key}
    try:
        text = json.dumps(whole, allow_nan=False)
        text.encode()
        received = json.loads(text, parse_int=signing.Number, parse_float=signing.Number)
        canonical = signing.canonical(received).encode()
    except (ValueError, UnicodeEncodeError):
        return  # no JSON, or half a character: refused before signatures are looked at
    if len(received) != len(whole) or "\\ud" in text:
        return
    signature = hashlib.sha1(canonical + hub.private_key.encode()).hexdigest()
    whole.pop("Signature", None)
    body = json.dumps({**whole, "Signature": signature}).encode()
    reply = hub.request("POST", "/", headers={"content-type": "application/json"}, body=body)
    assert reply.status == 200
    assert reply.json["RetCode"] not in {130, 171, 172}


def test_the_document_is_the_one_that_is_printed() -> None:
    printed = (Path(__file__).parents[2] / "docs" / "openapi.json").read_text("utf-8")
    assert json.loads(printed) == DOCUMENT
    assert DOCUMENT["openapi"] == "3.1.0"
