"""Attacks on the door, by class. The classes are those of registries' own advisories; what holds each is in this table.

class                                  held by (files of tests/registry where no folder is given)
 1 who may what, every route           test_access.py: the matrix; actions/test_tenancy.py: every action
 2 a digest opens nothing by itself    test_class_02
 3 mounts                              test_class_03; test_uploads.py: mount; test_robots.py: mounts
 4 upload sessions of others           test_class_04; test_uploads.py: a session belongs to
 5 create, move and delete of tags     test_class_05
 6 scope and method of a token         test_class_06
11 forged tokens                       test_class_11; test_access.py: forged and stale
12 first secrets, guessing             test_class_12; cli/test_cli.py: init; test_access.py: a flood of logins
13 parts of a signed text              test_class_13; model/test_signing.py
14 paths                               test_class_14, test_hostile_wire.py; test_access.py: no path reaches outside
15 limits                              test_class_15, test_hostile_wire.py; actions/test_door.py, actions/test_fuzz.py
16 manifests that read in two ways     test_class_16; test_manifests.py: bad manifests
17 wildcards and patterns              test_class_17; model/test_policy.py: many stars
18 content is never run or unpacked    test_class_18
21 forwarded headers and Host          test_class_21
22 what fails, fails closed            test_class_22
27 what was cached is gone at once     test_class_27; test_robots.py: tokens end at once
28 secrets in logs and answers         test_class_28, test_hostile_wire.py; actions/test_traps_account.py: trap 52
29 who may not delete                  test_class_29 (there is no read-only mode and no switch against deleting)
"""

import ast
import asyncio
import base64
import io
import json
import os
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from entrepot import wiring
from entrepot.ops import access, guesses, people
from tests import postgres, stored
from tests.conftest import Loop, Reply, TestHub
from tests.console.kit import Surfer
from tests.registry.kit import (
    OCI_INDEX,
    OCI_MANIFEST,
    digest,
    manifest_of,
    push_blob,
    push_image,
    put_manifest,
)

MINE, NEXT, THEIRS = "mine-depot", "next-depot", "their-depot"
APP = f"{MINE}/app"
Login = tuple[str, str]


@pytest.fixture
def world(hub: TestHub) -> TestHub:
    """Two buckets of the first account and one of a stranger's, each with an image."""
    hub.user("stranger@example.com", other_account=True)
    for bucket in (MINE, NEXT):
        hub.bucket(bucket)
        push_image(hub, f"{bucket}/app", "v1", hub.main)
    hub.bucket(THEIRS, email="stranger@example.com")
    push_image(hub, f"{THEIRS}/app", "v1", STRANGER)
    return hub


STRANGER = ("stranger@example.com", "battery staple")


def files(hub: TestHub) -> list[str]:
    """What lies in the data folder, the database left out."""
    root = hub.settings.data_dir
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.name.startswith("hub.db"))


# --- authorisation


def test_class_02_a_digest_opens_nothing(world: TestHub) -> None:
    """Blob, manifest, referrer and index child of one image are not there in the others, whoever asks."""
    subject, content = push_image(world, APP, "v1", world.main)
    document = json.loads(content)
    about = {"mediaType": OCI_MANIFEST, "digest": subject, "size": len(content)}
    push_image(world, APP, "signature", world.main, subject=about)
    assert len(world.request("GET", f"/v2/{APP}/referrers/{subject}", login=world.main).json["manifests"]) == 1
    blob = document["layers"][0]["digest"]
    for login, name in ((world.main, f"{MINE}/other"), (world.main, f"{NEXT}/app"), (STRANGER, f"{THEIRS}/app")):
        for method in ("GET", "HEAD"):
            assert world.request(method, f"/v2/{name}/blobs/{blob}", login=login).status == 404
            assert world.request(method, f"/v2/{name}/manifests/{subject}", login=login).status == 404
        assert world.request("GET", f"/v2/{name}/referrers/{subject}", login=login).json["manifests"] == []
        # Nor does a manifest that only names them make them visible.
        refused = put_manifest(world, name, "stolen", content, login)
        assert (refused.status, refused.code) == (404, "MANIFEST_BLOB_UNKNOWN")
        index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [about]}
        assert put_manifest(world, name, "index", json.dumps(index).encode(), login, OCI_INDEX).status == 201
        assert world.request("GET", f"/v2/{name}/manifests/{subject}", login=login).status == 404
        assert world.request("DELETE", f"/v2/{name}/blobs/{blob}", login=login).status == 404
    assert world.request("GET", f"/v2/{APP}/blobs/{blob}", login=world.main).status == 200


def mount(hub: TestHub, target: str, blob: str, source: str, login: Login | str) -> Reply:
    tail = f"&from={quote(source)}" if source else ""
    return hub.request("POST", f"/v2/{target}/blobs/uploads/?mount={blob}{tail}", login=login)


def test_class_03_mounts_take_what_the_token_may_pull(world: TestHub) -> None:
    """Forbidden, missing and malformed sources, and a blob that is nowhere, are one and the same answer."""
    hidden = push_blob(world, f"{NEXT}/app", b"hidden", world.main)
    allow = {"Effect": "Allow", "Action": ["uhub:Pull*", "uhub:Push*"], "Resource": [f"ucs:uhub:*:*:repo/{MINE}*"]}
    document = json.dumps({"Version": "1", "Statement": [allow]})
    urn = world.call("CreateIAMPolicy", PolicyName="mine", Document=document)["PolicyURN"]
    made = world.call("CreateUser", UserName="bob", AccessKeyStatus="Active", LoginProfileStatus="Active")
    bob = (made["Email"], made["Password"])
    world.call("AttachPoliciesToUser", UserName="bob", PolicyURNs=[urn])
    both = f"repository:{APP}:pull,push repository:{NEXT}/app:pull"
    for login in (bob, world.token(bob, both), world.token(bob, f"repository:{APP}:pull,push")):
        answers = set()
        for blob in (hidden, digest(b"nowhere")):
            for source in (f"{NEXT}/app", f"{THEIRS}/app", "no-depot/app", "Bad/NAME", "../../hub.key", ""):
                reply = mount(world, APP, blob, source, login)
                answers.add((reply.status, reply.body, frozenset(reply.headers)))
        assert len(answers) == 1, answers
        assert world.request("HEAD", f"/v2/{APP}/blobs/{hidden}", login=login).status == 404
    pull_only = world.token(world.main, f"repository:{APP}:pull")
    assert mount(world, APP, hidden, f"{NEXT}/app", pull_only).status == 401
    assert mount(world, f"{THEIRS}/app", hidden, f"{NEXT}/app", world.main).code == "NAME_UNKNOWN"
    assert mount(world, APP, hidden, f"{NEXT}/app", world.main).status == 201


