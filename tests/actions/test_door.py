"""The actions door: every transport, the order of its checks, the ten actions, and hostile input."""

import asyncio
import json
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.model import signing
from entrepot.model.signing import Number
from tests import postgres
from tests.conftest import Reply, TestHub
from tests.explained import Explained
from tests.registry.kit import push_image

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


def signed(hub: TestHub, params: dict[str, Any]) -> dict[str, Any]:
    known = {
        name: Number(value) if isinstance(value, int | float) and not isinstance(value, bool) else value
        for name, value in {**params, "PublicKey": hub.public_key}.items()
    }
    return {**params, "PublicKey": hub.public_key, "Signature": signing.sign(known, hub.private_key)}


def form(hub: TestHub, params: dict[str, Any], path: str = "/") -> Reply:
    return hub.request("POST", path, headers=FORM, body=urlencode(params).encode())


LIST = {"Action": "GetImageBucketList", "Region": "cn-bj2"}


@pytest.fixture
def hubs(hub: TestHub) -> TestHub:
    hub.bucket("mine-private")
    hub.bucket("mine-public", is_public=True)
    hub.user("other@example.com", other_account=True)
    hub.bucket("their-private", email="other@example.com")
    hub.bucket("their-public", is_public=True, email="other@example.com")
    return hub


def names(answer: dict[str, Any]) -> list[str]:
    return [one["BucketName"] for one in answer["ImageSet"]]


def test_every_transport_gives_the_same_answer(hubs: TestHub) -> None:
    params = signed(hubs, {**LIST, "Limit": "20", "BucketName": ""})
    body = json.dumps(params).encode()
    replies = [
        *(form(hubs, params, path) for path in ("/", "/api", "/api/", "/?Action=GetImageBucketList", "/api?x=1")),
        hubs.request("GET", "/?" + urlencode(params)),
        hubs.request("GET", "/api/?" + urlencode(params)),
        hubs.request("POST", "/?" + urlencode(params), headers={"content-type": "application/octet-stream"}),
        hubs.request("POST", "/", headers=JSON, body=body),
        hubs.request("POST", "/", headers={"content-type": "application/json; charset=utf-8"}, body=b"  \n" + body),
        hubs.request("POST", "/", headers=FORM, body=body),
        hubs.request("POST", "/", body=body),
    ]
    for reply in replies:
        assert reply.status == 200
        assert reply.json["RetCode"] == 0, reply.body
        assert reply.json["TotalCount"] == 3
    nested = signed(hubs, {**LIST, "Limit": 20})
    assert hubs.request("POST", "/", headers=JSON, body=json.dumps(nested).encode()).json["RetCode"] == 0


def test_shape_of_every_answer(hub: TestHub) -> None:
    for reply in (
        hub.request("GET", "/"),
        hub.request("POST", "/", body=b"{"),
        form(hub, signed(hub, LIST)),
        hub.request("PUT", "/"),
        form(hub, {"Action": "Nothing"}),
    ):
        assert reply.status == 200
        assert reply.headers["content-type"] == "application/json; charset=utf-8"
        assert reply.headers["cache-control"] == "no-store"
        assert len(reply.headers["x-ucloud-request-uuid"]) == 36
        assert type(reply.json["RetCode"]) is int
        assert isinstance(reply.json["Message"], str)
        assert reply.json["Action"].endswith("Response")
        assert reply.body.isascii()


def test_order_of_checks(hub: TestHub) -> None:
    def code(params: dict[str, Any], **headers: str) -> int:
        reply = hub.request("POST", "/", headers={**FORM, **headers}, body=urlencode(params).encode())
        return int(reply.json["RetCode"])

    good = signed(hub, LIST)
    assert code({"PublicKey": "x"}) == 160
    assert code({"Action": "NoSuchAction"}) == 161
    assert code({"Action": "GetTaskList", "Signature": "x"}) == 161
    assert code(LIST) == 170
    assert code({**LIST, "Signature": ""}) == 170
    assert code(LIST, authorization="Bearer stale") == 174
    assert code({**good, "SecurityToken": "gone"}) == 174
    assert code({**good, "PublicKey": "unknown"}) == 172
    assert code({"Action": "GetRegion", "Signature": "x"}) == 172
    assert code({**good, "Signature": "0" * 40}) == 171
    assert code({**good, "Region": "cn-sh2"}) == 171
    assert code(signed(hub, {**LIST, "ProjectId": "org-none"})) == 292
    assert code(signed(hub, {"Action": "GetImageBucketList"})) == 220
    assert code(signed(hub, {"Action": "GetImageBucketList", "Region": ""})) == 220
    assert code(signed(hub, {"Action": "GetImageBucketList", "Region": "mars"})) == 230
    for name, value in (
        ("Limit", "-1"),
        ("Limit", "x"),
        ("Limit", "1001"),
        ("Limit", "1.5"),
        ("Offset", "-1"),
        ("BucketType", "all"),
        ("BucketType", "Nobody"),
    ):
        reply = form(hub, signed(hub, {**LIST, name: value}))
        assert (reply.json["RetCode"], reply.json["Message"]) == (230, f"Params [{name}] not available")
    assert code(signed(hub, {**LIST, "ProjectId": hub.project_id, "Zone": "cn-bj2-02", "base-url": "x"})) == 0


