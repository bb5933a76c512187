"""Manifests, tags and referrers at the door."""

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Loop, TestHub
from tests.registry.kit import OCI_INDEX, OCI_MANIFEST, digest, manifest_of, push_blob, push_image, put_manifest

NAME = "depot/app"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture
def depot(hub: TestHub) -> TestHub:
    hub.bucket("depot")
    return hub


def test_manifest_comes_back_bit_for_bit_by_tag_and_digest(depot: TestHub) -> None:
    name, content = push_image(depot, NAME, "v1", depot.main)
    for reference in ("v1", name):
        reply = depot.request("GET", f"/v2/{NAME}/manifests/{reference}", login=depot.main)
        assert (reply.status, reply.body) == (200, content)
        assert reply.headers["content-type"] == OCI_MANIFEST
        assert reply.headers["docker-content-digest"] == name
        head = depot.request("HEAD", f"/v2/{NAME}/manifests/{reference}", login=depot.main)
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(content)))


def test_pull_costs_one_statement(depot: TestHub) -> None:
    depot.bucket("openly", is_public=True)
    push_image(depot, "openly/app", "v1", depot.main)
    token = depot.token(depot.main, "repository:openly/app:pull")
    for login in (None, token):
        for method in ("GET", "HEAD"):
            before = depot.queries()
            assert depot.request(method, "/v2/openly/app/manifests/v1", login=login).status == 200
            assert depot.queries() - before == 1


def test_if_none_match_answers_304(depot: TestHub) -> None:
    name, _ = push_image(depot, NAME, "v1", depot.main)
    for path in (f"/v2/{NAME}/manifests/v1",):
        reply = depot.request("GET", path, headers={"if-none-match": f'"{name}"'}, login=depot.main)
        assert (reply.status, reply.body) == (304, b"")


def test_sha512_manifests(depot: TestHub) -> None:
    _, content = push_image(depot, NAME, "v1", depot.main)
    name = digest(content, "sha512")
    assert put_manifest(depot, NAME, name, content, depot.main).headers["docker-content-digest"] == name
    assert depot.request("GET", f"/v2/{NAME}/manifests/{name}", login=depot.main).body == content


def test_missing_blobs_are_named_and_nothing_is_stored(depot: TestHub) -> None:
    missing = digest(b"never pushed")
    reply = put_manifest(depot, NAME, "v1", manifest_of([(missing, 5)]), depot.main)
    assert (reply.status, reply.code) == (404, "MANIFEST_BLOB_UNKNOWN")
    assert missing in reply.json["errors"][0]["message"]
    assert depot.request("GET", f"/v2/{NAME}/manifests/v1", login=depot.main).status == 404


def test_a_blob_of_another_image_must_be_mounted_first(depot: TestHub) -> None:
    blob = push_blob(depot, "depot/other", b"config", depot.main)
    assert put_manifest(depot, NAME, "v1", manifest_of([(blob, 6)]), depot.main).code == "MANIFEST_BLOB_UNKNOWN"


def test_foreign_layers_need_not_be_pushed(depot: TestHub) -> None:
    config = push_blob(depot, NAME, b"{}", depot.main)
    document = json.loads(manifest_of([(config, 2)]))
    document["layers"] = [
        {
            "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
            "size": 9,
            "digest": digest(b"far"),
            "urls": ["https://example.com/layer"],
        }
    ]
    assert put_manifest(depot, NAME, "v1", json.dumps(document).encode(), depot.main).status == 201


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"", OCI_MANIFEST),
        (b"not json", OCI_MANIFEST),
        (b"\xff\xfe{}", OCI_MANIFEST),
        (b"[" * 100_000, OCI_MANIFEST),
        (b"[]", OCI_MANIFEST),
        (b'{"schemaVersion":1}', OCI_MANIFEST),
        (b'{"schemaVersion":2}', OCI_MANIFEST),
        (b'{"schemaVersion":2,"manifests":[]}', OCI_MANIFEST),
        (b'{"schemaVersion":2,"manifests":[],"layers":[]}', OCI_INDEX),
        (b'{"schemaVersion":2,"manifests":[],"mediaType":"text/plain"}', OCI_INDEX),
        (b'{"schemaVersion":2,"manifests":[]}', "application/json"),
        (b'{"schemaVersion":2,"manifests":[]}', "application/vnd.docker.distribution.manifest.v1+prettyjws"),
        (b'{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:x","size":1}]}', OCI_INDEX),
        (
            b'{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"sha256:' + b"0" * 64 + b'","size":-1}]}',
            OCI_INDEX,
        ),
        (b'{"schemaVersion":2,"manifests":[{"mediaType":"a","digest":"../../x","size":1}]}', OCI_INDEX),
    ],
)
def test_bad_manifests_are_refused_and_not_stored(depot: TestHub, content: bytes, media_type: str) -> None:
    reply = put_manifest(depot, NAME, "v1", content, depot.main, media_type)
    assert reply.status == 400
    assert reply.code in {"MANIFEST_INVALID", "DIGEST_INVALID"}
    assert depot.request("GET", f"/v2/{NAME}/tags/list", login=depot.main).status == 404