def test_class_04_sessions_are_of_one_caller_and_one_image(world: TestHub) -> None:
    """With bytes in it and without, a session is 404 for a colleague, a stranger, and at another image."""
    colleague = world.user("colleague@example.com", "pull", "push", "delete")
    for has_bytes in (True, False):
        place = world.request("POST", f"/v2/{APP}/blobs/uploads/", login=world.main).headers["location"]
        session = place.rpartition("/")[2]
        if has_bytes:
            assert world.request("PATCH", place, body=b"abc", login=world.main).status == 202
        for login, name in (
            (colleague, APP),
            (world.main, f"{NEXT}/app"),
            (world.main, f"{MINE}/other"),
            (STRANGER, f"{THEIRS}/app"),
            (STRANGER, APP),
        ):
            for method in ("GET", "PATCH", "PUT", "DELETE"):
                query = f"?digest={digest(b'abc')}" if method == "PUT" else ""
                path = f"/v2/{name}/blobs/uploads/{session}{query}"
                reply = world.request(method, path, body=b"abc" if method == "PATCH" else b"", login=login)
                assert (reply.status, reply.code) in {(404, "BLOB_UPLOAD_UNKNOWN"), (404, "NAME_UNKNOWN")}
        assert world.request("GET", place, login=world.main).status == 204
        assert world.request("DELETE", place, login=world.main).status == 204
        assert world.request("PATCH", place, body=b"abc", login=world.main).status == 404


def test_class_05_rights_on_tags_by_every_way(world: TestHub) -> None:
    """Who may pull makes nothing, who may push deletes nothing, who may delete pushes nothing: at both doors."""
    first, content = push_image(world, APP, "latest", world.main)
    moved, other = push_image(world, APP, "other", world.main)
    logins = {right: world.user(f"{right}@example.com", right) for right in ("pull", "push", "delete")}
    media = {"content-type": OCI_MANIFEST}

    def put(login: Any, path: str, body: bytes = other) -> int:
        return world.request("PUT", f"/v2/{APP}/manifests/{path}", headers=media, body=body, login=login).status

    def tokened(right: str) -> str:
        return world.token(logins[right], f"repository:{APP}:pull,push,delete")

    for login in (logins["pull"], tokened("pull"), logins["delete"], tokened("delete")):
        assert put(login, "latest") == put(login, "new") == put(login, moved) == 403
        assert put(login, f"{moved}?tag=latest&tag=new") == 403
    for login in (logins["push"], tokened("push"), logins["pull"], tokened("pull")):
        for path in ("latest", first):
            assert world.request("DELETE", f"/v2/{APP}/manifests/{path}", login=login).status == 403
    assert world.request("GET", f"/v2/{APP}/manifests/latest", login=world.main).body == content
    assert put(logins["push"], f"{moved}?tag=latest") == 201
    for right in ("pull", "push"):
        made = world.run(people.create_key(world.hub, logins[right][0]))
        keys = (made.public_key, made.private_key)
        of_image = {"ImageName": "app"}
        for action, params in (
            ("DeleteImage", {"BucketName": MINE, **of_image, "Tag": ["latest"], "Region": "cn-bj2"}),
            ("DeleteRepoImage", {"RepoName": MINE, **of_image, "ProjectId": world.project_id}),
            ("RestoreTag", {"BucketName": MINE, **of_image, "TagName": "latest", "Digest": first}),
        ):
            wanted = 0 if (action, right) == ("RestoreTag", "push") else 299
            assert world.call_as(keys, action, **params)["RetCode"] == wanted, (action, right)
    assert world.request("DELETE", f"/v2/{APP}/manifests/latest", login=logins["delete"]).status == 202


def test_class_06_a_token_is_good_for_what_it_says(world: TestHub) -> None:
    for scope, good in (("pull", {"GET"}), ("push", {"PUT", "POST"}), ("delete", {"DELETE"}), ("", set())):
        token = world.token(world.main, f"repository:{APP}:{scope}")
        for method, path in (("GET", "manifests/v1"), ("PUT", "manifests/v2"), ("POST", "blobs/uploads/"),
                             ("DELETE", "manifests/v9")):  # fmt: skip
            reply = world.request(method, f"/v2/{APP}/{path}", headers={"content-type": OCI_MANIFEST}, login=token)
            assert (reply.status == 401) == (method not in good), (scope, method, reply.status)
            if reply.status == 401:
                assert 'error="insufficient_scope"' in reply.headers["www-authenticate"]
            assert world.request(method, f"/v2/{MINE}/app2/{path}", login=token).status == 401
            assert world.request(method, f"/v2/{NEXT}/app/{path}", login=token).status == 401
        assert world.request("GET", "/v2/_catalog", login=token).status == 401
    # Names that look alike are not the same, and a scope of a part of a name opens nothing.
    for asked in (f"repository:{MINE}:pull", f"repository:{APP}/:pull", f"repository:{APP}*:pull", "repository:*:*",
                  f"registry:{APP}:*", f"repository(plugin):{NEXT}/app:pull", f"REPOSITORY:{APP}:pull"):  # fmt: skip
        assert world.request("GET", f"/v2/{APP}/manifests/v1", login=world.token(world.main, asked)).status == 401, (
            asked
        )


# --- tokens and secrets


def forge(hub: TestHub, header: dict[str, Any], claims: dict[str, Any], key: Any = None) -> str:
    own = OctKey.import_key(hub.hub.vault.derive("token-registry"))
    algorithm = header["alg"]
    return jwt.encode(header, claims, key or own, algorithms=[algorithm])


def test_class_11_only_our_own_tokens(world: TestHub) -> None:
    """With the right key and one claim wrong, and with another key that the token itself brings along."""
    hub = world
    good = hub.token(hub.main, f"repository:{APP}:pull")
    payload = good.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    header = {"alg": "HS256", "typ": "JWT", "kid": "registry"}
    path = f"/v2/{APP}/manifests/v1"
    assert hub.request("GET", path, login=forge(hub, header, claims)).status == 200
    now = int(hub.hub.clock())
    for change in (
        {"iss": "other"}, {"aud": "other"}, {"aud": ["other"]}, {"nbf": now + 3600}, {"iat": now + 3600},
        {"exp": now - 1}, {"exp": "soon"}, {"exp": None}, {"sub": None},
    ):  # fmt: skip
        assert hub.request("GET", path, login=forge(hub, header, {**claims, **change})).status == 401, change
    for missing in ("iss", "aud", "exp", "iat", "sub"):
        left = {name: value for name, value in claims.items() if name != missing}
        assert hub.request("GET", path, login=forge(hub, header, left)).status == 401, missing
    # A claim of ours that is not what we write is no fault of the server.
    for change in ({"access": None}, {"access": [1]}, {"acc": None, "access": "x"}, {"wide": 5}, {"robot": [1]}):
        assert hub.request("GET", path, login=forge(hub, header, {**claims, **change})).status == 401, change
    evil = OctKey.generate_key(256)
    rsa = RSAKey.generate_key(2048, auto_kid=False)
    tokens = [
        forge(hub, header, claims, evil),
        forge(hub, {**header, "kid": "refresh"}, claims),
        forge(hub, {**header, "kid": "../../hub.key"}, claims),
        forge(hub, {**header, "jwk": evil.as_dict()}, claims, evil),
        forge(hub, {**header, "jku": "http://127.0.0.1/keys"}, claims, evil),
        forge(hub, {**header, "x5c": ["AAAA"]}, claims, evil),
        forge(hub, {**header, "alg": "RS256"}, claims, rsa),
        f"{good}.{good}",
        good + "A" * 20_000,
    ]
    for place, token in enumerate(tokens):
        assert hub.request("GET", path, login=token).status == 401, place
    # Each kind of token is good in its own place only.
    form = {"grant_type": "password", "username": hub.email, "password": hub.password, "access_type": "offline"}
    reply = hub.request("POST", "/token", body=urlencode(form).encode())
    refresh = reply.json["refresh_token"]
    assert hub.request("GET", path, login=refresh).status == 401
    swapped = urlencode({"grant_type": "refresh_token", "refresh_token": good}).encode()
    assert hub.request("POST", "/token", body=swapped).status == 401
    assert hub.request("GET", "/token", login=good).status == 401
    # What nobody asked for is not granted, and the audience is not the client's choice.
    anonymous = hub.token(None, f"repository:{APP}:*", "registry:catalog:*")
    for method, target in (("GET", path), ("POST", f"/v2/{APP}/blobs/uploads/"), ("GET", "/v2/_catalog")):
        assert hub.request(method, target, login=anonymous).status == 401
    other = hub.request("GET", "/token?service=evil.example&audience=evil", login=hub.main).json["token"]
    assert json.loads(base64.urlsafe_b64decode(other.split(".")[1] + "=="))["aud"] == access.SERVICE


