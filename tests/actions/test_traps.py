"""The traps 1 to 29 of section 8 of the wire facts: signatures and parsing, HTTP. The others: test_traps_account.

One test for each, in process, by what the wire carries. Signatures are computed here, with nothing of the hub.
"""

import hashlib
import hmac
import http.client
import json
import random
import re
import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import example, given
from hypothesis import strategies as st

from entrepot.ops import people
from entrepot.ops.seed import seed
from entrepot.store.sql import people as people_sql
from tests.conftest import Live, Loop, Reply, TestHub
from tests.registry.kit import push_image

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
OCTETS = {"content-type": "application/octet-stream"}
PUBLIC = "ucloudsomeone@example.com1296235120854146120"
PRIVATE = "46f09bb9fab4f12dfc160dae12273d5332b5debe"
"""The documented key pair; ``documented`` makes it one of the hub's."""
LIST = {"Action": "GetImageBucketList", "Region": "cn-bj2"}
DELETE = {"Action": "DeleteImage", "Region": "cn-bj2", "BucketName": "helloworld", "ImageName": "image1"}


def sha1_of(signed: dict[str, str], private_key: str) -> str:
    """Names in byte order, each followed by its text, the private key behind."""
    text = "".join(name + signed[name] for name in sorted(signed, key=str.encode))
    return hashlib.sha1((text + private_key).encode()).hexdigest()


def stamped(hub: TestHub, signed: dict[str, str], keys: tuple[str, str] | None = None) -> dict[str, str]:
    """Parameters with key and signature."""
    public, private = keys or (hub.public_key, hub.private_key)
    whole = {**signed, "PublicKey": public}
    return {**whole, "Signature": sha1_of(whole, private)}


def form(hub: TestHub, wire: dict[str, str], path: str = "/", **headers: str) -> Reply:
    """These pairs as they are in a POST form."""
    return hub.request("POST", path, headers={**FORM, **headers}, body=urlencode(wire).encode())


def get(hub: TestHub, wire: dict[str, str], path: str = "/", **headers: str) -> Reply:
    return hub.request("GET", f"{path}?{urlencode(wire, quote_via=quote)}", headers=headers)


def js(hub: TestHub, sent: str, signed: dict[str, str], keys: tuple[str, str] | None = None) -> dict[str, Any]:
    """A JSON body whose text is ``sent``, with a signature over other text where the client does that."""
    known = stamped(hub, signed, keys)
    body = f'{{{sent},"PublicKey":"{known["PublicKey"]}","Signature":"{known["Signature"]}"}}'
    return answer(hub.request("POST", "/", headers=JSON, body=body.encode()))


def answer(reply: Reply) -> dict[str, Any]:
    assert reply.status == 200
    found: dict[str, Any] = reply.json
    return found


def call(hub: TestHub, action: str, keys: tuple[str, str] | None = None, **params: str) -> dict[str, Any]:
    """A well signed form."""
    return answer(form(hub, stamped(hub, {"Action": action, **params}, keys)))


def add_key(hub: TestHub, public: str, private: str) -> tuple[str, str]:
    sealed = hub.hub.vault.seal(private, public)
    hub.run(hub.hub.db.write(people_sql.add_key, public, sealed, 1, 0))
    return public, private


def documented(hub: TestHub, signature: str, **params: str) -> int:
    """The RetCode of a form that carries a signature printed in the documentation."""
    return int(answer(form(hub, {**params, "PublicKey": PUBLIC, "Signature": signature}))["RetCode"])


def person(hub: TestHub, email: str, *rights: str, other: bool = False) -> tuple[str, str]:
    """The keys of a sub-user, or of the main user of another account."""
    made = hub.run(people.add_user(hub.hub, email, password="battery staple", rights=frozenset(rights),
                                   account_of=None if other else hub.email))  # fmt: skip
    return made.public_key, made.private_key