def test_missing_right_is_299_and_a_disabled_user_172(hub: TestHub) -> None:
    from entrepot.ops import people

    made = hub.run(
        people.add_user(
            hub.hub, "reader@example.com", password="battery staple", rights=frozenset({"pull"}), account_of=hub.email
        )
    )
    hub.public_key, hub.private_key = made.public_key, made.private_key
    assert hub.call("CreateDockerImageBucket", Region="cn-bj2", BucketName="newbucket")["RetCode"] == 299
    assert hub.call("GetUserInfo")["DataSet"][0]["Admin"] == 0
    hub.run(people.set_active(hub.hub, made.email, active=False))
    assert hub.call("GetUserInfo")["RetCode"] == 172


def test_bucket_list_scopes_filters_and_pages(hubs: TestHub) -> None:
    def listed(**more: Any) -> dict[str, Any]:
        return hubs.call("GetImageBucketList", Region="cn-bj2", **more)

    assert names(listed()) == ["mine-private", "mine-public", "their-public"]
    assert names(listed(BucketType="All")) == names(listed(BucketType=""))
    assert names(listed(BucketType="User")) == ["mine-private", "mine-public"]
    assert names(listed(BucketType="Share")) == ["their-public"]
    assert names(listed(OrderBy="Default")) == names(listed(OrderBy="whatever"))
    assert listed(BucketName="mine-public")["ImageSet"][0]["BucketType"] == "Public"
    assert listed(BucketName="mine-private")["ImageSet"][0]["BucketType"] == "Private"
    for hidden in ("their-private", "nothing", "mine%"):
        assert (listed(BucketName=hidden)["TotalCount"], listed(BucketName=hidden)["ImageSet"]) == (0, [])
    assert names(listed(Limit=1, Offset=1)) == ["mine-public"]
    assert (listed(Limit=0)["TotalCount"], listed(Limit=0)["ImageSet"]) == (3, [])
    assert (listed(Offset=99)["TotalCount"], listed(Offset=99)["ImageSet"]) == (3, [])
    assert hubs.call("GetImageBucketList", Region="hk")["TotalCount"] == 0
    row = listed()["ImageSet"][0]
    assert set(row) == {"BucketName", "BucketType", "ImageCount", "CreateTime"}
    assert 0 < row["CreateTime"] < 2**31


def test_bucket_list_costs_a_fixed_number_of_statements(hubs: TestHub) -> None:
    def cost() -> int:
        before = hubs.queries()
        hubs.call("GetImageBucketList", Region="cn-bj2")
        return hubs.queries() - before

    few = cost()
    for place in range(30):
        hubs.bucket(f"more-{place:02}")
    assert cost() == few == 3


def test_bucket_list_reads_through_indexes_and_sorts_only_the_page(hubs: TestHub) -> None:
    from entrepot.store.sql import listing

    if postgres.WANTED:
        pytest.skip("the plans are SQLite's")
    plans: list[str] = []

    for scopes in ((listing.OWN_PRIVATE, listing.PUBLIC), (listing.OWN,), (listing.SHARED,)):
        for offset in (0, 2):
            hubs.run(
                hubs.hub.db.read(
                    lambda rows, scopes=scopes, offset=offset: listing.buckets(
                        Explained(rows, plans),
                        account_id=1,
                        region="cn-bj2",
                        name=None,
                        scopes=scopes,
                        limit=1,
                        offset=offset,
                    )
                )
            )
    assert any("COVERING INDEX bucket_by_account" in plan for plan in plans)
    assert any("COVERING INDEX bucket_by_public" in plan for plan in plans)
    assert not any(plan.startswith("SCAN bucket") or "TEMP B-TREE" in plan for plan in plans), plans