def test_class_12_nobody_guesses(world: TestHub) -> None:
    """Wrong secrets run out per name and address; who knows the secret is let in all the same."""
    hub = world
    made = hub.call("CreateBucketRobot", BucketName=MINE, RobotName="ci", Permission=["Pull"])
    robot = (made["LoginName"], made["Secret"])
    now = [hub.hub.clock()]
    hub.hub.clock = lambda: now[0]
    assert hub.request("GET", "/v2/", login=hub.main).status == 200
    for name, secret in (hub.main, robot, (hub.public_key, hub.private_key)):
        tries = [hub.request("GET", "/token", login=(name, f"guess {place}")) for place in range(guesses.AT_ONCE + 5)]
        assert [reply.status for reply in tries] == [401] * guesses.AT_ONCE + [429] * 5
        assert {reply.headers["retry-after"] for reply in tries[-5:]} == {"1"}
        assert hub.request("GET", "/token", login=(name, secret)).status == 200
        lines = hub.call("ListAuditRecords", Limit=1000)["AuditSet"]
        wrong = [one for one in lines if (one["Target"], one["Result"]) == (name, 172)]
        assert len(wrong) == guesses.AT_ONCE, "a flood does not fill the trail"
    assert hub.request("GET", "/token", login=("nobody@example.com", "guess")).status == 401
    now[0] += guesses.SECONDS
    assert [hub.request("GET", "/token", login=(hub.email, f"g{place}")).status for place in range(2)] == [401, 429]


def test_class_12_all_processes_share_the_tries(world: TestHub) -> None:
    """Of the registry and of the console; what a flood of names leaves behind goes when more come."""
    hub = world
    now = hub.hub.clock()
    hub.hub.clock = lambda: now
    other = hub.run(wiring.open_hub(hub.settings))
    other.clock = lambda: now
    doors = [hub.app, wiring.build_app(other)]

    def guess(place: int) -> int:
        hub.app = doors[place % 2]
        return hub.request("GET", "/token", login=(hub.email, f"guess {place}")).status

    assert [guess(place) for place in range(guesses.AT_ONCE + 2)] == [401] * guesses.AT_ONCE + [429] * 2
    surfer = Surfer(hub)

    def sign_in(place: int) -> int:
        hub.app = doors[place % 2]
        return surfer.sign_in((hub.email, f"guess {place}")).status

    assert [sign_in(place) for place in range(12)] == [401] * 10 + [429] * 2

    def kept() -> int:
        return int(hub.run(hub.hub.db.read(lambda rows: rows.all("SELECT COUNT(*) FROM login_try")))[0][0])

    for place in range(30):
        hub.run(guesses.wrong(hub.hub, f"{place}@example.com", "192.0.2.1"))
    flooded = kept()
    assert flooded > 30
    now += 3600
    for place in range(flooded):
        hub.run(guesses.wrong(hub.hub, f"{place}@example.org", "192.0.2.1"))
    assert kept() == flooded, "none of the flood is left"
    hub.run(wiring.close_hub(other))


def test_class_12_an_unknown_name_costs_what_a_known_one_does(world: TestHub) -> None:
    hub = world
    checks = 0
    original = hub.hub.vault.check_password

    def counted(hashed: str | None, password: str) -> bool:
        nonlocal checks
        checks += 1
        return original(hashed, password)

    hub.hub.vault.check_password = counted  # type: ignore[method-assign]
    seen = {}
    for name in (hub.email, "nobody@example.com", "robot$mine-depot+ci", "robot$no-depot+ci", hub.public_key, "no-key"):
        checks = 0
        reply = hub.request("GET", "/token", login=(name, "guess"))
        seen[name] = (checks, reply.status, reply.body)
    assert len({one[1:] for one in seen.values()}) == 1, seen
    assert seen[hub.email][0] == seen["nobody@example.com"][0] == 2
    assert seen["robot$mine-depot+ci"] == seen["robot$no-depot+ci"]


def test_class_12_long_passwords_count_to_their_end(world: TestHub) -> None:
    """bcrypt would compare 72 bytes of them."""
    long = "x" * 1000
    world.run(people.set_password(world.hub, world.email, long + "a", registry=False))
    assert world.request("GET", "/v2/", login=(world.email, long + "b")).status == 401
    assert world.request("GET", "/v2/", login=(world.email, long)).status == 401
    assert world.request("GET", "/v2/", login=(world.email, long + "a")).status == 200
    assert world.request("GET", "/v2/", login=(world.email, "y" * 2000)).status == 401


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_class_13_no_two_pairs_are_one_text(world_once: TestHub, a: str, b: str, c: str, d: str) -> None:
    hub = world_once.hub
    assert (people._pair(hub, a, b) == people._pair(hub, c, d)) == ((a, b) == (c, d))


@pytest.fixture
def world_once(hub: TestHub) -> TestHub:
    return hub


def test_class_13_a_session_id_is_bound_to_each_of_its_parts(hub: TestHub) -> None:
    """Bucket and person by number, so 1 and 11, 2 and 22 exist: no shift of digits makes one id good for another."""
    logins = [hub.user(f"u{place}@example.com", "pull", "push") for place in range(22)]
    for place in range(12):
        hub.bucket(f"depot-{place}")
    callers = [logins[place] for place in (0, 9, 10, 20)]
    names = [f"depot-{place}/{image}" for place in (0, 1, 10, 11) for image in ("1", "11", "1/1")]
    starts = {
        (login[0], name): hub.request("POST", f"/v2/{name}/blobs/uploads/", login=login).headers["location"]
        for login in callers
        for name in names
    }
    for (_, name), place in starts.items():
        session = place.rpartition("/")[2]
        good = [
            (login[0], other)
            for login in callers
            for other in names
            if hub.request("GET", f"/v2/{other}/blobs/uploads/{session}", login=login).status == 204
        ]
        assert len(good) == 1
        assert good[0][1] == name


# --- input