def every_kind(hub: TestHub) -> list[tuple[int, Reply]]:
    """Wanted RetCode and reply of every sort of answer: given, refused, unreadable, broken. The hub ends broken."""
    good = stamped(hub, LIST)
    found = [
        (0, form(hub, good)),
        (0, get(hub, good, "/api")),
        (0, form(hub, stamped(hub, {"Action": "CreateRepo", "RepoName": "depot"}))),
        (160, hub.request("POST", "/")),
        (161, form(hub, {"Action": "测试"})),
        (170, form(hub, LIST)),
        (171, form(hub, {**good, "Region": "hk"})),
        (172, form(hub, {**good, "PublicKey": "nobody"})),
        (174, form(hub, {**good, "SecurityToken": "gone"})),
        (292, form(hub, stamped(hub, {**LIST, "ProjectId": "org-无"}))),
        (220, form(hub, stamped(hub, {"Action": "GetImageBucketList"}))),
        (230, form(hub, stamped(hub, {**LIST, "Limit": "many"}))),
        (230, hub.request("POST", "/api/", headers=JSON, body=b'{"Action":')),
        (230, hub.request("POST", "/", headers=FORM, body=b"Action=%ff")),
        (240, hub.request("POST", "/", body=[b"a" * 600_000] * 3)),
        (1001, hub.request("PUT", "/", body=b"x")),
        (1031, form(hub, stamped(hub, {"Action": "CreateRepo", "RepoName": "depot"}))),
        (43023, form(hub, stamped(hub, {"Action": "GetDockerImageList", "Region": "hk", "BucketName": "仓库"}))),
        (299, form(hub, stamped(hub, {"Action": "ListUsers"}, person(hub, "sub@example.com", "pull")))),
    ]
    hub.run(hub.hub.db.write(lambda rows: rows.run("ALTER TABLE project RENAME TO gone")))
    found.append((150, form(hub, stamped(hub, {"Action": "GetProjectList"}))))
    hub.hub.vault = None  # type: ignore[assignment]
    return [*found, (130, form(hub, good))]


# --- signature and parsing


def test_trap_01_blank_form_values_are_signed(hub: TestHub) -> None:
    """A name without text is a parameter like any other: it counts in the signature and means "not given"."""
    add_key(hub, PUBLIC, PRIVATE)
    assert documented(hub, "ca7fdec5746e8cbc130368e0ac2e6d51acfd1eae", **LIST, BucketName="") == 0
    assert documented(hub, "ca7fdec5746e8cbc130368e0ac2e6d51acfd1eae", **LIST) == 171
    assert documented(hub, "e830da26390b53f8dc23697c702977035c1c8d82", **LIST, BucketName="") == 171
    bare = urlencode(stamped(hub, {**LIST, "BucketName": ""})).replace("BucketName=", "BucketName")
    assert answer(hub.request("POST", "/", headers=FORM, body=bare.encode()))["RetCode"] == 0


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20), st.sampled_from([form, get]))
@example("True", form)
@example("1e-07", form)
@example("042", get)
@example("  padded ", form)
@example("42.0", form)
@example("a+b%20c&d=e", get)
def test_trap_02_text_is_hashed_as_it_came(hub: TestHub, text: str, send: Any) -> None:
    """Whatever a value looks like, its own characters are signed; another spelling of the same does not fit."""
    wire = stamped(hub, {**LIST, "Note": text})
    assert answer(send(hub, wire))["RetCode"] == 0
    for other in {text.lower(), text.strip(), text.lstrip("0"), text.removesuffix(".0"), text + "\n"} - {text}:
        assert answer(send(hub, {**wire, "Note": other}))["RetCode"] == 171


@given(st.lists(st.integers(0, 120), min_size=1, max_size=40, unique=True), st.randoms(use_true_random=False))
@example([2, 10, 1, 100, 20], random.Random(1))
def test_trap_03_indices_sort_as_text_and_read_as_numbers(hub: TestHub, places: list[int], order: Any) -> None:
    """N.10 stands before N.2 where names are signed, and behind it in the list that they make."""
    if not call(hub, "GetImageBucketList", Region="cn-bj2", BucketName="depot")["TotalCount"]:
        hub.bucket("depot")
    listed = {f"Network.{place}": f"10.{place}.0.0/16" for place in places}
    pairs = list(stamped(hub, {"Action": "SetBucketNetworkPolicy", "BucketName": "depot", **listed}).items())
    order.shuffle(pairs)
    assert answer(form(hub, dict(pairs)))["RetCode"] == 0
    kept = call(hub, "GetBucketNetworkPolicy", BucketName="depot")["NetworkSet"]
    assert kept == [f"10.{place}.0.0/16" for place in sorted(places)]


