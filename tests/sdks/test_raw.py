"""Requests as UCloud's clients put them on the wire, byte for byte: those of clients that cannot be run here (PHP SDK,
UGC SDK of 2017, a browser's or a shell's own) and the odd corners of those that can.

Bodies are written out and signatures computed here, with nothing of the hub.
"""

import hashlib
import http.client
import json
import random
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from entrepot import config, wiring
from entrepot.store.sql import people as people_sql
from tests.conftest import Loop
from tests.sdks.conftest import Shop

pytestmark = [pytest.mark.clients]
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PHP = {"User-Agent": "PHP/8.2.36 PHP-SDK/0.1.0 ", **JSON}
TAGS = [f"v{place}" for place in range(12)]


def sha1_of(signed: dict[str, str], private_key: str) -> str:
    """Names in byte order, each followed by the text that the client signs for it."""
    text = "".join(name + signed[name] for name in sorted(signed, key=str.encode))
    return hashlib.sha1((text + private_key).encode()).hexdigest()


def test_the_documented_vector() -> None:
    signed = {
        "Action": "DescribeUHostInstance", "Region": "cn-bj2", "Limit": "10",
        "PublicKey": "ucloudsomeone@example.com1296235120854146120",
    }  # fmt: skip
    known = "cba5cf5ec4d4233d206b1b54951e3787350a642f"
    assert sha1_of(signed, "46f09bb9fab4f12dfc160dae12273d5332b5debe") == known