PATHS = [
    "..", "../../hub.key", "..%2f..%2fhub.key", "%2e%2e/%2e%2e/hub.key", "..%252f..%252fhub.key", "..\\..\\hub.key",
    "%5c..%5c", "/etc/passwd", "%00", "v1%00.key", "%c0%ae%c0%ae/", "\u2025/", "\uff0e\uff0e/hub.key", "C:hub.key",
    "file:///etc/passwd", "sha256:../../hub.key", "sha256:" + "0" * 63 + "/", ".", "~root", "a" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("text", PATHS)
def test_class_14_paths_in_every_place(world: TestHub, text: str) -> None:
    key = (world.settings.data_dir / "hub.key").read_bytes()
    before, value = files(world), quote(text, safe="%")
    session = world.request("POST", f"/v2/{APP}/blobs/uploads/", login=world.main).headers["location"]
    paths = [
        ("GET", f"/v2/{value}/manifests/v1"), ("GET", f"/v2/{MINE}/{value}/manifests/v1"),
        ("GET", f"/v2/{APP}/manifests/{value}"), ("PUT", f"/v2/{APP}/manifests/{value}"),
        ("DELETE", f"/v2/{APP}/manifests/{value}"), ("GET", f"/v2/{APP}/blobs/{value}"),
        ("DELETE", f"/v2/{APP}/blobs/{value}"), ("GET", f"/v2/{APP}/referrers/{value}"),
        ("GET", f"/v2/{APP}/blobs/uploads/{value}"), ("PATCH", f"/v2/{APP}/blobs/uploads/{value}"),
        ("PUT", f"/v2/{APP}/blobs/uploads/{value}?digest={digest(b'x')}"), ("PUT", f"{session}?digest={value}"),
        ("POST", f"/v2/{APP}/blobs/uploads/?digest={value}"), ("POST", f"/v2/{APP}/blobs/uploads/?mount={value}"),
        ("POST", f"/v2/{APP}/blobs/uploads/?mount={digest(b'x')}&from={value}"),
        ("POST", f"/v2/{APP}/blobs/uploads/?digest-algorithm={value}"),
        ("GET", f"/v2/{APP}/tags/list?n={value}"), ("GET", f"/v2/{APP}/tags/list?last={value}"),
        ("GET", f"/v2/_catalog?last={value}"), ("GET", f"/token?scope=repository:{value}:pull"),
    ]  # fmt: skip
    for method, path in paths:
        reply = world.request(method, path, headers={"content-type": OCI_MANIFEST}, body=b"x", login=world.main)
        assert reply.status in {200, 202, 400, 404, 405, 414}, (method, path, reply.body)
        assert reply.path == ""
        assert key not in reply.body
        assert b"root:x:" not in reply.body
    assert files(world) == before


def test_class_15_bounds_of_what_is_sent(world: TestHub) -> None:
    hub = world
    config = push_blob(hub, APP, b"{}", hub.main)

    def put(content: bytes, media_type: str = OCI_MANIFEST, tail: str = "") -> Reply:
        return put_manifest(hub, APP, f"new{tail}", content, hub.main, media_type)

    one = json.loads(manifest_of([(config, 2)]))
    deep = b"[" * 50_000 + b"]" * 50_000
    nested = json.dumps(one).encode()[:-1]
    child = {"mediaType": OCI_MANIFEST, "digest": digest(b"c"), "size": 1}
    refused = {
        "deep in a member that is not known": nested + b',"x":' + deep + b"}",
        "deep where annotations are": nested + b',"annotations":{"a":' + deep + b"}}",
        "deep where layers are": nested.replace(b'"layers": []', b'"layers": ' + deep) + b"}",
        "too many descriptors": json.dumps({**one, "layers": [one["config"]] * 4096}).encode(),
    }
    for what, content in refused.items():
        reply = put(content)
        assert (reply.status, reply.code) == (400, "MANIFEST_INVALID"), what
    many = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [child] * 4097}
    assert put(json.dumps(many).encode(), OCI_INDEX).code == "MANIFEST_INVALID"
    full = json.dumps({**one, "annotations": {"a": ""}}).encode()
    full = full.replace(b'"a": ""', b'"a": "' + b"x" * (hub.settings.manifest_bytes - len(full)) + b'"')
    assert len(full) == hub.settings.manifest_bytes == 4 * 1024 * 1024
    assert put(full).status == 201
    assert (put(full + b" ").status, put(full + b" ").code) == (413, "MANIFEST_INVALID")
    assert put(json.dumps(one).encode(), tail="?" + "&".join(f"tag=t{place}" for place in range(101))).status == 414
    assert put(json.dumps(one).encode(), tail="?tag=" + "x" * 70_000).status == 414
    for text in ("-1", "1e9", "0x10", "\u0661", "9" * 5000, "1.5", "NaN"):
        reply = hub.request("GET", f"/v2/{APP}/tags/list?n={quote(text)}", login=hub.main)
        assert reply.status == (200 if text.isascii() and text.isdigit() else 400), text
    form = hub.request("POST", "/token", body=[b"x" * 40_000] * 2)
    assert form.status == 413
    assert hub.request("POST", "/token", body=b"scope=" + b"%ff" * 1000).status == 400
    wide = "&".join(f"scope=repository:{MINE}/app{place}:pull" for place in range(500))
    claims = hub.request("GET", f"/token?{wide}", login=hub.main).json["token"].split(".")[1]
    assert len(json.loads(base64.urlsafe_b64decode(claims + "=="))["access"]) == access.SCOPES
    for value in ("Basic", "Basic ====", "Basic " + "A" * 5000, "Basic \xff\xfe", "Bearer", "Bearer  ", "Digest x",
                  "basic " + base64.b64encode(b"no colon").decode()):  # fmt: skip
        assert hub.request("GET", "/v2/", headers={"authorization": value}).status == 401, value
    for length in ("-1", "+5", "1e3", "\u0663", "9" * 30, "5, 5", ""):
        headers = {"content-length": length.encode("utf-8").decode("latin-1"), "content-type": OCI_MANIFEST}
        path = f"/v2/{APP}/manifests/v3"
        assert hub.request("PUT", path, headers=headers, body=b"hello", login=hub.main).status == 400, length


def test_class_15_open_uploads_of_one_caller(loop: Loop, tmp_path: Path) -> None:
    hub = TestHub(loop, tmp_path / "data", open_uploads=3)
    hub.bucket(MINE)
    other = hub.user("other@example.com", "pull", "push")
    start = f"/v2/{APP}/blobs/uploads/"
    places = [hub.request("POST", start, login=hub.main).headers["location"] for _ in range(6)]
    statuses = [hub.request("PATCH", place, body=b"abc", login=hub.main) for place in places]
    assert [reply.status for reply in statuses] == [202] * 3 + [429] * 3
    assert statuses[-1].headers["retry-after"] == "1"
    assert (statuses[-1].code, len(stored.growing(hub))) == ("TOOMANYREQUESTS", 3)
    assert hub.request("POST", start, login=hub.main).status == 429
    assert hub.request("PATCH", places[0], body=b"def", login=hub.main).status == 202
    assert hub.request("POST", start, login=other).status == 202
    assert hub.request("PUT", f"{places[0]}?digest={digest(b'abcdef')}", login=hub.main).status == 201
    assert hub.request("DELETE", places[1], login=hub.main).status == 204
    assert [hub.request("PATCH", place, body=b"abc", login=hub.main).status for place in places[3:]] == [202, 202, 429]
    made = hub.call("CreateBucketRobot", BucketName=MINE, RobotName="ci", Permission=["Push"])
    robot = (made["LoginName"], made["Secret"])
    of_robot = [hub.request("POST", start, login=robot).headers["location"] for _ in range(4)]
    assert [hub.request("PATCH", one, body=b"x", login=robot).status for one in of_robot] == [202] * 3 + [429]
    hub.close()


