"""Grants to other accounts, networks, quotas, rates."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from entrepot.ops import people, quotas
from tests import stored
from tests.conftest import Loop, TestHub
from tests.registry.kit import push_image


@pytest.fixture
def other(hub: TestHub) -> tuple[str, str]:
    made = hub.run(
        people.add_user(hub.hub, "other@example.com", password="battery staple", rights=frozenset(), account_of=None)
    )
    return made.public_key, made.private_key


def listed(hub: TestHub, keys: tuple[str, str], kind: str = "All") -> list[str]:
    answer = hub.call_as(keys, "GetImageBucketList", Region="cn-bj2", BucketType=kind)
    assert answer["TotalCount"] == len(answer["ImageSet"])
    return [one["BucketName"] for one in answer["ImageSet"]]


def test_a_grant_lets_another_account_in(hub: TestHub, other: tuple[str, str]) -> None:
    hub.bucket("lent-bucket")
    hub.bucket("kept-bucket")
    push_image(hub, "lent-bucket/app", "v1", hub.main)
    path = "/v2/lent-bucket/app/manifests/v1"
    scope = "repository:lent-bucket/app:pull,push,delete"
    assert listed(hub, other) == []
    assert hub.request("GET", path, login=other).code == "NAME_UNKNOWN"
    assert hub.call("GrantBucket", BucketName="lent-bucket", GranteeID=2)["RetCode"] == 0
    assert (listed(hub, other), listed(hub, other, "Share"), listed(hub, other, "User")) == (
        ["lent-bucket"], ["lent-bucket"], [],
    )  # fmt: skip
    one = hub.call_as(other, "GetImageBucketList", Region="cn-bj2", BucketName="lent-bucket")
    assert one["ImageSet"][0]["BucketType"] == "Private"
    assert hub.call_as(other, "GetRepoImage", RepoName="lent-bucket")["TotalCount"] == 1
    assert hub.request("GET", path, login=other).status == 200
    assert hub.request("GET", path, login=hub.token(other, scope)).status == 200
    assert hub.request("POST", "/v2/lent-bucket/app/blobs/uploads/", login=hub.token(other, scope)).code == "DENIED"
    assert hub.call("GrantBucket", BucketName="lent-bucket", GranteeID=2, Permission="Write")["RetCode"] == 0
    push_image(hub, "lent-bucket/app", "v2", hub.token(other, scope))
    assert hub.request("DELETE", path, login=hub.token(other, scope)).code == "DENIED"
    assert hub.call_as(other, "DeleteRepo", RepoName="lent-bucket")["RetCode"] == 1030
    grants = hub.call("ListBucketGrants", BucketName="lent-bucket")["GrantSet"]
    assert [(one["GranteeID"], one["Permission"]) for one in grants] == [(2, "Write")]
    assert hub.call_as(other, "ListBucketGrants", BucketName="lent-bucket")["RetCode"] == 43023
    # Visibility changes, and the lists and their counts with it.
    hub.call("UpdateRepo", RepoName="lent-bucket", IsShared="true")
    assert listed(hub, other) == listed(hub, other, "Share") == ["lent-bucket"]
    hub.call("UpdateRepo", RepoName="lent-bucket", IsShared="false")
    assert listed(hub, other) == ["lent-bucket"]
    assert hub.call("RevokeBucketGrant", BucketName="lent-bucket", GranteeID=2)["RetCode"] == 0
    assert hub.call("RevokeBucketGrant", BucketName="lent-bucket", GranteeID=2)["RetCode"] == 230
    assert listed(hub, other) == []
    for wrong in (1, 99, 0, "x"):
        assert hub.call("GrantBucket", BucketName="lent-bucket", GranteeID=wrong)["RetCode"] == 230
    hub.call("GrantBucket", BucketName="kept-bucket", GranteeID=2)
    hub.call("DeleteRepo", RepoName="kept-bucket")
    assert listed(hub, other) == []


def test_rights_of_the_guests_own_account_still_count(hub: TestHub, other: tuple[str, str]) -> None:
    hub.bucket("lent-bucket")
    push_image(hub, "lent-bucket/app", "v1", hub.main)
    hub.call("GrantBucket", BucketName="lent-bucket", GranteeID=2, Permission="Write")
    made = hub.call_as(other, "CreateUser", UserName="bob", AccessKeyStatus="Active", LoginProfileStatus="Inactive")
    bob = (made["AccessKeyID"], made["AccessKeySecret"])
    path = "/v2/lent-bucket/app/manifests/v1"
    assert hub.request("GET", path, login=bob).status in {403, 404}
    hub.call_as(other, "SetUserRights", UserName="bob", Right=["pull"])
    assert hub.request("GET", path, login=bob).status == 200
    assert hub.request("POST", "/v2/lent-bucket/app/blobs/uploads/", login=bob).status == 403


def test_networks_of_a_bucket(hub: TestHub) -> None:
    """Requests of these tests come from 127.0.0.9."""
    hub.bucket("near-bucket")
    push_image(hub, "near-bucket/app", "v1", hub.main)
    push = ("POST", "/v2/near-bucket/app/blobs/uploads/")
    pull = ("GET", "/v2/near-bucket/app/manifests/v1")

    def tried() -> tuple[int, int]:
        return hub.request(*push, login=hub.main).status, hub.request(*pull, login=hub.main).status

    def set_policy(**params: Any) -> int:
        return int(hub.call("SetBucketNetworkPolicy", BucketName="near-bucket", **params)["RetCode"])

    assert set_policy(Network=["192.0.2.0/24", "2001:db8::/32"]) == 0
    assert tried() == (403, 403)
    hub.call("UpdateRepo", RepoName="near-bucket", IsShared="true")
    assert hub.request(*pull).status == 403
    assert set_policy(Network=["127.0.0.9"]) == 0
    assert tried() == (202, 200)
    shown = hub.call("GetBucketNetworkPolicy", BucketName="near-bucket")
    assert (shown["IsOutSide"], shown["NetworkSet"]) == ("true", ["127.0.0.9/32"])
    assert set_policy(Network=["nowhere"]) == 230
    assert set_policy(Network=[""]) == 0
    assert set_policy(IsOutSide="false") == 0
    assert tried() == (202, 200)
    assert hub.call("GetRepo", Type="public")["RepoSet"][0]["IsOutSide"] == "false"


@pytest.fixture
def outside(loop: Loop, tmp_path: Path) -> Iterator[TestHub]:
    """A hub to which 127.0.0.9 is the internet."""
    made = TestHub(loop, tmp_path / "data", internal_networks="10.0.0.0/8")
    yield made
    made.close()


def test_is_out_side_is_uhubs_rule(outside: TestHub) -> None:
    """Off: no push from outside; no pull either, unless the repository is public."""
    hub = outside
    hub.bucket("near-bucket")
    push_image(hub, "near-bucket/app", "v1", hub.main)
    hub.call("SetBucketNetworkPolicy", BucketName="near-bucket", IsOutSide="false")
    pull, push = "/v2/near-bucket/app/manifests/v1", "/v2/near-bucket/app/blobs/uploads/"
    token = hub.token(hub.main, "repository:near-bucket/app:pull,push")
    assert (hub.request("GET", pull, login=token).status, hub.request("POST", push, login=token).status) == (403, 403)
    digest = hub.request("GET", pull, login=hub.main)
    assert digest.status == 403
    hub.call("UpdateRepo", RepoName="near-bucket", IsShared="true")
    assert (hub.request("GET", pull).status, hub.request("POST", push, login=token).status) == (200, 403)
    assert hub.call("SetBucketNetworkPolicy", BucketName="near-bucket", IsOutSide="True")["RetCode"] == 0
    assert hub.request("POST", push, login=token).status == 202


def test_network_masks_of_an_account(hub: TestHub) -> None:
    assert hub.call("GetNetworkMask")["Data"] == {"LoginNetworkMask": "", "APINetworkMask": ""}
    assert hub.call("SetNetworkMask", APINetworkMask="192.0.2.1", Code="1234")["RetCode"] == 230
    assert hub.call("SetNetworkMask", APINetworkMask="here")["RetCode"] == 230
    assert hub.call("SetNetworkMask", APINetworkMask="192.0.2.0/24, 127.0.0.0/8")["RetCode"] == 0
    assert hub.call("GetNetworkMask")["Data"]["APINetworkMask"] == "192.0.2.0/24,127.0.0.0/8"
    hub.run(hub.hub.db.write(lambda rows: rows.run("UPDATE account SET api_networks = '192.0.2.0/24'")))
    assert hub.call("GetRegion")["RetCode"] == 294
    assert hub.request("GET", "/v2/", login=(hub.public_key, hub.private_key)).status == 403
    assert hub.request("GET", "/v2/", login=hub.main).status == 200
    hub.run(hub.hub.db.write(lambda rows: rows.run("UPDATE account SET api_networks = ''")))
    assert hub.call("SetNetworkMask", LoginNetworkMask="192.0.2.0/24")["RetCode"] == 0
    assert hub.request("GET", "/v2/", login=hub.main).status == 403
    assert hub.request("GET", "/v2/", login=(hub.email, "wrong password")).status == 401
    assert hub.request("GET", "/v2/", login=(hub.public_key, hub.private_key)).status == 200
    assert hub.call("SetNetworkMask", LoginNetworkMask="")["RetCode"] == 0
    assert hub.request("GET", "/v2/", login=hub.main).status == 200


def small(loop: Loop, tmp_path: Path, **given: Any) -> TestHub:
    return TestHub(loop, tmp_path / "data", **given)


def counted(hub: TestHub) -> tuple[int, int]:
    """(bytes of the bucket as kept, as summed anew)."""

    def both(rows: Any) -> tuple[int, int]:
        kept = rows.one("SELECT bytes FROM bucket WHERE name = 'depot'")[0]
        blobs = rows.one(
            "SELECT COALESCE(SUM(size), 0) FROM blob WHERE id IN (SELECT blob_id FROM image_blob l"
            " JOIN image i ON i.id = l.image_id JOIN bucket b ON b.id = i.bucket_id WHERE b.name = 'depot')"
        )[0]
        manifests = rows.one("SELECT COALESCE(SUM(size), 0) FROM manifest")[0]
        assert kept == rows.one("SELECT bytes FROM project WHERE is_default = 1")[0]
        return kept, blobs + manifests

    return hub.run(hub.hub.db.read(both))


def test_bytes_are_counted_once_in_a_bucket(hub: TestHub) -> None:
    hub.bucket("depot")
    push_image(hub, "depot/one", "v1", hub.main)
    first = counted(hub)
    assert first[0] == first[1] > 0
    push_image(hub, "depot/two", "v1", hub.main)
    both = counted(hub)
    manifest = hub.request("GET", "/v2/depot/two/manifests/v1", login=hub.main)
    assert both[0] == both[1]
    digest = manifest.headers["docker-content-digest"]
    layer = manifest.json["layers"][0]["digest"]
    assert hub.request("DELETE", f"/v2/depot/two/manifests/{digest}", login=hub.main).status == 202
    assert hub.request("DELETE", f"/v2/depot/two/blobs/{layer}", login=hub.main).status == 202
    assert counted(hub)[0] == counted(hub)[1]
    hub.call("DeleteRepoImage", RepoName="depot", ImageName="one")
    assert counted(hub)[0] == counted(hub)[1]
    hub.call("DeleteRepo", RepoName="depot")
    assert hub.run(hub.hub.db.read(lambda rows: rows.one("SELECT bytes FROM project WHERE is_default = 1")))[0] == 0


def test_eight_buckets_in_a_project(loop: Loop, tmp_path: Path) -> None:
    hub = small(loop, tmp_path, project_buckets=8)

    async def make(place: int) -> int:
        flat = {"Action": "CreateRepo", "RepoName": f"bucket-{place}", "PublicKey": hub.public_key}
        from entrepot.model import signing

        flat["Signature"] = signing.sign(flat, hub.private_key)
        query = "&".join(f"{key}={value}" for key, value in flat.items())
        return int((await hub.ask("GET", f"/?{query}")).json["RetCode"])

    async def race() -> list[int]:
        return list(await asyncio.gather(*(make(place) for place in range(20))))

    codes = hub.run(race())
    assert sorted(codes) == [0] * 8 + [1040] * 12
    shown = {(one["Scope"], one["Kind"]): (one["Most"], one["Used"]) for one in hub.call("ListQuotas")["QuotaSet"]}
    assert shown[(f"project {hub.project_id}", "buckets")] == (8, 8)
    hub.run(quotas.set_quota(hub.hub, project=hub.project_id, bucket=None, wanted={"buckets": 9}))
    reply = hub.request("GET", "/?" + signed_query(hub, "CreateRepo", RepoName="ninth"))
    assert reply.json["RetCode"] == 0
    assert reply.headers["warning"].startswith('299 - "9 of 9 buckets of project')
    hub.close()


def signed_query(hub: TestHub, action: str, **params: str) -> str:
    from urllib.parse import urlencode

    from entrepot.model import signing

    flat = {"Action": action, "PublicKey": hub.public_key, **params}
    return urlencode({**flat, "Signature": signing.sign(flat, hub.private_key)})


def test_bytes_of_a_bucket_hold_under_parallel_pushes(loop: Loop, tmp_path: Path) -> None:
    import hashlib

    hub = small(loop, tmp_path, bucket_bytes=100_000)  # so small that every blob lives in its row
    hub.bucket("depot")
    token = hub.token(hub.main, "repository:depot/app:pull,push")
    bodies = [bytes([place]) * 15_000 for place in range(20)]

    async def race() -> list[tuple[int, str]]:
        paths = [f"/v2/depot/app/blobs/uploads/?digest=sha256:{hashlib.sha256(one).hexdigest()}" for one in bodies]
        replies = await asyncio.gather(*(hub.ask("POST", path, body=body, login=token)
                                         for path, body in zip(paths, bodies, strict=True)))  # fmt: skip
        return [(reply.status, reply.headers.get("warning", "")) for reply in replies]

    replies = hub.run(race())
    assert sorted(status for status, _ in replies) == [201] * 6 + [403] * 14
    assert [text for status, text in replies if text] == ['299 - "90000 of 100000 bytes of this bucket are used"']
    assert counted(hub) == (90_000, 90_000)
    assert hub.run(hub.hub.db.read(lambda rows: rows.one("SELECT COUNT(*) FROM blob"))) == (6,)
    assert not stored.growing(hub)
    # A session is ended where it goes over; one that never fits is not begun.
    start = hub.request("POST", "/v2/depot/app/blobs/uploads/", login=token)
    late = b"x" * 15_000
    digest = f"sha256:{hashlib.sha256(late).hexdigest()}"
    refused = hub.request("PUT", f"{start.headers['location']}?digest={digest}", body=late, login=token)
    assert (refused.status, refused.code) == (403, "DENIED")
    assert "of this bucket" in refused.json["errors"][0]["message"]
    assert not stored.growing(hub)
    assert hub.request("GET", start.headers["location"], login=token).status == 404
    hub.run(quotas.set_quota(hub.hub, project=None, bucket="depot", wanted={"bytes": 90_000}))
    assert hub.request("POST", "/v2/depot/app/blobs/uploads/", login=token).status == 403
    hub.run(quotas.set_quota(hub.hub, project=None, bucket="depot", wanted={"bytes": None}))
    assert hub.request("POST", "/v2/depot/app/blobs/uploads/", login=token).status == 202
    hub.close()


def test_tags_of_an_image(loop: Loop, tmp_path: Path) -> None:
    hub = small(loop, tmp_path, image_tags=2)
    hub.bucket("depot")
    for tag in ("v1", "v2"):
        push_image(hub, "depot/app", tag, hub.main)
    manifest = hub.request("GET", "/v2/depot/app/manifests/v1", login=hub.main)
    media = {"content-type": manifest.headers["content-type"]}
    again = hub.request("PUT", "/v2/depot/app/manifests/v2", body=manifest.body, headers=media, login=hub.main)
    assert again.status == 201
    third = hub.request("PUT", "/v2/depot/app/manifests/v3", body=manifest.body, headers=media, login=hub.main)
    assert (third.status, third.code) == (403, "DENIED")
    assert hub.request("GET", "/v2/depot/app/tags/list", login=hub.main).json["tags"] == ["v1", "v2"]
    shown = hub.call("ListQuotas", BucketName="depot", ImageName="app")["QuotaSet"]
    assert (shown[-1]["Scope"], shown[-1]["Most"], shown[-1]["Used"]) == ("image depot/app", 2, 2)
    assert hub.call("ListQuotas", BucketName="nothing")["RetCode"] == 43023
    hub.close()


def test_a_key_has_a_rate_and_a_retry_burst_counts_once(loop: Loop, tmp_path: Path) -> None:
    hub = small(loop, tmp_path, calls_per_second=5)
    now = [1_000_000.0]
    hub.hub.clock = lambda: now[0]
    codes = [hub.call("GetRepo", Limit=place + 1)["RetCode"] for place in range(12)]
    assert codes == [0] * 10 + [153] * 2
    other = hub.run(people.create_key(hub.hub, hub.email))
    assert hub.call_as((other.public_key, other.private_key), "GetRegion")["RetCode"] == 0
    now[0] += 1.0
    # The JavaScript SDK sends a failing call four times at once: one wish, one call.
    for place in range(5):
        assert [hub.call("DeleteRepo", RepoName=f"none-{place}")["RetCode"] for _ in range(4)] == [1030] * 4
    assert hub.call("GetRegion")["RetCode"] == 153
    now[0] += 1.0
    assert [hub.call("GetRegion")["RetCode"] for _ in range(24)] == [0] * 20 + [153] * 4
    # Who does not know the private key uses up nothing.
    now[0] += 10.0
    for _ in range(50):
        assert hub.call_as((hub.public_key, "wrong"), "GetRegion")["RetCode"] == 171
    assert hub.call("GetRegion")["RetCode"] == 0
    hub.close()