def test_counts_follow_create_share_and_delete(hubs: TestHub) -> None:
    def check() -> None:
        wrong = hubs.run(
            hubs.hub.db.read(
                lambda rows: rows.all(
                    "SELECT scope, region, is_public, SUM(buckets) FROM (SELECT * FROM bucket_count"
                    " UNION ALL SELECT 'all', region, is_public, -1 FROM bucket"
                    " UNION ALL SELECT 'account ' || account_id, region, is_public, -1 FROM bucket"
                    " UNION ALL SELECT 'project ' || project_id, region, is_public, -1 FROM bucket) AS found"
                    " GROUP BY scope, region, is_public HAVING SUM(buckets) <> 0"
                )
            )
        )
        assert wrong == []

    check()
    for shared in ("true", "true", "false", "false"):
        hubs.call("UpdateRepo", RepoName="mine-private", IsShared=shared)
        check()
    hubs.call("CreateDockerImageBucket", Region="hk", BucketName="elsewhere")
    hubs.call("CreateDockerImageBucket", Region="hk", BucketName="elsewhere")
    hubs.call("DeleteRepo", RepoName="mine-public")
    check()
    assert hubs.call("GetImageBucketList", Region="cn-bj2")["TotalCount"] == 2


def test_every_page_from_either_end(hub: TestHub) -> None:
    made = [f"page-{place:03}" for place in range(37)]
    hub.user("other@example.com", other_account=True)
    for place, name in enumerate(made):
        hub.bucket(name, is_public=place % 3 == 0, email=None if place % 2 else "other@example.com")
    visible = [name for place, name in enumerate(made) if place % 2 or place % 3 == 0]
    shared = [name for place, name in enumerate(made) if place % 2 == 0 and place % 3 == 0]
    for kind, wanted in (("All", visible), ("User", made[1::2]), ("Share", shared)):
        for limit in (1, 4, 7, 100):
            seen: list[str] = []
            for offset in range(0, len(wanted) + limit, limit):
                answer = hub.call("GetImageBucketList", Region="cn-bj2", BucketType=kind, Limit=limit, Offset=offset)
                assert answer["TotalCount"] == len(wanted)
                seen += names(answer)
            assert seen == wanted


def test_seeded_hub_is_like_a_pushed_one(hub: TestHub) -> None:
    from entrepot.ops.seed import seed

    async def run() -> None:
        async for _ in seed(hub.hub, buckets=20, images=30, region="cn-bj2"):
            pass

    hub.run(run())
    assert hub.call("GetImageBucketList", Region="cn-bj2")["TotalCount"] == 20
    assert len(hub.call("GetRepo", Type="public")["RepoSet"]) == 10
    references = hub.call("GetAllImages", Region="cn-bj2")["ImageSet"]
    assert len(references) == 30
    image, _, tag = references[0].rpartition(":")
    assert hub.request("GET", f"/v2/{image}/manifests/{tag}", login=hub.main).status == 200


def test_a_push_shows_at_once(hub: TestHub) -> None:
    made = hub.call("CreateDockerImageBucket", Region="hk", BucketName="helloworld")
    assert made == {"RetCode": 0, "Action": "CreateDockerImageBucketResponse", "Message": ""}
    push_image(hub, "helloworld/app", "v1", hub.main)
    push_image(hub, "helloworld/app", "v2", hub.main)
    push_image(hub, "helloworld/deep/er", "latest", hub.main)
    bucket = hub.call("GetImageBucketList", Region="hk")["ImageSet"][0]
    assert (bucket["ImageCount"], bucket["BucketType"]) == (2, "Private")
    images = hub.call("GetDockerImageList", Region="hk", BucketName="helloworld")
    assert images["TotalCount"] == 2
    first = images["ImageSet"][0]
    assert (first["ImageName"], first["BucketName"], first["OrgId"]) == (
        "hub.test/helloworld/app",
        "helloworld",
        hub.project_id,
    )
    assert [tag["TagName"] for tag in first["TagSet"]] == ["v1", "v2"]
    everything = hub.call("GetAllImages", Region="hk")["ImageSet"]
    assert everything == ["helloworld/app:v1", "helloworld/app:v2", "helloworld/deep/er:latest"]
    assert hub.call("GetAllImages", Region="cn-bj2")["ImageSet"] == []


def test_create_conflicts_and_bad_names(hub: TestHub) -> None:
    for name, code in (("abc", 43025), ("_abc", 43025), ("Upper", 43025), ("a___b", 43025), ("测试镜像", 43025)):
        assert hub.call("CreateDockerImageBucket", Region="cn-bj2", BucketName=name)["RetCode"] == code

    async def race() -> list[int]:
        params = signed(hub, {"Action": "CreateDockerImageBucket", "Region": "cn-bj2", "BucketName": "racing"})
        calls = [hub.ask("POST", "/", headers=FORM, body=urlencode(params).encode()) for _ in range(8)]
        return sorted(reply.json["RetCode"] for reply in await asyncio.gather(*calls))

    assert hub.run(race()) == [0] + [43022] * 7
    query = urlencode(signed(hub, {"Action": "CreateDockerImageBucket", "Region": "cn-bj2", "BucketName": "by-get"}))
    assert hub.request("GET", f"/?{query}").json["RetCode"] == 0