def test_class_15_a_body_that_never_ends(loop: Loop, tmp_path: Path) -> None:
    """A client that falls silent is told so, keeps what came of its upload, and holds nothing any more."""
    hub = TestHub(loop, tmp_path / "data", idle_seconds=1)
    hub.bucket(MINE)
    place = hub.request("POST", f"/v2/{APP}/blobs/uploads/", login=hub.main).headers["location"]

    async def silent(method: str, path: str, first: bytes) -> Reply:
        return await ask_silently(hub, method, path, first)

    form = hub.run(silent("POST", "/token", b"grant_type=pass"))
    assert (form.status, form.code) == (408, "UNSUPPORTED")
    assert hub.run(silent("PUT", f"/v2/{APP}/manifests/v1", b"{")).status == 408
    call = hub.run(silent("POST", "/", b"Action=GetRegion"))
    assert (call.status, call.json["RetCode"]) == (200, 241)
    assert hub.run(silent("PATCH", place, b"abc")).status == 408
    assert hub.request("GET", place, login=hub.main).headers["range"] == "0-2"
    assert hub.request("PATCH", place, headers={"content-range": "3-5"}, body=b"def", login=hub.main).status == 202
    assert hub.request("PUT", f"{place}?digest={digest(b'abcdef')}", login=hub.main).status == 201
    hub.close()


async def ask_silently(hub: TestHub, method: str, path: str, first: bytes) -> Reply:
    """A request that sends the beginning of its body, and then nothing."""
    got: dict[str, Any] = {"body": b""}
    sent = [{"type": "http.request", "body": first, "more_body": True}]

    async def receive() -> dict[str, Any]:
        if sent:
            return sent.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            got.update(message)
        got["body"] += message.get("body", b"")

    secret = base64.b64encode(":".join(hub.main).encode())
    headers = [(b"transfer-encoding", b"chunked"), (b"authorization", b"Basic " + secret), (b"host", b"hub.test"),
               (b"content-type", OCI_MANIFEST.encode())]  # fmt: skip
    scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers, "scheme": "http",
             "client": ("127.0.0.9", 5)}  # fmt: skip
    await hub.app(scope, receive, send)
    listed = {name.decode(): value.decode() for name, value in got["headers"]}
    return Reply(got["status"], listed, got["body"])


def two_ways(config: str) -> dict[str, bytes]:
    """Documents that one client reads in one way and another one in another."""
    item = f'{{"mediaType":"a","digest":"{config}","size":2}}'
    evil = f'{{"mediaType":"a","digest":"{digest(b"evil")}","size":4}}'
    head = f'"schemaVersion":2,"mediaType":"{OCI_MANIFEST}"'
    return {
        "layers and manifests": f'{{{head},"config":{item},"layers":[],"manifests":[]}}'.encode(),
        "layers twice": f'{{{head},"config":{item},"layers":[{evil}],"layers":[]}}'.encode(),
        "config twice": f'{{{head},"config":{evil},"config":{item},"layers":[]}}'.encode(),
        "mediaType twice": f'{{{head},"mediaType":"{OCI_MANIFEST}","config":{item},"layers":[]}}'.encode(),
        "digest twice": f'{{{head},"config":{item[:-1]},"digest":"{config}"}},"layers":[]}}'.encode(),
        "escaped and plain": f'{{{head},"config":{item},"l\\u0061yers":[{evil}],"layers":[]}}'.encode(),
        "an annotation twice": f'{{{head},"config":{item},"layers":[],"annotations":{{"a":"1","a":"2"}}}}'.encode(),
        "Layers beside layers": f'{{{head},"config":{item},"layers":[],"Layers":[{evil}]}}'.encode(),
        "Layers alone": f'{{{head},"config":{item},"LAYERS":[{evil}]}}'.encode(),
        "Digest in a descriptor": f'{{{head},"config":{item[:-1]},"Digest":"{config}"}},"layers":[]}}'.encode(),
        "another media type": f'{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","config":{item},"layers":[]}}'.encode(),
        "a byte order mark": f'\ufeff{{{head},"config":{item},"layers":[]}}'.encode(),
        "UTF-16": f'{{{head},"config":{item},"layers":[]}}'.encode("utf-16"),
        "not UTF-8": f'{{{head},"config":{item},"layers":[],"x":"'.encode() + b"\xff" + b'"}',
        "two documents": f'{{{head},"config":{item},"layers":[]}}{{}}'.encode(),
        "a negative size": f'{{{head},"config":{item.replace(":2}", ":-2}")},"layers":[]}}'.encode(),
        "a huge size": f'{{{head},"config":{item.replace(":2}", ":" + "9" * 6000 + "}")},"layers":[]}}'.encode(),
        "a size that is no number": f'{{{head},"config":{item.replace(":2}", ":2.5}")},"layers":[]}}'.encode(),
        "another version": f'{{{head.replace(":2,", ":1,")},"config":{item},"layers":[]}}'.encode(),
        "signed version 1": f'{{{head},"config":{item},"layers":[],"fsLayers":[],"history":[]}}'.encode(),
        "a text for a number": f'{{"schemaVersion":"2","config":{item},"layers":[]}}'.encode(),
    }


def test_class_16_documents_that_read_in_two_ways(world: TestHub) -> None:
    config = push_blob(world, APP, b"{}", world.main)
    plain = manifest_of([(config, 2)], annotations={"Layers": "a name of somebody's own", "size": "big"})
    assert put_manifest(world, APP, "plain", plain, world.main).status == 201
    for what, content in two_ways(config).items():
        reply = put_manifest(world, APP, "odd", content, world.main)
        assert (reply.status, reply.code) == (400, "MANIFEST_INVALID"), (what, reply.body)
    assert world.request("GET", f"/v2/{APP}/manifests/odd", login=world.main).status == 404
    sha512 = digest(plain, "sha512")
    for reference in (digest(plain)[:-1] + "0", sha512[:-1] + "0", sha512.replace("512", "256"), "sha384:" + "0" * 96):
        assert put_manifest(world, APP, reference, plain, world.main).status == 400, reference
    mixed = json.loads(manifest_of([(digest(b"{}", "sha512"), 2)]))
    assert put_manifest(world, APP, "mixed", json.dumps(mixed).encode(), world.main).code == "MANIFEST_BLOB_UNKNOWN"