def test_trap_04_json_flat_and_nested(hub: TestHub) -> None:
    """Lists come in forms, as dotted names in JSON, or as JSON arrays; an array is signed without its indices."""
    keys = add_key(hub, PUBLIC, PRIVATE)
    plain = ",".join(f'"{name}":"{value}"' for name, value in DELETE.items())
    hub.bucket("helloworld")
    flat, nested = "82e3259e12f84cb393b0f9169810cb1d649e7739", "108b3b7d424549db83ebad8abb6bae50d392a328"
    for sent, printed, signed in (
        ('"Tag.0":"v1","Tag.1":"v2"', flat, {"Tag.0": "v1", "Tag.1": "v2"}),
        ('"Tag":["v1","v2"]', nested, {"Tag": "v1v2"}),
    ):
        for tag in ("v1", "v2"):
            push_image(hub, "helloworld/image1", tag, hub.main)
        assert stamped(hub, {**DELETE, **signed}, keys)["Signature"] == printed
        assert js(hub, f"{plain},{sent}", {**DELETE, **signed}, keys)["RetCode"] == 0
        assert call(hub, "GetAllImages", Region="cn-bj2")["ImageSet"] == []
    assert js(hub, f'{plain},"Tag":["v1","v2"]', {**DELETE, "Tag.0": "v1", "Tag.1": "v2"}, keys)["RetCode"] == 171


@given(st.integers(-(10**6), 10**6), st.integers(-21, 6), st.booleans())
@example(420, 1, False)
@example(5, 1, False)
@example(-25, 2, True)
@example(1, -21, True)
def test_trap_05_json_numbers_are_signed_as_decimals(hub: TestHub, digits: int, places: int, short: bool) -> None:
    """42.0 is signed as 42 and 1E-7 in full; Java leaves out a zero before the point, JavaScript its own text."""
    value = Decimal(digits).scaleb(-places)
    plain = format(value, "f")
    sent = f"{digits}E{-places:+d}" if short else plain
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    java = plain.replace("0.", ".", 1) if abs(value) < 1 else plain
    for text, code in ((plain, 0), (java, 0), (sent, 0), (f"{plain}1", 171), ("", 171)):
        told = js(hub, f'"Action":"GetRegion","Ratio":{sent}', {"Action": "GetRegion", "Ratio": text})
        assert told["RetCode"] == code, (sent, text)


def test_trap_06_php_signs_booleans_as_1_and_nothing(hub: TestHub) -> None:
    """PHP sends true and false, and signs the text that PHP makes of them."""
    keys = add_key(hub, PUBLIC, PRIVATE)
    for flag, text, printed in (
        ("true", "1", "22637755692594d1172d744d84ebeb4f92674890"),
        ("false", "", "5e38e42fa1094e372cff6377e4d2b184d22b635a"),
    ):
        named = {"Action": "CreateRepo", "RepoName": "demo", "IsShared": text}
        assert stamped(hub, named, keys)["Signature"] == printed
        sent = '"Action":"CreateRepo","RepoName":"demo","IsShared":'
        assert js(hub, sent + {"true": "false", "false": "true"}[flag], named, keys)["RetCode"] == 171
        assert js(hub, sent + flag, named, keys)["RetCode"] == 0
        [made] = call(hub, "GetRepo", Type="public" if text else "private")["RepoSet"]
        assert made["IsShared"] == flag
        call(hub, "DeleteRepo", RepoName="demo")


