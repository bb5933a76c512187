"""The signature, against every documented and captured vector."""

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.model.signing import STYLES, Number, canonical, sign, verify

PUBLIC = "ucloudsomeone@example.com1296235120854146120"
PRIVATE = "46f09bb9fab4f12dfc160dae12273d5332b5debe"
HOST = {
    "Action": "CreateUHostInstance", "CPU": "2", "ChargeType": "Month", "DiskSpace": "10",
    "ImageId": "f43736e1-65a5-4bea-ad2e-8a46e18883c2", "LoginMode": "Password", "Memory": "2048", "Name": "Host01",
    "Password": "VUNsb3VkLmNu", "Quantity": "1", "Region": "cn-bj2", "Zone": "cn-bj2-04",
}  # fmt: skip
DELETE = {"Action": "DeleteImage", "Region": "cn-bj2", "BucketName": "helloworld", "ImageName": "image1"}
BASIC = {"Action": "DescribeUHostInstance", "Region": "cn-bj2"}
LIST = {"Action": "GetImageBucketList", "Region": "cn-bj2"}
REPO = {"Action": "CreateRepo", "RepoName": "demo"}


def numbered(name: str, values: list[str]) -> dict[str, str]:
    return {f"{name}.{place}": value for place, value in enumerate(values)}


VECTORS: list[tuple[dict[str, Any], str]] = [
    ({**BASIC, "Limit": "10"}, "cba5cf5ec4d4233d206b1b54951e3787350a642f"),
    (HOST, "4f9ef5df2abab2c6fccd1e9515cb7e2df8c6bb65"),
    ({**HOST, "SecurityToken": "some_stoken"}, "170c480ad176a247b324eb92a2cfe536aacfbd04"),
    (
        {"Action": "AllocateBackendBatch", **numbered("Backends", ["foo", "bar", "42"] * 4)},
        "6bc32642779f8cb0bb3d3f128b1c0688abf9a1a3",
    ),
    ({**BASIC, "Proportion": Number("35.0")}, "da620b97de476947302291fc93a2d8b0710be328"),
    ({**BASIC, "Proportion": Number("65.722")}, "5e39dd48144d6a075328e56a6c5e9df6c39ae939"),
    (LIST, "e830da26390b53f8dc23697c702977035c1c8d82"),
    ({**LIST, "Limit": "20", "Offset": "0", "BucketType": "User"}, "0e60b3d06c2e606ebf1a1c19fa3ba7fe0823dda2"),
    ({**LIST, "BucketName": ""}, "ca7fdec5746e8cbc130368e0ac2e6d51acfd1eae"),
    ({**DELETE, "Tag.0": "v1", "Tag.1": "v2"}, "82e3259e12f84cb393b0f9169810cb1d649e7739"),
    ({**DELETE, "Tag": ["v1", "v2"]}, "108b3b7d424549db83ebad8abb6bae50d392a328"),
    ({**DELETE, **numbered("Tag", [f"v{n}" for n in range(11)])}, "a87ae933d7ba20213cd115b53e44ddac42165fe8"),
    ({**REPO, "IsShared": "true", "Description": "测试 镜像+仓库"}, "ac1fcf0563d0e312ebb4330c0ffad3100c37ab37"),
    ({**REPO, "IsShared": True}, "9fa50af6552987a5957a278d87526dbc7940becc"),
    ({**REPO, "Action": "UpdateRepo", "IsShared": "True"}, "abbbab72d2cdf8ae405ee837e8ca3e25c6d08584"),
    (
        {"Action": "GetRepo", "Type": "private", "Limit": "20", "Offset": "0"},
        "ba2a824c4c9c5366de0c81c96bc089180b52334a",
    ),
    ({"Action": "GetProjectList"}, "af7ef441ef4cfd960313696b654a0514c8c9fec4"),
    ({"Action": "GetRegion"}, "f1b19c456b24b3ef433b90dc3b20debfd0de879b"),
    ({"Action": "X", "Ratio": Number("0.5")}, "252a5859bbfb18e401d4b88aae009d91b46f6e74"),
]


@pytest.mark.parametrize(("params", "signature"), VECTORS)
def test_documented_vectors(params: dict[str, Any], signature: str) -> None:
    signed = {**params, "PublicKey": PUBLIC}
    assert sign(signed, PRIVATE) == signature
    assert verify({**signed, "Signature": signature}, signature, PRIVATE)
    assert not verify(signed, signature[:-1] + ("0" if signature[-1] != "0" else "1"), PRIVATE)