def test_delete_image(hubs: TestHub) -> None:
    for tag in ("v1", "v2", "v10", "None"):
        push_image(hubs, "mine-private/app", tag, hubs.main)
    push_image(hubs, "their-public/app", "v1", ("other@example.com", "battery staple"))

    def delete(bucket: str = "mine-private", image: str = "app", **tags: Any) -> int:
        return int(hubs.call("DeleteImage", Region="cn-bj2", BucketName=bucket, ImageName=image, **tags)["RetCode"])

    assert delete(Tag=["v1", "missing"]) == 43045
    assert delete(image="", Tag=["v1"]) == 43046
    assert delete(Tag=["v1", ""]) == 43047
    assert delete() == 220
    assert delete(Tag=[f"t{place}" for place in range(101)]) == 43033
    assert delete(bucket="nothing", Tag=["v1"]) == 43023
    assert delete(bucket="their-public", Tag=["v1"]) == 43023
    assert delete(image="none", Tag=["v1"]) == 43045
    assert delete(image="Bad Name", Tag=["v1"]) == 43024
    assert delete(**{"Tag.10": "v10", "Tag.3": "v2", "Tag.7": "v2"}) == 0
    left = hubs.call("GetDockerImageList", Region="cn-bj2", BucketName="mine-private")["ImageSet"][0]["TagSet"]
    assert [tag["TagName"] for tag in left] == ["None", "v1"]
    body = json.dumps(
        signed(
            hubs,
            {
                "Action": "DeleteImage",
                "Region": "cn-bj2",
                "BucketName": "mine-private",
                "ImageName": "app",
                "Tag": ["v1", "None"],
            },
        )
    ).encode()
    assert hubs.request("POST", "/?Action=DeleteImage", headers=JSON, body=body).json["RetCode"] == 0


def test_images_of_others(hubs: TestHub) -> None:
    assert hubs.call("GetDockerImageList", Region="cn-bj2", BucketName="their-public")["RetCode"] == 0
    assert hubs.call("GetDockerImageList", Region="cn-bj2", BucketName="their-private")["RetCode"] == 43023
    assert hubs.call("GetDockerImageList", Region="cn-bj2", BucketName="nothing")["RetCode"] == 43023


def test_regions_zones_projects_user(hub: TestHub) -> None:
    regions = hub.call("GetRegion")["Regions"]
    assert [one["Region"] for one in regions if one["IsDefault"] is True] == ["cn-bj2"]
    assert all(isinstance(one["RegionId"], int) and one["Zone"] == one["Region"] + "-01" for one in regions)
    assert {one["Region"] for one in hub.call("ListRegions")["Regions"]} == {one["Region"] for one in regions}
    assert len(regions) == 33
    assert [one["Zone"] for one in hub.call("ListZones", Region="hk")["Zones"]] == ["hk-01"]
    assert hub.call("ListZones")["RetCode"] == 220
    projects = hub.call("GetProjectList", Limit="100")
    assert projects["ProjectCount"] == 1
    assert projects["ProjectSet"][0]["ProjectId"] == hub.project_id
    assert projects["ProjectSet"][0]["IsDefault"] is True
    [person] = hub.call("GetUserInfo")["DataSet"]
    assert (person["UserEmail"], person["AuthState"], person["Admin"]) == (hub.email, "CERTIFIED", 1)


def test_the_same_name_twice_with_different_values_is_refused(hub: TestHub) -> None:
    params = signed(hub, LIST)
    body = urlencode(params) + "&Region=hk"
    assert hub.request("POST", "/", headers=FORM, body=body.encode()).json["RetCode"] == 230
    text = json.dumps(params)[:-1] + ',"Region":"hk"}'
    assert hub.request("POST", "/", headers=JSON, body=text.encode()).json["RetCode"] == 230
    again = urlencode(params) + "&Region=cn-bj2"
    assert hub.request("POST", "/", headers=FORM, body=again.encode()).json["RetCode"] == 0


def test_unsigned_parameters_beside_the_signed_ones_are_not_seen(hubs: TestHub) -> None:
    params = signed(hubs, LIST)
    reply = form(hubs, params, "/?BucketType=Share&Limit=0")
    assert len(reply.json["ImageSet"]) == 3
    body = urlencode({"BucketType": "Share"}).encode()
    assert len(hubs.request("POST", "/?" + urlencode(params), headers=FORM, body=body).json["ImageSet"]) == 3