def test_trap_07_the_place_of_the_signature_is_the_signed_set(hub: TestHub) -> None:
    """Go names the action in the query too, and base URLs leave keys there: only the place with Signature counts."""
    hub.bucket("depot")
    body = stamped(hub, LIST)
    for path in ("/?Action=GetImageBucketList", "/api?x=1", "/api/?x=1&Action=GetImageBucketList",
                 "/?Action=GetRegion", "/?BucketType=Share&Limit=0&PublicKey=x&Region=hk",
                 "/api?x=1&x=2", "/?x=%ff"):  # fmt: skip
        told = answer(form(hub, body, path))
        assert (told["RetCode"], told["Action"]) == (0, "GetImageBucketListResponse"), path
        assert len(told["ImageSet"]) == 1
    for unsigned in (b"BucketType=Share&Limit=0", b"a=1&a=2", b"{", b"\x1f\x8b\x08\xff a tar"):
        reply = hub.request("POST", f"/?{urlencode(body)}", headers=OCTETS, body=unsigned)
        assert (answer(reply)["RetCode"], len(reply.json.get("ImageSet", []))) == (0, 1), unsigned


def test_trap_08_mislabelled_and_empty_bodies(hub: TestHub) -> None:
    """The first byte of a body tells what it is, its label does not; all may stand in the query, or Action alone."""
    wire = stamped(hub, {**LIST, "Note": "测试"})
    without = {name: value for name, value in wire.items() if name != "Action"}
    labels = ["", FORM["content-type"], "application/json; charset=utf-8", "text/plain;charset=UTF-8"]
    for label in labels:
        headers = {"content-type": label} if label else {}
        for path, body in (
            ("/", json.dumps(wire)), ("/", f" \r\n{json.dumps(wire, ensure_ascii=False)}"), ("/", urlencode(wire)),
            ("/?Action=GetImageBucketList", json.dumps(without)), ("/?Action=GetImageBucketList", urlencode(without)),
            (f"/?{urlencode(wire)}", ""),
        ):  # fmt: skip
            assert answer(hub.request("POST", path, headers=headers, body=body.encode()))["RetCode"] == 0, (label, body)
    assert answer(get(hub, wire))["RetCode"] == 0
    assert answer(form(hub, without, "/?Action=GetAllImages"))["RetCode"] == 171


def test_trap_09_a_plus_in_a_public_key(hub: TestHub) -> None:
    """Whoever does not escape the + of a key sends a space, and signed the +."""
    keys = add_key(hub, "pk+/x+==", "sk")
    signature = stamped(hub, {"Action": "GetRegion"}, keys)["Signature"]
    for spelled in (keys[0], quote(keys[0], safe="")):
        reply = hub.request("GET", f"/?Action=GetRegion&PublicKey={spelled}&Signature={signature}")
        assert answer(reply)["RetCode"] == 0
    assert answer(hub.request("GET", f"/?Action=GetRegion&PublicKey=pk+/y==&Signature={signature}"))["RetCode"] == 172


def test_trap_10_unknown_parameters_pass(hub: TestHub) -> None:
    """Clients put Region, Zone, ProjectId and their own options into calls that know none of them."""
    extra = {"Region": "cn-bj2", "Zone": "cn-bj2-02", "ProjectId": hub.project_id, "base-url": hub.email, "X.0.Y": "1",
             "private-key": "x", "public-key": "y", "timeout-sec": "15", "profile": "z", "Limit": "100"}  # fmt: skip
    for action in ("GetRegion", "GetProjectList", "GetUserInfo", "ListRegions", "ListZones", "GetImageBucketList"):
        assert call(hub, action, **extra)["RetCode"] == 0, action
    nested = '"Action":"GetRegion","Zone":null,"Map":{"b":[true,{"z":1,"a":0.5}],"a":"x"}'
    assert js(hub, nested, {"Action": "GetRegion", "Zone": "", "Map": "axbtruea0.5z1"})["RetCode"] == 0


def test_trap_11_no_time_and_no_nonce(hub: TestHub) -> None:
    """The time header is a trace mark: absent, old or nonsense, the call is good, and good again."""
    wire = stamped(hub, LIST)
    for headers in ({}, {"u-timestamp-ms": "1"}, {"u-timestamp-ms": "soon"}, {"u-timestamp-ms": "9" * 30}, {}):
        assert answer(form(hub, wire, **headers))["RetCode"] == 0