def test_a_manifest_over_the_limit_is_413_whether_announced_or_not(depot: TestHub) -> None:
    big = b" " * (depot.settings.manifest_bytes + 1)
    announced = put_manifest(depot, NAME, "v1", big, depot.main)
    assert announced.status == 413
    streamed = depot.request(
        "PUT",
        f"/v2/{NAME}/manifests/v1",
        headers={"content-type": OCI_MANIFEST},
        body=[big[:3_000_000]] * 2,
        login=depot.main,
    )
    assert streamed.status == 413


def test_digest_in_the_url_must_be_that_of_the_bytes(depot: TestHub) -> None:
    _, content = push_image(depot, NAME, "v1", depot.main)
    reply = put_manifest(depot, NAME, digest(b"else"), content, depot.main)
    assert (reply.status, reply.code) == (400, "DIGEST_INVALID")


def test_several_tags_in_one_push(depot: TestHub) -> None:
    name, content = push_image(depot, NAME, "v1", depot.main)
    reply = put_manifest(depot, NAME, f"{name}?tag=a&tag=b&tag=v1", content, depot.main)
    assert [value for header, value in reply.all_headers if header == "oci-tag"] == ["a", "b", "v1"]
    listed = depot.request("GET", f"/v2/{NAME}/tags/list", login=depot.main).json
    assert listed == {"name": NAME, "tags": ["a", "b", "v1"]}
    many = "&".join(f"tag=t{place}" for place in range(101))
    assert put_manifest(depot, NAME, f"{name}?{many}", content, depot.main).status == 414
    assert put_manifest(depot, NAME, f"{name}?tag=.bad", content, depot.main).code == "TAG_INVALID"


def test_deleting_a_tag_deletes_only_it(depot: TestHub) -> None:
    name, content = push_image(depot, NAME, "v1", depot.main)
    put_manifest(depot, NAME, "v2", content, depot.main)
    assert depot.request("DELETE", f"/v2/{NAME}/manifests/v1", login=depot.main).status == 202
    assert depot.request("GET", f"/v2/{NAME}/manifests/v1", login=depot.main).code == "MANIFEST_UNKNOWN"
    assert depot.request("GET", f"/v2/{NAME}/manifests/v2", login=depot.main).status == 200
    assert depot.request("GET", f"/v2/{NAME}/manifests/{name}", login=depot.main).status == 200
    assert depot.request("DELETE", f"/v2/{NAME}/manifests/v1", login=depot.main).status == 404


def test_deleting_a_digest_takes_its_tags_along(depot: TestHub) -> None:
    name, content = push_image(depot, NAME, "v1", depot.main)
    put_manifest(depot, NAME, "v2", content, depot.main)
    push_image(depot, NAME, "other", depot.main)
    assert depot.request("DELETE", f"/v2/{NAME}/manifests/{name}", login=depot.main).status == 202
    assert depot.request("GET", f"/v2/{NAME}/tags/list", login=depot.main).json["tags"] == ["other"]
    assert depot.request("GET", f"/v2/{NAME}/manifests/{name}", login=depot.main).status == 404


def test_a_blob_that_a_manifest_needs_cannot_be_deleted(depot: TestHub) -> None:
    _, content = push_image(depot, NAME, "v1", depot.main)
    blob = json.loads(content)["config"]["digest"]
    refused = depot.request("DELETE", f"/v2/{NAME}/blobs/{blob}", login=depot.main)
    assert (refused.status, refused.code) == (405, "UNSUPPORTED")
    assert depot.request("GET", f"/v2/{NAME}/blobs/{blob}", login=depot.main).status == 200