@dataclass
class Wire:
    """One connection for one request, as http.client sends it: no header is added but Host and the length."""

    shop: Shop

    def send(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        client = http.client.HTTPConnection("127.0.0.1", self.shop.live.port, timeout=30)
        try:
            chunked = body is not None and not isinstance(body, bytes)
            client.request(method, target, body, headers or {}, encode_chunked=chunked)
            reply = client.getresponse()
            text = reply.read()
        finally:
            client.close()
        assert reply.status == 200
        assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
        assert reply.headers["Cache-Control"] == "no-store"
        assert len(reply.headers["X-UCLOUD-REQUEST-UUID"]) == 36
        assert text.isascii(), "old Java clients read with the character set of their platform"
        answer: dict[str, Any] = json.loads(text)
        assert isinstance(answer["RetCode"], int)
        return answer

    def signature(self, **signed: str) -> str:
        return sha1_of({"PublicKey": self.shop.live.public_key, **signed}, self.shop.live.private_key)

    def dotted(self, signed: dict[str, str]) -> str:
        """The signature of names that are no Python names."""
        return self.signature(**signed)

    @property
    def key(self) -> str:
        return self.shop.live.public_key


@pytest.fixture
def wire(shop: Shop) -> Wire:
    return Wire(shop)


def repo(shop: Shop, name: str) -> dict[str, Any]:
    """A repository as GetRepo shows it, wherever it is listed."""
    for kind in ("private", "public"):
        for one in shop.call("GetRepo", Type=kind, Limit=1000)["RepoSet"]:
            if one["RepoName"] == name:
                found: dict[str, Any] = one
                return found
    raise AssertionError(name)


# --- the PHP SDK: JSON with dotted keys; true is signed as 1, false and null as nothing; json_encode escapes / and 测


def test_php_true_is_signed_as_1(wire: Wire, shop: Shop) -> None:
    signature = wire.signature(
        Action="CreateRepo", Region="cn-bj2", ProjectId=shop.live.project_id, RepoName="php_true", IsShared="1",
        Description="测试 a/b+c",
    )  # fmt: skip
    body = (
        f'{{"RepoName":"php_true","IsShared":true,"Description":"\\u6d4b\\u8bd5 a\\/b+c","Action":"CreateRepo",'
        f'"Region":"cn-bj2","ProjectId":"{shop.live.project_id}","Signature":"{signature}","PublicKey":"{wire.key}"}}'
    )
    assert wire.send("POST", "/", body.encode(), PHP)["RetCode"] == 0
    made = repo(shop, "php_true")
    assert (made["IsShared"], made["Description"]) == ("true", "测试 a/b+c")


def test_php_false_and_null_are_signed_as_nothing(wire: Wire, shop: Shop) -> None:
    signature = wire.signature(Action="CreateRepo", RepoName="php_false", IsShared="", Description="")
    body = (
        f'{{"RepoName":"php_false","IsShared":false,"Description":null,"Action":"CreateRepo",'
        f'"Signature":"{signature}","PublicKey":"{wire.key}"}}'
    )
    assert wire.send("POST", "/", body.encode(), PHP)["RetCode"] == 0
    made = repo(shop, "php_false")
    assert (made["IsShared"], made["Description"]) == ("false", "")

    signature = wire.signature(Action="UpdateRepo", RepoName="php_false", IsShared="1", Description="", Project="")
    body = (
        f'{{"RepoName":"php_false","IsShared":true,"Description":null,"Project":null,"Action":"UpdateRepo",'
        f'"Signature":"{signature}","PublicKey":"{wire.key}"}}'
    )
    assert wire.send("POST", "/", body.encode(), PHP)["RetCode"] == 0
    assert repo(shop, "php_false")["IsShared"] == "true"


def test_php_booleans_numbers_and_lists_in_one_call(wire: Wire, shop: Shop) -> None:
    shop.bucket("php_tags")
    shop.push("php_tags/app", *TAGS, "kept")
    plain = {"Action": "DeleteImage", "Region": "cn-bj2", "BucketName": "php_tags", "ImageName": "app"}
    tags = {f"Tag.{place}": tag for place, tag in enumerate(TAGS)}
    signed = {**plain, **tags, "Yes": "1", "No": "", "Null": "", "Half": "0.5", "Whole": "42", "Below": "-0.25",
              "Nest.0.On": "1"}  # fmt: skip
    listed = "".join(f'"{name}":"{value}",' for name, value in {**plain, **tags}.items())
    body = (
        f'{{{listed}"Yes":true,"No":false,"Null":null,"Half":0.5,"Whole":42,"Below":-0.25,"Nest.0.On":true,'
        f'"Signature":"{wire.dotted(signed)}","PublicKey":"{wire.key}"}}'
    )
    assert wire.send("POST", "/", body.encode(), PHP)["RetCode"] == 0
    assert shop.tags("php_tags", "app") == ["kept"]


def test_php_numbers_with_an_exponent(wire: Wire) -> None:
    """PHP turns 1e-7 into 1.0E-7 where it signs and into 1.0e-7 where it sends."""
    signature = wire.signature(Action="GetRegion", Small="1.0E-7", Big="1.0E+21")
    body = f'{{"Small":1.0e-7,"Big":1.0e+21,"Action":"GetRegion","Signature":"{signature}","PublicKey":"{wire.key}"}}'
    assert wire.send("POST", "/", body.encode(), PHP)["RetCode"] == 0


def test_php_signatures_fit_no_other_value(wire: Wire, shop: Shop) -> None:
    signature = wire.signature(Action="CreateRepo", RepoName="php_never", IsShared="")
    for flag in ("true", "1", '"1"'):
        body = (
            f'{{"RepoName":"php_never","IsShared":{flag},"Action":"CreateRepo","Signature":"{signature}",'
            f'"PublicKey":"{wire.key}"}}'
        )
        assert wire.send("POST", "/", body.encode(), PHP)["RetCode"] == 171
    assert shop.call("GetImageBucketList", Region="cn-bj2", BucketName="php_never")["TotalCount"] == 0


# --- the other JSON clients, where they sign something else than they send


@pytest.mark.parametrize(
    ("sent", "signed"),
    [
        # Java: no exponent, no zero before the point.
        ('"Whole":42.0,"Half":0.5,"Below":-0.25,"Small":1.0E-7', {"Whole": "42", "Half": ".5", "Below": "-.25",
                                                                  "Small": ".0000001"}),
        # JavaScript: the text that is sent.
        ('"Whole":42,"Half":0.5,"Big":1e+21,"Small":1e-7', {"Whole": "42", "Half": "0.5", "Big": "1e+21",
                                                            "Small": "1e-7"}),
        # Go with its JSON encoder: plain decimals, arrays without indices, objects by sorted name.
        ('"Whole":42,"Half":0.5,"Big":1e+21,"Small":1e-7,"Tag":["v1","v2"],"Map":{"b":[true,{"z":1,"a":0.5}],"a":"x"}',
         {"Whole": "42", "Half": "0.5", "Big": "1" + "0" * 21, "Small": "0.0000001", "Tag": "v1v2",
          "Map": "axbtruea0.5z1"}),
    ],
    ids=["java", "js", "go"],
)  # fmt: skip
def test_numbers_of_json_clients(wire: Wire, sent: str, signed: dict[str, str]) -> None:
    signature = wire.signature(Action="GetRegion", **signed)
    body = f'{{"Action":"GetRegion",{sent},"Signature":"{signature}","PublicKey":"{wire.key}"}}'
    answer = wire.send("POST", "/", body.encode(), JSON)
    assert (answer["RetCode"], answer["Action"]) == (0, "GetRegionResponse")
    assert len(answer["Regions"]) > 1


# --- the UGC SDK of 2017: GET over plain HTTP, everything in the query, in the random order of a dictionary


def ugc(wire: Wire, action: str, *, order: random.Random | None = None, **params: str) -> dict[str, Any]:
    named = {"Action": action, "Region": "cn-bj2", "PublicKey": wire.key, **params}
    pairs = [*named.items(), ("Signature", wire.signature(**named))]
    (order or random.Random(1)).shuffle(pairs)
    query = "&".join(f"{name}={quote_plus(value)}" for name, value in pairs)
    return wire.send("GET", f"/?{query}", headers={"User-Agent": "UGCSDK_Python/1.0 (Linux; x86_64; ) Python/2.7.13"})


def test_ugc_sdk_makes_and_lists_buckets_with_get(wire: Wire, shop: Shop) -> None:
    assert ugc(wire, "CreateDockerImageBucket", BucketName="ugc_bucket")["RetCode"] == 0
    assert ugc(wire, "CreateDockerImageBucket", BucketName="ugc_bucket")["RetCode"] == 43022
    shop.push("ugc_bucket/app", "v1", "v2")
    listed = ugc(wire, "GetImageBucketList", BucketName="ugc_bucket", Limit="20", Offset="0")
    [bucket] = listed["ImageSet"]
    assert (listed["TotalCount"], bucket["BucketType"], bucket["ImageCount"]) == (1, "Private", 1)
    [image] = ugc(wire, "GetDockerImageList", BucketName="ugc_bucket", Limit="20", Offset="0")["ImageSet"]
    assert image["ImageName"] == f"127.0.0.1:{shop.live.port}/ugc_bucket/app"
    assert [one["TagName"] for one in image["TagSet"]] == ["v1", "v2"]
    assert {"ugc_bucket/app:v1", "ugc_bucket/app:v2"} <= set(ugc(wire, "GetAllImages")["ImageSet"])
    assert ugc(wire, "GetDockerImageList", BucketName="notexsit")["RetCode"] == 43023
    signed = {"Tag.0": "v1", "BucketName": "ugc_bucket", "ImageName": "app"}
    assert ugc(wire, "DeleteImage", **signed)["RetCode"] == 0
    assert shop.tags("ugc_bucket", "app") == ["v2"]


@pytest.mark.parametrize("seed", range(8))
def test_ugc_sdk_sends_parameters_in_any_order(wire: Wire, seed: int) -> None:
    answer = ugc(wire, "GetImageBucketList", order=random.Random(seed), BucketType="All", OrderBy="Default",
                 Limit="1", Offset="0")  # fmt: skip
    assert (answer["RetCode"], answer["Action"]) == (0, "GetImageBucketListResponse")


def test_signature_in_the_middle_and_at_the_start(wire: Wire) -> None:
    named = {"Action": "GetImageBucketList", "Region": "cn-bj2", "PublicKey": wire.key, "Limit": "1"}
    pairs = [f"{name}={value}" for name, value in named.items()]
    for place in range(len(pairs) + 1):
        query = "&".join([*pairs[:place], f"Signature={wire.signature(**named)}", *pairs[place:]])
        assert wire.send("GET", f"/?{query}")["RetCode"] == 0


def test_ugc_sdk_tasks_are_told_to_be_unknown(wire: Wire) -> None:
    """SubmitTask comes without a key; GetTaskList with a Date that was added after signing."""
    answer = wire.send(
        "POST", "/?Action=SubmitTask&Region=cn-bj2&ImageName=a&AccessToken=x&TaskType=Sync", b"\0\1binary",
        {"Content-Type": "application/octet-stream"},
    )  # fmt: skip
    assert (answer["RetCode"], answer["Message"]) == (161, "Action [SubmitTask] not found")
    named = {"Action": "GetTaskList", "Region": "cn-bj2", "PublicKey": wire.key}
    query = "&".join(f"{name}={value}" for name, value in named.items())
    answer = wire.send("GET", f"/?{query}&Signature={wire.signature(**named)}&Date=2016-11-11")
    assert answer["RetCode"] == 161


def test_an_unescaped_plus_in_a_public_key(wire: Wire, shop: Shop, loop: Loop) -> None:
    """Keys of UCloud hold + / and =; a GET client that does not escape them sends a space where the + was."""
    public_key, private_key = "pk+sdk/+x==", "another secret"

    async def add() -> None:
        hub = await wiring.open_hub(config.load(environ={}, data=str(shop.live.data)), create=False)
        try:
            sealed = hub.vault.seal(private_key, public_key)
            await hub.db.write(people_sql.add_key, public_key, sealed, 1, 0)
        finally:
            await wiring.close_hub(hub)

    loop.run(add())
    signature = sha1_of({"Action": "GetUserInfo", "PublicKey": public_key}, private_key)
    for spelled in (public_key, quote(public_key, safe=""), quote_plus(public_key)):
        answer = wire.send("GET", f"/?Action=GetUserInfo&Signature={signature}&PublicKey={spelled}")
        assert [one["UserEmail"] for one in answer["DataSet"]] == [shop.live.email]
        answer = wire.send("POST", "/", f"Action=GetUserInfo&Signature={signature}&PublicKey={spelled}".encode(), FORM)
        assert answer["RetCode"] == 0


# --- bodies that are labelled as something else, and Action in other places


@pytest.mark.parametrize(
    "headers",
    [
        FORM, JSON, {}, {"Content-Type": ""}, {"Content-Type": "text/plain;charset=UTF-8"},
        {"Content-Type": "application/json; charset=utf-8"}, {"Content-Type": "application/json;charset=UTF-8"},
        {"Content-Type": "APPLICATION/JSON ; Charset=\"utf-8\""}, {"Content-Type": "application/octet-stream"},
        {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"},
    ],
    ids=lambda headers: headers.get("Content-Type", "absent") or "blank",
)  # fmt: skip
def test_whatever_the_label_says_the_body_is_read(wire: Wire, headers: dict[str, str]) -> None:
    named = {"Action": "GetImageBucketList", "Region": "cn-bj2", "BucketName": "", "Note": "测试 +&=%"}
    signature = wire.signature(**named)
    whole = {**named, "PublicKey": wire.key, "Signature": signature}
    form = "&".join(f"{name}={quote_plus(value)}" for name, value in whole.items())
    for body in (
        json.dumps(whole),
        json.dumps(whole, ensure_ascii=False),
        f"\r\n  {json.dumps(whole, indent=1)}\n",
        form,
    ):
        answer = wire.send("POST", "/", body.encode(), headers)
        assert (answer["RetCode"], answer["Action"]) == (0, "GetImageBucketListResponse"), body


def test_action_in_the_query_of_a_json_body(wire: Wire) -> None:
    """As curl is shown in the documentation: -d '{...}' without a Content-Type, Action in the address alone."""
    signature = wire.signature(Action="GetImageBucketList", Region="cn-bj2")
    body = f'{{"Region":"cn-bj2","PublicKey":"{wire.key}","Signature":"{signature}"}}'.encode()
    assert wire.send("POST", "/?Action=GetImageBucketList", body, FORM)["RetCode"] == 0
    assert wire.send("POST", "/?Action=GetAllImages", body, FORM)["RetCode"] == 171
    assert wire.send("POST", "/", body, FORM)["RetCode"] == 160


def test_go_and_the_command_line_repeat_action_and_send_empty_headers(wire: Wire) -> None:
    named = {"Action": "GetUserInfo", "ProjectId": wire.shop.live.project_id, "Region": "cn-bj2", "PublicKey": wire.key}
    form = "&".join(f"{name}={quote_plus(value)}" for name, value in sorted(named.items()))
    body = f"{form}&Signature={wire.signature(**named)}".encode()
    headers = {**FORM, "Cookie": "", "Csrf-Token": "", "U-Timestamp-Ms": "1795548568700", "channel-key": "x"}
    for target in ("/?Action=GetUserInfo", "/api?x=1&Action=GetUserInfo", "/api/?Action=GetUserInfo&Region=mars"):
        assert wire.send("POST", target, body, headers)["RetCode"] == 0, target


def test_python_sdk_spells_booleans_and_small_numbers_in_its_own_way(wire: Wire) -> None:
    named = {"Action": "GetRegion", "IsShared": "True", "Small": "1e-07", "Item.0": "None", "Pad": " x ", "Zero": "042"}
    form = "&".join(f"{name}={quote_plus(value)}" for name, value in named.items())
    body = f"{form}&PublicKey={wire.key}&Signature={wire.signature(**named)}".encode()
    assert wire.send("POST", "/", body, FORM)["RetCode"] == 0


def test_a_body_in_chunks(wire: Wire) -> None:
    signature = wire.signature(Action="GetRegion")
    body = f'{{"Action":"GetRegion","PublicKey":"{wire.key}","Signature":"{signature}"}}'.encode()
    pieces = [body[:7], body[7:30], body[30:]]
    assert wire.send("POST", "/", iter(pieces), {**JSON, "Transfer-Encoding": "chunked"})["RetCode"] == 0


def test_what_cannot_be_read_is_told_with_status_200(wire: Wire) -> None:
    for body, headers in ((b"{not json", JSON), (b"[1, 2]", JSON), (b"\xff\xfe", FORM), (b"", JSON)):
        answer = wire.send("POST", "/", body, headers)
        assert answer["RetCode"] in (160, 230), body
        assert answer["Message"]