def test_trap_12_a_token_is_a_signed_parameter(hub: TestHub) -> None:
    """Temporary keys carry SecurityToken among the signed parameters; a header does not stand in for it."""
    trust = {"Version": "1", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
                                            "Principal": "ucs:iam::1:root"}]}  # fmt: skip
    call(hub, "CreateRole", RoleName="deploy", RolePolicyDocument=json.dumps(trust))
    made = call(hub, "AssumeRole", RoleUrn="ucs:iam::1:role/deploy", RoleSessionName="ci")["Credentials"]
    keys, token = (made["AccessKeyId"], made["AccessKeySecret"]), made["SecurityToken"]
    good = stamped(hub, {"Action": "GetRegion", "SecurityToken": token}, keys)
    bare = stamped(hub, {"Action": "GetRegion"}, keys)
    assert answer(form(hub, good))["RetCode"] == 0
    assert answer(get(hub, good))["RetCode"] == 0
    assert answer(form(hub, bare, securitytoken=token))["RetCode"] == 174
    assert answer(form(hub, {**bare, "SecurityToken": token}))["RetCode"] == 171
    assert call(hub, "GetRegion", SecurityToken=token)["RetCode"] == 174
    assert call(hub, "GetRegion", SecurityToken="")["RetCode"] == 0


def test_trap_13_none_is_a_text(hub: TestHub) -> None:
    """A list item that reads None is a tag of that name, neither dropped nor empty."""
    hub.bucket("helloworld")
    for tag in ("v1", "None"):
        push_image(hub, "helloworld/image1", tag, hub.main)
    tags = {"Tag.0": "v1", "Tag.1": "None"}
    assert call(hub, **{"action": "DeleteImage", **{k: v for k, v in DELETE.items() if k != "Action"}, **tags}) == {
        "RetCode": 0, "Action": "DeleteImageResponse", "Message": ""}  # fmt: skip
    assert answer(form(hub, stamped(hub, {**DELETE, "Tag.0": "None"})))["RetCode"] == 43045


def test_trap_14_signatures_compare_whole_and_in_constant_time(hub: TestHub, monkeypatch: Any) -> None:
    """Forty lower-case digits and nothing near them; each try goes through compare_digest, equal or not."""
    compared: list[Any] = []
    original = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", lambda a, b: compared.append(b) or original(a, b))
    good = stamped(hub, LIST)
    right = good["Signature"]
    near = [right.upper(), right[:-1], f"{right}0", f" {right}", f"{right}\n", "é" * 40, "0" * 40]
    for text, code in [*((wrong, 171) for wrong in near), (right, 0)]:
        assert answer(form(hub, {**good, "Signature": text}))["RetCode"] == code, text
        assert text.encode() in compared


def test_trap_15_an_unknown_action_is_told_before_all_else(hub: TestHub) -> None:
    """The old SDK adds Date to GetTaskList behind its signature; 161 comes first, however wrong the rest is."""
    wire = stamped(hub, {"Action": "GetTaskList", "Region": "cn-bj2"})
    for more in ({"Date": "2016-11-11"}, {"Signature": ""}, {"PublicKey": "nobody"}, {"SecurityToken": "gone"},
                 {"ProjectId": "org-none"}):  # fmt: skip
        for send in (form, get):
            told = answer(send(hub, {**wire, **more}))
            assert (told["RetCode"], told["Message"]) == (161, "Action [GetTaskList] not found")
    assert answer(form(hub, {**stamped(hub, LIST), "Date": "2016-11-11"}))["RetCode"] == 171
    task = "/?Action=SubmitTask&Region=cn-bj2&AccessToken=x&OutputFileName=a&OutputFileName=b"
    for body in (b"", b"data", b"\x1f\x8b\x08\xff a tar"):
        assert answer(hub.request("POST", task, headers=OCTETS, body=body))["RetCode"] == 161, body


def test_trap_16_a_reused_java_request_is_171(hub: TestHub) -> None:
    """A second use of a Java request signs the first signature as well; that is a wrong signature, and no fault."""
    first = stamped(hub, LIST)
    again = {**first, "Signature": sha1_of(first, hub.private_key)}
    told = answer(hub.request("POST", "/", headers=JSON, body=json.dumps(again).encode()))
    assert (told["RetCode"], told["Message"]) == (171, "Signature VerifyAC Error")
    assert answer(hub.request("POST", "/", headers=JSON, body=json.dumps(first).encode()))["RetCode"] == 0