def test_tag_pages_are_complete_ordered_and_bounded(depot: TestHub) -> None:
    _, content = push_image(depot, NAME, "seed", depot.main)
    wanted = sorted(["seed", "B", "a", "_x", "a.b", "a-b", *(f"t{place:03}" for place in range(20))])
    for tag in wanted:
        put_manifest(depot, NAME, tag, content, depot.main)
    seen: list[str] = []
    path = f"/v2/{NAME}/tags/list?n=7"
    while path:
        reply = depot.request("GET", path, login=depot.main)
        assert len(reply.json["tags"]) <= 7
        seen += reply.json["tags"]
        link = reply.headers.get("link", "")
        path = link.partition("<")[2].partition(">")[0]
    assert seen == wanted
    none = depot.request("GET", f"/v2/{NAME}/tags/list?n=0", login=depot.main)
    assert (none.json["tags"], "link" in none.headers) == ([], False)
    assert depot.request("GET", f"/v2/{NAME}/tags/list?last=a", login=depot.main).json["tags"][0] == "a-b"
    for bad in ("-1", "x", "1.5", "%C2%B2"):
        reply = depot.request("GET", f"/v2/{NAME}/tags/list?n={bad}", login=depot.main)
        assert (reply.status, reply.code) == (400, "PAGINATION_NUMBER_INVALID")
    assert depot.request("GET", f"/v2/{NAME}/tags/list?n={'9' * 30}", login=depot.main).status == 200


def test_tag_page_costs_two_statements(depot: TestHub) -> None:
    _, content = push_image(depot, NAME, "a", depot.main)
    for place in range(50):
        put_manifest(depot, NAME, f"t{place}", content, depot.main)
    token = depot.token(depot.main, f"repository:{NAME}:pull")
    before = depot.queries()
    assert len(depot.request("GET", f"/v2/{NAME}/tags/list", login=token).json["tags"]) == 51
    assert depot.queries() - before == 2


def test_referrers(depot: TestHub) -> None:
    name, content = push_image(depot, NAME, "v1", depot.main)
    subject = {"mediaType": OCI_MANIFEST, "digest": name, "size": len(content)}
    signature, _ = push_image(
        depot, NAME, "sig", depot.main, subject=subject, artifactType="app/sig", annotations={"who": "me"}
    )
    sbom, _ = push_image(depot, NAME, "sbom", depot.main, subject=subject)
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "subject": subject}).encode()
    put = put_manifest(depot, NAME, digest(index), index, depot.main, OCI_INDEX)
    assert put.headers["oci-subject"] == name
    reply = depot.request("GET", f"/v2/{NAME}/referrers/{name}", login=depot.main)
    assert reply.headers["content-type"] == OCI_INDEX
    found = {one["digest"]: one for one in reply.json["manifests"]}
    assert set(found) == {signature, sbom, digest(index)}
    assert found[signature]["artifactType"] == "app/sig"
    assert found[signature]["annotations"] == {"who": "me"}
    assert found[sbom]["artifactType"] == "application/octet-stream"
    assert "artifactType" not in found[digest(index)]
    filtered = depot.request("GET", f"/v2/{NAME}/referrers/{name}?artifactType=app/sig", login=depot.main)
    assert [one["digest"] for one in filtered.json["manifests"]] == [signature]
    assert filtered.headers["oci-filters-applied"] == "artifactType"
    depot.request("DELETE", f"/v2/{NAME}/manifests/{signature}", login=depot.main)
    depot.request("DELETE", f"/v2/{NAME}/manifests/{name}", login=depot.main)
    left = depot.request("GET", f"/v2/{NAME}/referrers/{name}", login=depot.main).json["manifests"]
    assert {one["digest"] for one in left} == {sbom, digest(index)}


def test_referrers_of_nothing_are_an_empty_index(depot: TestHub) -> None:
    for name in (NAME, "depot/never"):
        reply = depot.request("GET", f"/v2/{name}/referrers/{digest(b'no')}", login=depot.main)
        assert (reply.status, reply.json["manifests"]) == (200, [])
    assert depot.request("GET", f"/v2/{NAME}/referrers/sha256:bad", login=depot.main).status == 400