def test_a_plus_in_an_unescaped_public_key(hub: TestHub) -> None:
    from entrepot.store.sql import people as sql

    sealed = hub.hub.vault.seal("secret", "pk+/==")
    hub.run(hub.hub.db.write(sql.add_key, "pk+/==", sealed, 1, 0))
    params = {"Action": "GetRegion", "PublicKey": "pk+/=="}
    query = f"Action=GetRegion&PublicKey=pk+/==&Signature={signing.sign(params, 'secret')}"
    assert hub.request("GET", f"/?{query}").json["RetCode"] == 0


@pytest.mark.parametrize(
    "body",
    [b"{", b"{]", b"[1]", b'{"Action":}', b"\xff\xfe", b"Action=%ff", b'{"Action":"\\ud800"}', b'{"a":NaN}',
     b'{"Action":' + b"[" * 50_000 + b"]" * 50_000 + b"}", b"&".join(b"a%d=1" % n for n in range(5000)),
     b'{"Action":["GetRegion"],"Signature":"x"}', b'{"Action":"GetRegion","Signature":{"a":1},"PublicKey":3}'],
)  # fmt: skip
def test_hostile_bodies_get_a_clear_answer(hub: TestHub, body: bytes) -> None:
    reply = hub.request("POST", "/", headers=JSON, body=body)
    assert reply.status == 200
    assert reply.json["RetCode"] in {160, 170, 230}


NUL = "Action=CreateRepo&RepoName=nul&Description=a%00b"


@pytest.mark.parametrize(
    ("query", "body"),
    [(NUL, b""), ("", NUL.encode()), ("Action=CreateRepo&a%00=b", b""),
     ("", b'{"Action":"CreateRepo","Description":"a\\u0000b"}'), ("", b'{"Action":"CreateRepo","a":[{"\\u0000":1}]}')],
)  # fmt: skip
def test_a_nul_is_refused_on_every_way_in(hub: TestHub, query: str, body: bytes) -> None:
    """PostgreSQL keeps it in no text, and what is taken must not hang on the engine."""
    reply = hub.request("POST", f"/?{query}", headers=JSON if body[:1] == b"{" else FORM, body=body)
    assert reply.json["RetCode"] == 230
    assert "NUL" in reply.json["Message"]


def test_an_oversize_body_is_240_and_not_gathered(hub: TestHub) -> None:
    reply = hub.request("POST", "/", headers=FORM, body=[b"a" * 600_000] * 3)
    assert (reply.status, reply.json["RetCode"]) == (200, 240)


@given(
    st.dictionaries(
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=10).filter(
            lambda name: (
                name
                not in {
                    "Action",
                    "Signature",
                    "PublicKey",
                    "Region",
                    "Limit",
                    "Offset",
                    "BucketName",
                    "BucketType",
                    "OrderBy",
                    "ProjectId",
                    "SecurityToken",
                }
            )
        ),
        st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=20),
        max_size=6,
    ),
    st.sampled_from(["form", "get", "json"]),
)
def test_whatever_else_is_sent_the_signature_holds(hub_once: TestHub, extra: dict[str, str], transport: str) -> None:
    params = signed(hub_once, {**LIST, **extra})
    if transport == "json":
        reply = hub_once.request("POST", "/", headers=JSON, body=json.dumps(params, ensure_ascii=False).encode())
    elif transport == "get":
        reply = hub_once.request("GET", "/?" + urlencode(params, quote_via=quote))
    else:
        reply = form(hub_once, params)
    assert reply.json["RetCode"] == 0


@pytest.fixture
def hub_once(hub: TestHub) -> TestHub:
    return hub


def test_browser_is_led_to_the_console_and_api_clients_are_not(hub: TestHub) -> None:
    page = hub.request("GET", "/", headers={"accept": "text/html,application/xhtml+xml"})
    assert (page.status, page.headers["location"]) == (302, "/console")
    called = hub.request("GET", "/?Action=GetRegion", headers={"accept": "text/html"})
    assert called.json["RetCode"] == 170
    assert hub.request("GET", "/").json["RetCode"] == 160


def test_an_unexpected_fault_leaks_nothing(hub: TestHub, capsys: pytest.CaptureFixture[str]) -> None:
    hub.run(hub.hub.db.write(lambda rows: rows.run("ALTER TABLE project RENAME TO gone")))
    answer = hub.call("GetProjectList")
    assert answer["RetCode"] in {130, 150}
    assert hub.private_key not in capsys.readouterr().out