# --- HTTP


def test_trap_17_refusals_have_status_200(hub: TestHub) -> None:
    """Clients throw away what comes with another status: code and reason travel in the body."""
    for code, reply in every_kind(hub):
        assert (reply.status, reply.json["RetCode"]) == (200, code), reply.body
        assert bool(reply.json["Message"]) == bool(code)


def test_trap_18_no_error_of_the_framework_shows(hub: TestHub) -> None:
    """Odd methods, paths, types, sizes and broken text are answered as any refusal is."""
    for path in ("/", "/api", "/api/"):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
            assert answer(hub.request(method, path))["RetCode"] == 1001, method
        assert answer(hub.request("GET", path))["RetCode"] == 160
        assert (
            answer(hub.request("POST", path, headers={"content-type": "image/png"}, body=b"\x89PNG"))["RetCode"] == 230
        )
    wire = urlencode(stamped(hub, LIST)).encode()
    for label in ("application/xml", "multipart/form-data; boundary=x", "nonsense", "application/json; charset=utf-7"):
        assert answer(hub.request("POST", "/", headers={"content-type": label}, body=wire))["RetCode"] == 0, label
    for body in (b"{", b'{"Action":"GetRegion"', b"[1]", b"null", b'{"Action":NaN}', b"\xff\xfe\x00", b"%", b"=" * 9):
        assert answer(hub.request("POST", "/", headers=JSON, body=body))["RetCode"] in {160, 230}, body


def test_trap_19_no_call_is_redirected(hub: TestHub) -> None:
    """A redirect loses the body or the client: each spelling of the path answers where it was asked."""
    wire = stamped(hub, LIST)
    odd = {"accept": "text/html, image/gif, */*; q=.2", "x-forwarded-proto": "http", "upgrade-insecure-requests": "1"}
    for path in ("/", "/api", "/api/"):
        for headers in ({}, odd):
            for reply in (form(hub, wire, path, **headers), get(hub, wire, path, **headers)):
                assert answer(reply)["RetCode"] == 0
                assert "location" not in reply.headers
            assert form(hub, {}, path, **headers).json["RetCode"] == 160


def test_trap_20_plain_http_is_served(loop: Loop, tmp_path: Path) -> None:
    """Old SDKs know no TLS: even a hub whose own address is https answers http, and asks nobody to change."""
    hub = TestHub(loop, tmp_path / "data", public_url="https://hub.example.com")
    try:
        for reply in (get(hub, stamped(hub, LIST)), form(hub, stamped(hub, LIST))):
            assert answer(reply)["RetCode"] == 0
            assert not {"location", "strict-transport-security", "upgrade"} & set(reply.headers)
    finally:
        hub.close()


def test_trap_21_no_answer_is_empty(hub: TestHub) -> None:
    """A body that is empty or no JSON passes for success in JavaScript."""
    for _, reply in every_kind(hub):
        assert isinstance(reply.json, dict)
        assert reply.headers["content-length"] == str(len(reply.body))
        assert reply.body.startswith(b"{")


def test_trap_22_retcode_is_there_as_an_integer(hub: TestHub) -> None:
    """Without RetCode some clients see success and one crashes: digits stand there, no text and no fraction."""
    for code, reply in every_kind(hub):
        assert re.findall(rb'"RetCode":([^,}]*)[,}]', reply.body) == [str(code).encode()]
        assert type(reply.json["RetCode"]) is int


def test_trap_23_message_and_action_are_texts(hub: TestHub) -> None:
    """Go's generic client fails on a Message or an Action of any other type."""
    for code, reply in every_kind(hub):
        assert isinstance(reply.json["Message"], str), code
        assert isinstance(reply.json["Action"], str), code
        assert reply.json["Action"].endswith("Response")


def test_trap_24_the_content_type_is_there(hub: TestHub) -> None:
    """An old client crashes without the header, and hands out raw bytes where it reads octet-stream."""
    wire = stamped(hub, LIST)
    octets = {**OCTETS, "accept": "application/octet-stream"}
    more = [(0, hub.request("POST", f"/?{urlencode(wire)}", headers=octets)), (0, get(hub, wire, accept="text/plain"))]
    for _, reply in [*more, *every_kind(hub)]:
        kinds = [value for name, value in reply.all_headers if name == "content-type"]
        assert kinds == ["application/json; charset=utf-8"]