def test_class_16_a_graph_of_a_million_paths(loop: Loop, tmp_path: Path) -> None:
    """Twenty levels of two indexes that each hold both of the level below: a walk along paths would never end."""
    from entrepot.ops import collect

    hub = TestHub(loop, tmp_path / "data", untagged_seconds=1, grace_seconds=0, undelete_seconds=0)
    hub.bucket(MINE)
    now = hub.hub.clock()
    hub.hub.clock = lambda: now  # all in one second: parents and children come into one batch, the parents first
    below = [push_image(hub, APP, f"leaf{place}", hub.main) for place in range(2)]
    for level in range(20):
        above = []
        for place in range(2):
            listed = [{"mediaType": OCI_INDEX if level else OCI_MANIFEST, "digest": name, "size": len(content)}
                      for name, content in below]  # fmt: skip
            document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": listed}
            content = json.dumps({**document, "annotations": {"place": f"{level}.{place}"}}).encode()
            reply = put_manifest(hub, APP, digest(content), content, hub.main, OCI_INDEX)
            assert reply.status == 201
            above.append((digest(content), content))
        below = above
    tops = [name for name, _ in below]
    assert put_manifest(hub, APP, "top", below[0][1], hub.main, OCI_INDEX).status == 201
    before = hub.queries()
    for path in ("top", *tops, "leaf0", "leaf1"):
        assert hub.request("DELETE", f"/v2/{APP}/manifests/{path}", login=hub.main).status == 202
    for hours in range(1, 40):
        hub.hub.clock = lambda hours=hours: now + hours * 3600  # type: ignore[misc]
        hub.run(collect.collect(hub.hub))
    left = hub.run(hub.hub.db.read(lambda rows: rows.one("SELECT COUNT(*) FROM manifest")))
    assert left == (0,)
    assert hub.queries() - before < 5000
    hub.close()


def test_class_17_wildcards_are_letters(hub: TestHub) -> None:
    for name in ("a_bc", "axbc", "abc-1", "a.bc"):
        hub.bucket(name)
        push_image(hub, f"{name}/x_y", "v_1", hub.main)
        push_image(hub, f"{name}/xzy", "vz1", hub.main)

    def listed(**params: Any) -> list[str]:
        return [one["BucketName"] for one in hub.call("GetImageBucketList", Region="cn-bj2", **params)["ImageSet"]]

    assert listed(BucketName="a_bc") == ["a_bc"]
    for text in ("a%", "%", "_", "a?bc", "a*", "[a]_bc", "A_BC", "a_bc%", "a_bc'--", "' OR 1=1 --", "a_bc\\"):
        assert listed(BucketName=text) == [], text
    for order in ("name; DROP TABLE bucket", "created_at DESC", "(SELECT 1)", "RANDOM()"):
        assert listed(OrderBy=order) == ["a.bc", "a_bc", "abc-1", "axbc"]
    tags = hub.call("GetImageTag", RepoName="a_bc", ImageName="x_y", TagName="v_1")
    assert tags["TotalCount"] == 1
    for name, tag in (("x%", "v_1"), ("x_y", "v%"), ("x_y", "vz1"), ("x?y", "v_1"), ("x_y", "v_1' OR '1'='1")):
        assert hub.call("GetImageTag", RepoName="a_bc", ImageName=name, TagName=tag).get("TotalCount", 0) == 0
    for last in ("%", "a%", "_", "~"):
        page = hub.request("GET", f"/v2/a_bc/x_y/tags/list?last={quote(last)}", login=hub.main).json["tags"]
        assert page == ([] if last > "v_1" else ["v_1"]), last
    assert hub.request("GET", "/v2/a_bc/x-y/manifests/v_1", login=hub.main).status == 404
    for kind in ("%", "' OR 1=1 --", "a_b"):
        subject = f"/v2/a_bc/x_y/referrers/{digest(b's')}?artifactType={quote(kind)}"
        assert hub.request("GET", subject, login=hub.main).json["manifests"] == []
    # A policy's pattern knows * alone.
    made = hub.call("CreateUser", UserName="bob", AccessKeyStatus="Active", LoginProfileStatus="Active")
    rule = {"Effect": "Allow", "Action": "uhub:PullImage", "Resource": "ucs:uhub:*:*:repo/a_bc"}
    document = json.dumps({"Version": "1", "Statement": [rule]})
    urn = hub.call("CreateIAMPolicy", PolicyName="one", Document=document)["PolicyURN"]
    hub.call("AttachPoliciesToUser", UserName="bob", PolicyURNs=[urn])
    bob = (made["Email"], made["Password"])
    found = [hub.request("GET", f"/v2/{name}/x_y/manifests/v_1", login=bob).status for name in ("a_bc", "axbc", "a.bc")]
    assert found == [200, 403, 403]