def test_referrers_page_by_count_and_by_size(depot: TestHub) -> None:
    subject = {"mediaType": OCI_MANIFEST, "digest": digest(b"s"), "size": 1}
    wanted = set()
    for place in range(5):
        index = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": OCI_INDEX,
                "manifests": [],
                "subject": subject,
                "annotations": {"n": str(place), "pad": "x" * 1_000_000},
            }
        ).encode()
        wanted.add(digest(index))
        assert put_manifest(depot, NAME, digest(index), index, depot.main, OCI_INDEX).status == 201
    seen: list[str] = []
    path, pages = f"/v2/{NAME}/referrers/{digest(b's')}", 0
    while path:
        reply = depot.request("GET", path, login=depot.main)
        assert len(reply.body) < 4_000_000
        seen += [one["digest"] for one in reply.json["manifests"]]
        path, pages = reply.headers.get("link", "").partition("<")[2].partition(">")[0], pages + 1
    assert (set(seen), len(seen), pages) == (wanted, 5, 3)


def test_counters_follow_every_push_and_delete(depot: TestHub) -> None:
    def counters() -> tuple[int, int, int]:
        row = depot.run(
            depot.hub.db.read(
                lambda rows: rows.one(
                    "SELECT b.image_count, i.manifest_count, i.tag_count"
                    " FROM bucket b JOIN image i ON i.bucket_id = b.id"
                )
            )
        )
        assert row is not None
        return row

    name, content = push_image(depot, NAME, "v1", depot.main)
    assert counters() == (1, 1, 1)
    put_manifest(depot, NAME, "v1", content, depot.main)
    put_manifest(depot, NAME, "v2", content, depot.main)
    assert counters() == (1, 1, 2)
    other, _ = push_image(depot, NAME, "v1", depot.main)
    assert counters() == (1, 2, 2)
    depot.request("DELETE", f"/v2/{NAME}/manifests/{name}", login=depot.main)
    assert counters() == (1, 1, 1)
    depot.request("DELETE", f"/v2/{NAME}/manifests/v1", login=depot.main)
    depot.request("DELETE", f"/v2/{NAME}/manifests/{other}", login=depot.main)
    assert counters() == (0, 0, 0)


def test_ranges_of_a_blob(depot: TestHub) -> None:
    content = os.urandom(5000)
    name = push_blob(depot, NAME, content, depot.main)
    cases = {
        "bytes=500-1499": (500, 1500),
        "bytes=500-": (500, 5000),
        "bytes=-500": (4500, 5000),
        "bytes=2000-99999": (2000, 5000),
        "bytes=0-0": (0, 1),
        "bytes=-99999": (0, 5000),
    }
    for text, (start, end) in cases.items():
        reply = depot.request("GET", f"/v2/{NAME}/blobs/{name}", headers={"range": text}, login=depot.main)
        assert (reply.status, reply.body) == (206, content[start:end]), text
        assert reply.headers["content-range"] == f"bytes {start}-{end - 1}/5000"
    for text in ("bytes=5000-", "bytes=9000-9999", "bytes=500-0", "bytes=-0"):
        reply = depot.request("GET", f"/v2/{NAME}/blobs/{name}", headers={"range": text}, login=depot.main)
        assert (reply.status, reply.headers["content-range"]) == (416, "bytes */5000"), text
    for text in ("bytes=0-1,3-4", "lines=1-2", "bytes=", "bytes=a-b"):
        assert depot.request("GET", f"/v2/{NAME}/blobs/{name}", headers={"range": text}, login=depot.main).status == 200


def test_sparse_images_where_the_setting_accepts_them(loop: Loop, tmp_path: Path) -> None:
    hub = TestHub(loop, tmp_path / "sparse", missing_content="accept")
    hub.bucket("depot")
    config, layer = push_blob(hub, NAME, b"{}", hub.main), digest(b"later")
    content = manifest_of([(config, 2), (layer, 5)])
    made = put_manifest(hub, NAME, "v1", content, hub.main)
    assert made.status == 201
    assert hub.request("GET", f"/v2/{NAME}/blobs/{layer}", login=hub.main).status == 404
    push_blob(hub, NAME, b"later", hub.main)
    kept = hub.request("DELETE", f"/v2/{NAME}/blobs/{layer}", login=hub.main)
    assert kept.code == "UNSUPPORTED", "the manifest holds what arrived later"
    again = put_manifest(hub, NAME, "v2", manifest_of([(config, 2), (digest(b"never"), 5)]), hub.main)
    for reference in (made.headers["docker-content-digest"], again.headers["docker-content-digest"]):
        assert hub.request("DELETE", f"/v2/{NAME}/manifests/{reference}", login=hub.main).status == 202
    assert hub.run(hub.hub.db.read(lambda rows: rows.all("SELECT * FROM manifest_missing"))) == []
    assert hub.request("DELETE", f"/v2/{NAME}/blobs/{layer}", login=hub.main).status == 202
    hub.close()