def test_trap_25_answers_are_ascii(hub: TestHub) -> None:
    """Clients decode with other character sets: what is not ASCII is escaped, in values and in refusals."""
    text = "测试 镜像 é \u2028 🐳"
    call(hub, "CreateRepo", RepoName="depot", Description=text)
    reply = form(hub, stamped(hub, {"Action": "GetRepo", "Type": "private"}))
    assert reply.body.isascii()
    assert reply.json["RepoSet"][0]["Description"] == text
    for _, refused in every_kind(hub):
        assert refused.body.isascii()
        assert all(value.isascii() for _, value in refused.all_headers)


def test_trap_26_no_list_takes_longer_on_a_full_hub(hub: TestHub) -> None:
    """Some clients wait three seconds, some for ever. Not timed: a list runs as many statements, few, for any size."""
    hub.bucket("depot")
    push_image(hub, "depot/app", "v1", hub.main)
    one = {"Region": "cn-bj2", "BucketName": "depot", "RepoName": "depot", "ImageName": "app"}

    def costs() -> dict[str, int]:
        found = {}
        for action in ("GetDockerImageList", "GetAllImages", "GetRepo", "GetRepoImage", "GetImageTag", "GetUserInfo",
                       "GetProjectList", "GetRegion", "ListUsers", "ListAuditRecords"):  # fmt: skip
            before = hub.queries()
            assert call(hub, action, **one)["RetCode"] == 0
            found[action] = hub.queries() - before
        before = hub.queries()
        assert call(hub, "GetImageBucketList", Region="cn-bj2")["RetCode"] == 0
        return {**found, "GetImageBucketList": hub.queries() - before}

    async def fill() -> None:
        async for _ in seed(hub.hub, buckets=60, images=120, region="cn-bj2"):
            pass

    few = costs()
    for name in ("app", "web", "db"):
        push_image(hub, f"depot/{name}", "v2", hub.main)
    for place in range(5):
        call(hub, "CreateProject", ProjectName=f"team-{place}")
    hub.run(fill())
    assert costs() == few
    assert max(few.values()) <= 6


def test_trap_27_every_answer_has_its_own_request_uuid(hub: TestHub) -> None:
    """People paste it into tickets, of refusals above all."""
    seen = [reply.headers["x-ucloud-request-uuid"] for _, reply in every_kind(hub)]
    assert all(uuid.UUID(one).version == 4 and str(uuid.UUID(one)) == one for one in seen)
    assert len(set(seen)) == len(seen)


def test_trap_28_empty_cookies_are_no_session(hub: TestHub) -> None:
    """The command line sends empty Cookie and Csrf-Token headers with every call: they neither help nor hurt."""
    for headers in ({"cookie": "", "csrf-token": ""}, {"cookie": "session=x", "csrf-token": "y"}):
        reply = form(hub, stamped(hub, LIST), **headers)
        assert answer(reply)["RetCode"] == 0
        assert "set-cookie" not in reply.headers
        assert answer(form(hub, LIST, **headers))["RetCode"] == 170


def test_trap_29_get_may_change_things_and_nothing_is_stored(hub: TestHub, live: Live) -> None:
    """The old SDK makes buckets with GET: so no answer may be cached. A connection serves more than one call."""
    wire = stamped(hub, {"Action": "CreateDockerImageBucket", "Region": "cn-bj2", "BucketName": "by_get"})
    for code in (0, 43022):
        reply = get(hub, wire)
        assert (answer(reply)["RetCode"], reply.headers["cache-control"]) == (code, "no-store")
    assert all(reply.headers["cache-control"] == "no-store" for _, reply in every_kind(hub))
    client = http.client.HTTPConnection("127.0.0.1", live.port, timeout=30)
    client.connect()
    first = client.sock
    for _ in range(3):
        client.request("GET", "/?Action=GetRegion", headers={"Connection": "keep-alive"})
        assert json.loads(client.getresponse().read())["RetCode"] == 170
        assert client.sock is first
    client.close()