@pytest.mark.parametrize(
    ("params", "private_key", "signature"),
    [
        ({"foo": "bar"}, "my_private_key", "634edc1bb957c0d65e5ab5494cf3b7784fbc87af"),
        ({"foo": "bar", "PublicKey": "my_public_key"}, "my_private_key", "d4411ab30953fb0bbcb1e7313081f05e4e91a394"),
        (
            {
                "Action": "foo",
                "Name": "foo",
                "ProjectId": "bar",
                "Region": "cn-bj2",
                "Zone": "cn-bj2-02",
                "SecurityToken": "42",
                "PublicKey": "foo",
            },
            "bar",
            "170de002e3ca3acdc3a790badc4d14b09d183e4b",
        ),
        ({"Name": "foo", "SecurityToken": "42", "PublicKey": "foo"}, "bar", "012679c87951918e8e04de783a4a8ff981a61d5f"),
        ({"SecurityToken": "42", "PublicKey": "foo"}, "bar", "9d6d7cb14e8aeda887369ff22371788ae06c5ea4"),
    ],
)
def test_vectors_of_other_keys(params: dict[str, Any], private_key: str, signature: str) -> None:
    assert sign(params, private_key) == signature


@pytest.mark.parametrize(
    ("params", "signature"),
    [
        ({**REPO, "IsShared": True}, "22637755692594d1172d744d84ebeb4f92674890"),
        ({**REPO, "IsShared": False}, "5e38e42fa1094e372cff6377e4d2b184d22b635a"),
        ({"Action": "X", "Ratio": Number("0.5")}, "ef6cf66bd575f25f6ec81b032d9fbebc53d2c9b6"),
    ],
)
def test_renderings_of_php_and_java_are_accepted(params: dict[str, Any], signature: str) -> None:
    signed = {**params, "PublicKey": PUBLIC}
    assert sign(signed, PRIVATE) != signature
    assert verify(signed, signature, PRIVATE)


def test_captured_form_of_the_python_sdk() -> None:
    body = (
        "Region=cn-bj2&ProjectId=org-1&BucketName=&Limit=20&Tag.0=%E6%B5%8B+a&Tag.1=b%2Bc"
        "&Action=GetImageBucketList&PublicKey=pk%2B%2F%3D%3D"
    )
    assert sign(dict(parse_qsl(body, keep_blank_values=True)), "sk") == "97bdb792285d369e40bb671dcac9a8bba0fd51fe"


def test_captured_json_of_the_javascript_sdk() -> None:
    body = (
        '{"Action":"DeleteImage","Tag.0":"a","Tag.1":"b","B":true,"F":0.5,"I":42,"E":"","Nest.X.0.0":1,"Nest.X.0.1":2,'
        '"Region":"cn-bj2","ProjectId":"org-1","PublicKey":"pk+/=="}'
    )
    params = json.loads(body, parse_int=Number, parse_float=Number)
    assert sign(params, "sk") == "3345eff396af8f7d69ddeb9942bc9ee901b07100"


def test_nested_values_run_together_in_order_of_their_names() -> None:
    nested = {"map": {"b": "2", "a": ["x", {"z": "1"}]}, "arr": ["foo", "bar"], "null": None}
    assert canonical(nested) == "arrfoobarmapaxz1b2null"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("42", "42"),
        ("42.0", "42"),
        ("1E-7", "0.0000001"),
        ("1e3", "1000"),
        ("-0.50", "-0.5"),
        ("0.0", "0"),
        ("1e999999999", "1e999999999"),
        ("9" * 5000, "9" * 5000),
    ],
)
def test_plain_numbers(text: str, plain: str) -> None:
    assert Number(text).plain == plain


@given(
    st.dictionaries(
        st.text(min_size=1, max_size=8),
        st.one_of(
            st.text(max_size=8),
            st.booleans(),
            st.none(),
            st.floats(allow_nan=False, allow_infinity=False).map(lambda value: Number(repr(value))),
        ),
        max_size=8,
    ),
    st.sampled_from(range(len(STYLES))),
)
def test_whatever_style_a_client_signs_in_is_accepted_and_no_other_key(params: dict[str, Any], style: int) -> None:
    signature = sign(params, "secret", STYLES[style])
    assert verify(params, signature, "secret")
    assert not verify(params, signature, "other")