class Trap:
    """Unpickled, it leaves a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return Path.touch, (self.path,)


def test_class_18_content_is_kept_and_never_looked_into(world: TestHub, tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, target in (("../../../../../../../../" + str(mark), ""), (str(mark), ""), ("link", "/etc/passwd")):
            info = tarfile.TarInfo(name)
            if target:
                info.type, info.linkname = tarfile.SYMTYPE, target
            tar.addfile(info, io.BytesIO(b""))
        info = tarfile.TarInfo("zeros")
        info.size = 30_000_000
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    words = [
        "{{7919*7907}}",
        "${7919*7907}",
        "<%= 7919*7907 %>",
        "{%print(7919*7907)%}",
        "#{7919*7907}",
        "__import__('os').system('id')",
        "!!python/x",
    ]
    before = files(world)
    blobs = [packed.getvalue(), pickle.dumps(Trap(mark)), "\n".join(words).encode(), b"PK\x03\x04" + os.urandom(50)]
    pushed = [(push_blob(world, APP, one, world.main), len(one)) for one in blobs]
    content = manifest_of(pushed, annotations={f"k{place}": word for place, word in enumerate(words)})
    assert put_manifest(world, APP, "odd", content, world.main).status == 201
    for (name, _), sent in zip(pushed, blobs, strict=True):
        assert world.request("GET", f"/v2/{APP}/blobs/{name}", login=world.main).body == sent
    assert world.request("GET", f"/v2/{APP}/manifests/odd", login=world.main).body == content
    world.call("UpdateRepo", RepoName=MINE, Description=" ".join(words))
    told = json.dumps(world.call("GetRepo", Type="private"))
    assert "7919*7907" in told
    assert "62615533" not in json.dumps(world.call("GetRepo", Type="private")["RepoSet"][0]["Description"])
    for word in words:
        page = world.request("GET", f"/console/{quote(word, safe='')}", headers={"accept": "text/html"})
        assert b"62615533" not in page.body
    assert not mark.exists()
    assert [one for one in files(world) if one not in before and not one.startswith("blobs/sha256")] == []


def test_class_18_nothing_that_runs_data_is_in_the_house() -> None:
    forbidden = {"pickle", "marshal", "shelve", "yaml", "dill", "tarfile", "zipfile", "xml", "subprocess"}
    # Tars that a layout comes in are never unpacked: three kinds of names are looked up, and bytes read where they lie.
    bounded = {"layout_read.py": {"tarfile"}, "layout_write.py": {"tarfile"}}
    calls = {"eval", "exec", "compile", "__import__"}
    for path in sorted((Path(__file__).parents[2] / "src").rglob("*.py")):
        refused = forbidden - bounded.get(path.name, set())
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not refused & {one.name.partition(".")[0] for one in node.names}, path
            elif isinstance(node, ast.ImportFrom):
                assert (node.module or "").partition(".")[0] not in refused, path
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in calls, path


# --- network


def test_class_21_headers_of_proxies_and_hosts(loop: Loop, tmp_path: Path) -> None:
    """Requests of these tests come from 127.0.0.9."""
    plain = TestHub(loop, tmp_path / "plain")
    behind = TestHub(
        loop, tmp_path / "behind", trusted_proxies="127.0.0.9 10.0.0.0/8", public_url="https://hub.example"
    )
    for hub in (plain, behind):
        hub.bucket(MINE)
        push_image(hub, APP, "v1", hub.main)
        hub.call("SetBucketNetworkPolicy", BucketName=MINE, Network=["192.0.2.0/24"])
    path, forwarded = f"/v2/{APP}/manifests/v1", "x-forwarded-for"
    for name in (forwarded, "x-real-ip", "forwarded", "x-client-ip", "true-client-ip", "cf-connecting-ip"):
        value = "for=192.0.2.7" if name == "forwarded" else "192.0.2.7"
        assert plain.request("GET", path, headers={name: value}, login=plain.main).status == 403, name
        if name != forwarded:
            assert behind.request("GET", path, headers={name: value}, login=behind.main).status == 403, name
    for value, status in (
        ("192.0.2.7", 200),
        ("203.0.113.1, 192.0.2.7", 200),  # the nearest hop that is no proxy of ours
        ("192.0.2.7, 203.0.113.1", 403),  # what stands left of it was made up by the client
        ("192.0.2.7, 203.0.113.1, 10.0.0.1", 403),
        ("192.0.2.7, 10.0.0.1", 200),
        ("nonsense", 403),
        ("192.0.2.7:5000", 403),
        ("", 403),
    ):
        assert behind.request("GET", path, headers={forwarded: value}, login=behind.main).status == status, value
    evil = {"host": "evil.example", "x-forwarded-host": "evil.example", "x-forwarded-proto": "https",
            "x-forwarded-prefix": "/evil", "x-original-url": "/evil", "forwarded": "host=evil.example"}  # fmt: skip
    from_here = {forwarded: "192.0.2.7"}
    for method, target in (("GET", "/v2/"), ("POST", f"/v2/{APP}/blobs/uploads/"), ("GET", "/v2/_catalog?n=1"),
                           ("GET", "/console"), ("GET", f"/v2/{APP}/tags/list?n=0")):  # fmt: skip
        for login in (None, behind.main):
            reply = behind.request(method, target, headers={**evil, **from_here}, login=login)
            assert "evil" not in str(reply.all_headers) + reply.body.decode()
    for host in ("evil.example/x", 'a"b', "a b", "a@b", "a,b", "", "x" * 300, "a\\b", "a?b#c"):
        realm = plain.request("GET", "/v2/", headers={"host": host}).headers["www-authenticate"]
        assert realm.startswith(f'Bearer realm="http://127.0.0.1:{plain.settings.port}/token"'), realm
    plain.call("SetBucketNetworkPolicy", BucketName=MINE, Network=[""])
    place = plain.request("POST", f"/v2/{APP}/blobs/uploads/", headers=evil, login=plain.main).headers["location"]
    assert place.startswith(f"/v2/{APP}/blobs/uploads/")
    assert 'realm="http://evil.example/' in plain.request("GET", "/v2/", headers=evil).headers["www-authenticate"], (
        "the scheme is not believed; whose Host it is gets it back, and nobody else"
    )
    for hub in (plain, behind):
        hub.close()


BROKEN = {
    "grants": ("ALTER TABLE bucket_grant RENAME TO gone", "ALTER TABLE gone RENAME TO bucket_grant"),
    "policies": ("ALTER TABLE attachment RENAME TO gone", "ALTER TABLE gone RENAME TO attachment"),
    "a policy that cannot be read": (
        "UPDATE policy SET document = '{'",
        'UPDATE policy SET document = \'{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}\'',
    ),
    "people": ("ALTER TABLE person RENAME TO gone", "ALTER TABLE gone RENAME TO person"),
    "buckets": ("ALTER TABLE bucket RENAME TO gone", "ALTER TABLE gone RENAME TO bucket"),
    "networks that cannot be read": (
        "UPDATE bucket SET networks = 'x/y'",
        "UPDATE bucket SET networks = '192.0.2.0/24'",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_class_22_what_fails_fails_closed(world: TestHub, what: str) -> None:
    """Whoever is kept out by what is broken stays out, and is not let in on the way to it."""
    hub = world
    bob = hub.user("bob@example.com", "pull", "push", "delete")
    deny = {"Effect": "Deny", "Action": "*", "Resource": "*"}
    urn = hub.call("CreateIAMPolicy", PolicyName="no", Document=json.dumps({"Version": "1", "Statement": [deny]}))
    hub.call("AttachPoliciesToUser", UserName="bob@example.com", PolicyURNs=[urn["PolicyURN"]])
    hub.call("SetBucketNetworkPolicy", BucketName=MINE, Network=["192.0.2.0/24"])
    callers = [bob, STRANGER, ("nobody@example.com", "x"), hub.main if "networks" in what else bob]
    tokens = [hub.token(login, f"repository:{APP}:pull,push,delete") for login in (bob, STRANGER)]
    broken, mended = BROKEN[what]
    if not postgres.WANTED:
        hub.run(hub.hub.db.write(lambda rows: rows.run("PRAGMA legacy_alter_table = ON")))
    hub.run(hub.hub.db.write(lambda rows: rows.run(broken)))
    for login in [*callers, *tokens, None]:
        for method, path in (("GET", "manifests/v1"), ("PUT", "manifests/v2"), ("DELETE", "manifests/v1"),
                             ("POST", "blobs/uploads/"), ("GET", "tags/list")):  # fmt: skip
            reply = hub.request(method, f"/v2/{APP}/{path}", headers={"content-type": OCI_MANIFEST}, login=login)
            assert reply.status >= 400, (login, method, path)
            if reply.status == 503:
                assert reply.headers["retry-after"]
        made = hub.request("GET", f"/token?scope=repository:{APP}:pull,push,delete", login=login)
        if made.status == 200:
            claims = json.loads(base64.urlsafe_b64decode(made.json["token"].split(".")[1] + "=="))
            granted = claims["access"][0]["actions"]
            assert granted == [] or login == hub.main, (login, granted)
    hub.run(hub.hub.db.write(lambda rows: rows.run(mended)))
    hub.call("SetBucketNetworkPolicy", BucketName=MINE, Network=[""])
    assert hub.request("GET", f"/v2/{APP}/manifests/v1", login=hub.main).status == 200
    assert hub.request("GET", f"/v2/{APP}/manifests/v2", login=hub.main).status == 404


def test_class_22_a_list_of_robots_that_cannot_be_read(world: TestHub) -> None:
    made = world.call("CreateBucketRobot", BucketName=MINE, RobotName="ci", Permission=["Pull"])
    token = world.token((made["LoginName"], made["Secret"]), f"repository:{APP}:pull")
    for text in ("", "nonsense", "1", "1.", "11.1", "1.11", "1.1.1", "* 1", "-1.1"):
        world.run(world.hub.db.write(lambda rows, text=text: rows.run("UPDATE bucket SET robots = :text", text=text)))
        assert world.request("GET", f"/v2/{APP}/manifests/v1", login=token).status == 401, text


def test_class_22_another_key_file_opens_nothing(world: TestHub) -> None:
    made = world.call("CreateBucketRobot", BucketName=MINE, RobotName="ci", Permission=["Pull"])
    robot = (made["LoginName"], made["Secret"])
    token = world.token(world.main, f"repository:{APP}:pull")
    (world.settings.data_dir / "hub.key").write_bytes(os.urandom(32))
    world.reopen()
    path = f"/v2/{APP}/manifests/v1"
    assert world.request("GET", path, login=token).status == world.request("GET", path, login=robot).status == 401
    assert world.request("GET", path, login=(world.public_key, world.private_key)).status == 503
    assert world.call("GetRegion")["RetCode"] == 150


# --- caches, logs, deletes


def test_class_27_nothing_outlives_its_right(world: TestHub) -> None:
    hub = world
    path = f"/v2/{APP}/manifests/v1"
    hub.call("UpdateRepo", RepoName=MINE, IsShared="true")
    anonymous = hub.token(None, f"repository:{APP}:pull")
    found = hub.request("GET", path, login=anonymous)
    layer = found.json["layers"][0]["digest"]
    blob = hub.request("GET", f"/v2/{APP}/blobs/{layer}", login=anonymous)
    assert (found.status, blob.status) == (200, 200)
    hub.call("UpdateRepo", RepoName=MINE, IsShared="false")
    for login in (anonymous, None, STRANGER):
        for target in (path, f"/v2/{APP}/blobs/{layer}", f"/v2/{APP}/tags/list"):
            etag = {"if-none-match": found.headers["etag"]}
            assert hub.request("GET", target, headers=etag, login=login).status in {401, 404}
    private = hub.request("GET", f"/v2/{APP}/blobs/{layer}", login=hub.main)
    assert private.headers["cache-control"].startswith("private")
    token = hub.token(hub.main, f"repository:{APP}:pull,push,delete")
    assert hub.request("GET", path, login=token).status == 200
    assert hub.request("DELETE", path, login=token).status == 202
    assert hub.request("GET", path, login=token).status == hub.request("HEAD", path, login=token).status == 404
    name = found.headers["docker-content-digest"]
    assert hub.request("DELETE", f"/v2/{APP}/manifests/{name}", login=token).status == 202
    assert hub.request("GET", f"/v2/{APP}/manifests/{name}", login=token).status == 404
    assert hub.request("DELETE", f"/v2/{APP}/blobs/{layer}", login=token).status == 202
    assert hub.request("HEAD", f"/v2/{APP}/blobs/{layer}", login=token).status == 404
    hub.call("SetBucketNetworkPolicy", BucketName=MINE, Network=["192.0.2.0/24"])
    assert hub.request("GET", f"/v2/{APP}/tags/list", login=token).status == 403
    hub.call("SetBucketNetworkPolicy", BucketName=MINE, Network=[""])
    # The hub's own memory: of a password, of a key, of a right.
    bob = hub.user("bob@example.com", "pull")
    key = hub.run(people.create_key(hub.hub, bob[0]))
    pair = (key.public_key, key.private_key)
    assert hub.request("GET", "/v2/", login=bob).status == hub.request("GET", "/v2/", login=pair).status == 200
    hub.call("SetUserRights", UserName="bob@example.com", Right=[""])
    tags = f"/v2/{NEXT}/app/tags/list"
    assert hub.request("GET", tags, login=bob).status == hub.request("GET", tags, login=pair).status == 403
    hub.run(people.delete_key(hub.hub, key.public_key))
    hub.run(people.set_password(hub.hub, bob[0], "another word", registry=False))
    assert hub.request("GET", "/v2/", login=bob).status == hub.request("GET", "/v2/", login=pair).status == 401


def test_class_28_no_secret_in_answers_and_logs(world: TestHub, capsys: pytest.CaptureFixture[str]) -> None:
    """Also where something breaks inside: the traceback is in the log, the values of variables are not."""
    hub = world
    made = hub.call("CreateBucketRobot", BucketName=MINE, RobotName="ci", Permission=["Pull"])
    robot = (made["LoginName"], made["Secret"])
    token = hub.token(robot, f"repository:{APP}:pull")
    wrong = "a-wrong-but-telling-password"
    bodies = b""
    for broken in ("image", "bucket", "person"):
        for login in (robot, hub.main, token, (hub.email, wrong), (robot[0], wrong)):
            for method, path in (("GET", f"/v2/{APP}/manifests/v1"), ("GET", "/v2/_catalog"), ("GET", "/v2/no")):
                reply = hub.request(method, path, login=login)
                bodies += reply.body + str(reply.all_headers).encode()
            if isinstance(login, tuple):
                form = urlencode({"grant_type": "password", "username": login[0], "password": login[1], "scope": "x"})
                hub.request("POST", "/token", body=form.encode())
                hub.request("POST", "/token", body=form.encode().replace(b"grant_type=password", b"grant_type=x"))
        rename = f"ALTER TABLE {broken} RENAME TO gone_{broken}"
        hub.run(hub.hub.db.write(lambda rows, rename=rename: rows.run(rename)))
    told = capsys.readouterr()
    lines = hub.run(hub.hub.db.read(lambda rows: rows.all("SELECT * FROM audit")))
    everywhere = told.out + told.err + bodies.decode("latin-1") + str(lines)
    secrets = [robot[1], hub.password, token, wrong, hub.private_key]
    for secret in secrets:
        assert secret not in everywhere
        assert base64.b64encode(f"{hub.email}:{secret}".encode()).decode() not in everywhere
    kept = b"".join(path.read_bytes() for path in hub.settings.data_dir.iterdir() if path.is_file())
    for secret in secrets:
        assert secret.encode() not in kept


def test_class_29_who_may_not_delete_deletes_nothing(world: TestHub) -> None:
    """Neither tag, manifest, blob, another one's upload, image nor bucket: by any route of either door."""
    hub = world
    name, content = push_image(hub, APP, "kept", hub.main)
    blob = json.loads(content)["layers"][0]["digest"]
    loose = push_blob(hub, APP, b"loose", hub.main)
    place = hub.request("POST", f"/v2/{APP}/blobs/uploads/", login=hub.main).headers["location"]
    hub.request("PATCH", place, body=b"abc", login=hub.main)
    made = hub.call("CreateBucketRobot", BucketName=MINE, RobotName="ci", Permission=["Pull", "Push"])
    robot = (made["LoginName"], made["Secret"])
    writer = hub.user("writer@example.com", "pull", "push")
    key = hub.run(people.create_key(hub.hub, writer[0]))
    rows = hub.run(hub.hub.db.read(counted))
    scope = f"repository:{APP}:pull,push,delete"
    for login in (robot, writer, hub.token(robot, scope), hub.token(writer, scope), hub.token(None, scope)):
        for path in ("manifests/kept", f"manifests/{name}", f"blobs/{blob}", f"blobs/{loose}"):
            assert hub.request("DELETE", f"/v2/{APP}/{path}", login=login).status in {401, 403}
        assert hub.request("DELETE", place, login=login).status in {401, 404}
    for action, params in (
        ("DeleteImage", {"BucketName": MINE, "ImageName": "app", "Tag": ["kept"], "Region": "cn-bj2"}),
        ("DeleteRepoImage", {"RepoName": MINE, "ImageName": "app", "ProjectId": hub.project_id}),
        ("DeleteRepo", {"RepoName": MINE, "ProjectId": hub.project_id}),
    ):
        assert hub.call_as((key.public_key, key.private_key), action, **params)["RetCode"] == 299
    assert hub.run(hub.hub.db.read(counted)) == rows
    assert hub.request("GET", place, login=hub.main).headers["range"] == "0-2"


def counted(rows: Any) -> list[Any]:
    tables = ("bucket", "image", "manifest", "tag", "image_blob", "blob", "upload")
    return [rows.one(f"SELECT COUNT(*) FROM {table}") for table in tables]
