"""Who may do what at the registry door: every kind of caller against every route."""

import base64
import json
import time
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.registry import app as door
from entrepot.registry.app import Route, match
from tests.conftest import TestHub
from tests.registry.kit import OCI_MANIFEST, digest, push_blob, push_image

SECRET, OPEN = "secret-depot", "open-depot"
PERSON = "battery staple"
Login = tuple[str, str]


@pytest.fixture
def world(hub: TestHub) -> TestHub:
    hub.bucket(SECRET)
    hub.bucket(OPEN, is_public=True)
    for bucket in (SECRET, OPEN):
        push_image(hub, f"{bucket}/app", "v1", hub.main)
    hub.user("reader@example.com", "pull")
    hub.user("writer@example.com", "pull", "push")
    hub.user("remover@example.com", "delete")
    hub.user("keeper@example.com", "admin")
    hub.user("stranger@example.com", other_account=True)
    return hub


RULES = {
    ("BASE", "GET"): "login",
    ("BASE", "HEAD"): "login",
    ("CATALOG", "GET"): "catalog",
    ("CATALOG", "HEAD"): "catalog",
    ("TOKEN", "GET"): "token",
    ("TOKEN", "POST"): "token",
    ("MANIFEST", "GET"): "pull",
    ("MANIFEST", "HEAD"): "pull",
    ("MANIFEST", "PUT"): "push",
    ("MANIFEST", "DELETE"): "delete",
    ("BLOB", "GET"): "pull",
    ("BLOB", "HEAD"): "pull",
    ("BLOB", "DELETE"): "delete",
    ("TAGS", "GET"): "pull",
    ("TAGS", "HEAD"): "pull",
    ("REFERRERS", "GET"): "pull",
    ("REFERRERS", "HEAD"): "pull",
    ("START", "POST"): "push",
    ("SESSION", "GET"): "push",
    ("SESSION", "PATCH"): "push",
    ("SESSION", "PUT"): "push",
    ("SESSION", "DELETE"): "push",
}
"""What each method of each route takes. A route of the door that is not here fails the suite."""
PATHS = {
    "BASE": "/v2/",
    "CATALOG": "/v2/_catalog",
    "TOKEN": "/token",
    "MANIFEST": "/v2/{name}/manifests/{tag}",
    "BLOB": "/v2/{name}/blobs/{missing}",
    "TAGS": "/v2/{name}/tags/list",
    "REFERRERS": "/v2/{name}/referrers/{missing}",
    "START": "/v2/{name}/blobs/uploads/",
    "SESSION": "/v2/{name}/blobs/uploads/x?digest={missing}",
}


class Principal(NamedTuple):
    """Somebody at the door: what it may do in the open and in the secret bucket, and whether its login is good."""

    login: Login | None
    in_open: frozenset[str]
    in_secret: frozenset[str]
    is_out: bool = False


def principals(hub: TestHub) -> dict[str, Principal]:
    """Everybody; the robots belong to the secret bucket, and two of them and a person are still to be shut out."""

    def robot(name: str, *rights: str, end: int = 0) -> Login:
        made = hub.call("CreateBucketRobot", BucketName=SECRET, RobotName=name, Permission=list(rights), ExpireTime=end)
        return made["LoginName"], made["Secret"]

    pull, nothing = frozenset({"pull"}), frozenset[str]()
    every = frozenset({"pull", "push", "delete"})
    soon = int(hub.hub.clock()) + 10
    return {
        "anonymous": Principal(None, pull, nothing),
        "another account": Principal(("stranger@example.com", PERSON), pull, nothing),
        "reader": Principal(("reader@example.com", PERSON), pull, pull),
        "writer": Principal(("writer@example.com", PERSON), pull | {"push"}, pull | {"push"}),
        "remover": Principal(("remover@example.com", PERSON), pull | {"delete"}, frozenset({"delete"})),
        "admin who reads nothing": Principal(("keeper@example.com", PERSON), pull, nothing),
        "main user": Principal(hub.main, every, every),
        "disabled user": Principal(hub.user("former@example.com", *every), every, every, is_out=True),
        "robot that pulls": Principal(robot("a", "Pull"), pull, pull),
        "robot that pushes": Principal(robot("b", "Push"), pull, frozenset({"push"})),
        "robot that deletes": Principal(robot("c", "Delete"), pull, frozenset({"delete"})),
        "robot with all": Principal(robot("d", "Pull", "Push", "Delete"), pull, every),
        "expired robot": Principal(robot("e", "Pull", "Push", "Delete", end=soon), nothing, nothing, is_out=True),
        "disabled robot": Principal(robot("f", "Pull", "Push", "Delete"), pull, nothing, is_out=True),
        "deleted robot": Principal(robot("g", "Pull", "Push", "Delete"), pull, nothing, is_out=True),
    }


def shut_out(hub: TestHub) -> None:
    from entrepot.ops import people

    later = hub.hub.clock() + 20
    hub.hub.clock = lambda: later
    hub.run(people.set_active(hub.hub, "former@example.com", active=False))
    hub.call("UpdateBucketRobot", BucketName=SECRET, RobotName="f", Status="Inactive")
    hub.call("DeleteBucketRobot", BucketName=SECRET, RobotName="g")


def test_every_route_of_the_door_has_a_rule() -> None:
    routes = {name: value for name, value in vars(door).items() if isinstance(value, Route)}
    assert set(RULES) == {(name, method) for name, route in routes.items() for method in route.methods}
    for name, route in routes.items():
        path = PATHS[name].format(name="a/b", tag="v1", missing=digest(b"missing")).partition("?")[0]
        assert match(path)[0] is route, path


@pytest.mark.parametrize("bearer", [False, True])
@pytest.mark.parametrize("bucket", [OPEN, SECRET])
def test_matrix_in_a_repository(world: TestHub, bucket: str, bearer: bool) -> None:
    name = f"{bucket}/app"
    everybody = principals(world)
    scope = f"repository:{name}:pull,push,delete"
    tokens = {who: world.token(one.login, scope) for who, one in everybody.items()} if bearer else {}
    shut_out(world)
    for who, one in everybody.items():
        allowed = one.in_open if bucket == OPEN else one.in_secret
        if not bearer and one.is_out:
            allowed = frozenset()
        for (route, method), right in RULES.items():
            if not door_route(route).in_repository:
                continue
            path = PATHS[route].format(name=name, tag="v1" if right == "pull" else "v9", missing=digest(b"missing"))
            reply = world.request(
                method, path, headers={"content-type": OCI_MANIFEST}, login=tokens[who] if bearer else one.login
            )
            told = (who, bucket, method, path, reply.status, reply.body)
            if right in allowed:
                assert reply.status not in {401, 403}, told
                assert method == "HEAD" or reply.status != 404 or reply.code != "NAME_UNKNOWN", told
            elif one.login is None or (one.is_out and (not bearer or not allowed)):
                assert reply.status == 401, told
                assert 'realm="http://hub.test/token"' in reply.headers["www-authenticate"]
            else:
                assert reply.status in {403, 404}, told
                assert method == "HEAD" or reply.code in {"DENIED", "NAME_UNKNOWN"}, told


def door_route(name: str) -> Route:
    route = getattr(door, name)
    assert isinstance(route, Route)
    return route


def test_matrix_outside_a_repository(world: TestHub) -> None:
    """The base path, the catalog, the token endpoint; and the management API, where no registry login helps."""
    everybody = principals(world)
    tokens = {who: world.token(one.login, "registry:catalog:*") for who, one in everybody.items()}
    shut_out(world)
    for who, one in everybody.items():
        is_in = one.login is not None and not one.is_out
        # A person's token lives on for minutes; a robot's ends with it.
        token_is_good = not one.is_out or who == "disabled user"
        for (route, method), rule in RULES.items():
            if door_route(route).in_repository:
                continue
            by_basic = world.request(
                method, PATHS[route], login=one.login, body=form_of(one) if rule == "token" else b""
            )
            by_token = world.request(method, PATHS[route], login=tokens[who])
            told = (who, route, method, by_basic.status, by_token.status)
            if rule == "token":
                wanted = {"GET": is_in or one.login is None, "POST": is_in}[method]
                assert by_basic.status == (200 if wanted else 401), told
                assert by_token.status in {400, 401}, told
            else:
                assert by_basic.status == (200 if is_in else 401), told
                knows = token_is_good and (rule == "login" or one.login is not None)
                assert by_token.status == (200 if knows else 401), told
        for login in (one.login, tokens[who]):
            assert world.request("POST", "/?Action=GetRegion", login=login).json["RetCode"] in {170, 174}, who
        if one.login is not None:
            assert world.call_as(one.login, "GetRegion")["RetCode"] == 172, who


def form_of(one: Principal) -> bytes:
    name, secret = one.login or ("nobody@example.com", "nothing")
    return urlencode({"grant_type": "password", "username": name, "password": secret}).encode()


def test_somebody_elses_private_bucket_looks_like_a_missing_one(world: TestHub) -> None:
    stranger = ("stranger@example.com", "battery staple")
    there = world.request("GET", f"/v2/{SECRET}/app/manifests/v1", login=stranger)
    missing = world.request("GET", "/v2/missing-depot/app/manifests/v1", login=stranger)
    assert there.status == missing.status == 404
    assert there.body.replace(SECRET.encode(), b"X") == missing.body.replace(b"missing-depot", b"X")


def test_a_blob_is_not_readable_where_it_is_not_linked(world: TestHub) -> None:
    secret = push_blob(world, f"{SECRET}/app", b"secret bytes", world.main)
    for name in (f"{OPEN}/app", f"{SECRET}/other"):
        assert world.request("GET", f"/v2/{name}/blobs/{secret}", login=world.main).status == 404


def test_login_at_the_base_path(world: TestHub) -> None:
    nobody = world.request("GET", "/v2/")
    assert (nobody.status, nobody.code) == (401, "UNAUTHORIZED")
    assert nobody.headers["docker-distribution-api-version"] == "registry/2.0"
    assert world.request("GET", "/v2/", login=world.main).status == 200
    assert world.request("GET", "/v2/", login=(world.public_key, world.private_key)).status == 200
    assert world.request("GET", "/v2/", login=world.token(world.main)).status == 200
    for wrong in (("main@example.com", "no"), ("nobody@example.com", "no"), (world.public_key, "no"), ("no", "no")):
        reply = world.request("GET", "/v2/", login=wrong)
        assert reply.status == 401
        assert reply.json["errors"][0]["detail"] == "name or password is wrong"
        assert world.request("GET", "/token", login=wrong).status == 401


def test_the_registry_password_works_beside_the_console_password(world: TestHub) -> None:
    from entrepot.ops import people

    world.run(people.set_password(world.hub, world.email, "registry only", registry=True))
    assert world.request("GET", "/v2/", login=(world.email, "registry only")).status == 200
    assert world.request("GET", "/v2/", login=world.main).status == 200
    world.run(people.set_password(world.hub, world.email, "a new password", registry=False))
    assert world.request("GET", "/v2/", login=world.main).status == 401
    assert world.request("GET", "/v2/", login=(world.email, "a new password")).status == 200


def test_a_disabled_person_is_out_at_once(world: TestHub) -> None:
    from entrepot.ops import people

    reader = ("reader@example.com", "battery staple")
    assert world.request("GET", "/v2/", login=reader).status == 200
    world.run(people.set_active(world.hub, reader[0], active=False))
    assert world.request("GET", "/v2/", login=reader).status == 401


def test_token_holds_what_is_allowed_of_what_was_asked(world: TestHub) -> None:
    def access(login: tuple[str, str] | None, *scopes: str) -> dict[str, list[str]]:
        payload = world.token(login, *scopes).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
        return {one["name"]: one["actions"] for one in claims["access"]}

    writer = ("writer@example.com", "battery staple")
    asked = f"repository:{SECRET}/app:pull,push,delete"
    assert access(writer, asked) == {f"{SECRET}/app": ["pull", "push"]}
    assert access(None, asked) == {f"{SECRET}/app": []}
    assert access(None, f"repository:{OPEN}/app:*") == {f"{OPEN}/app": ["pull"]}
    two = f"repository:{SECRET}/app:pull repository:{OPEN}/app:pull"
    assert access(writer, two) == {f"{SECRET}/app": ["pull"], f"{OPEN}/app": ["pull"]}
    assert access(writer, "nonsense", "repository:UPPER/x:pull", "repository::", "x" * 9000) == {}


def test_a_token_for_one_repository_is_challenged_at_another(world: TestHub) -> None:
    token = world.token(world.main, f"repository:{SECRET}/app:pull")
    reply = world.request("POST", f"/v2/{SECRET}/app/blobs/uploads/", login=token)
    assert reply.status == 401
    assert f'scope="repository:{SECRET}/app:pull,push"' in reply.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in reply.headers["www-authenticate"]
    assert world.request("GET", f"/v2/{SECRET}/else/tags/list", login=token).status == 401


def test_post_token_with_password_and_refresh(world: TestHub) -> None:
    from entrepot.ops import people

    form = {"content-type": "application/x-www-form-urlencoded"}
    body = (
        b"grant_type=password&service=x&client_id=c&access_type=offline"
        b"&username=main%40example.com&password=correct+horse"
    )
    first = world.request("POST", "/token", headers=form, body=body + f"&scope=repository:{SECRET}/app:pull".encode())
    assert first.status == 200
    assert {"access_token", "scope", "expires_in", "issued_at", "refresh_token"} <= set(first.json)
    assert first.json["expires_in"] >= 60
    again = b"grant_type=refresh_token&scope=&refresh_token=" + first.json["refresh_token"].encode()
    second = world.request("POST", "/token", headers=form, body=again)
    assert world.request("GET", "/v2/", login=second.json["access_token"]).status == 200
    assert world.request("GET", "/v2/", login=first.json["refresh_token"]).status == 401
    world.run(people.set_password(world.hub, world.email, "changed secret", registry=False))
    assert world.request("POST", "/token", headers=form, body=again).status == 401
    assert world.request("POST", "/token", headers=form, body=b"grant_type=magic").status == 400


def test_forged_and_stale_tokens_are_refused(world: TestHub) -> None:
    good = world.token(world.main, f"repository:{SECRET}/app:pull")
    header, payload, signature = good.split(".")

    def encode(value: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    forged = [
        f"{encode({'alg': 'none', 'typ': 'JWT', 'kid': 'registry'})}.{payload}.",
        f"{encode({'alg': 'HS512', 'typ': 'JWT', 'kid': 'registry'})}.{payload}.{signature}",
        f"{header}.{encode({**claims, 'acc': 2})}.{signature}",
        good[:-4],
        "a.b",
        "..",
        "." * 5000,
        "x" * 20_000,
    ]
    for token in forged:
        reply = world.request("GET", f"/v2/{SECRET}/app/manifests/v1", login=token)
        assert reply.status == 401, token
        assert 'error="invalid_token"' in reply.headers["www-authenticate"]
    assert world.request("GET", f"/v2/{SECRET}/app/manifests/v1", login=good).status == 200
    now = time.time()
    world.hub.clock = lambda: now + world.settings.token_seconds + 1
    assert world.request("GET", f"/v2/{SECRET}/app/manifests/v1", login=good).status == 401


def test_an_old_token_does_not_open_a_bucket_made_anew(world: TestHub) -> None:
    from entrepot.ops import buckets, people
    from entrepot.ops.context import Ctx

    world.bucket("fleeting")
    token = world.token(world.main, "repository:fleeting/app:pull,push")
    assert world.request("POST", "/v2/fleeting/app/blobs/uploads/", login=token).status == 202
    owner = world.run(people.operator(world.hub))
    world.run(buckets.delete(Ctx(world.hub, owner), "fleeting"))
    [deletion] = world.call("ListDeleted")["DeletedSet"]
    world.call("PurgeDeleted", BucketName="fleeting", DeletionId=deletion["DeletionId"])
    world.bucket("fleeting", email="stranger@example.com")
    assert world.request("POST", "/v2/fleeting/app/blobs/uploads/", login=token).status in {403, 404}


def test_catalog_lists_what_the_caller_may_read(world: TestHub) -> None:
    assert world.request("GET", "/v2/_catalog").status == 401
    everything = [f"{OPEN}/app", f"{SECRET}/app"]
    assert world.request("GET", "/v2/_catalog", login=world.main).json["repositories"] == everything
    stranger = ("stranger@example.com", "battery staple")
    assert world.request("GET", "/v2/_catalog", login=stranger).json["repositories"] == everything[:1]
    token = world.token(world.main, "registry:catalog:*")
    page = world.request("GET", "/v2/_catalog?n=1", login=token)
    assert page.json["repositories"] == everything[:1]
    rest = page.headers["link"].partition("<")[2].partition(">")[0]
    assert world.request("GET", rest, login=token).json["repositories"] == everything[1:]


@given(st.text(alphabet="ab/._-%:AZ\\\x00é~2fe0", max_size=40))
def test_no_path_reaches_outside_or_breaks_the_door(world_once: TestHub, text: str) -> None:
    from urllib.parse import quote

    for method in ("GET", "PUT", "DELETE", "POST"):
        for path in (
            f"/v2/{quote(text)}/blobs/{quote(text)}",
            f"/v2/{quote(text)}/manifests/v1",
            f"/v2/{OPEN}/app/manifests/{quote(text, safe='')}",
            f"/v2/{OPEN}/app/blobs/uploads/{quote(text)}",
        ):
            reply = world_once.request(method, path, login=world_once.main)
            assert reply.status in {200, 202, 400, 404, 405}, (method, path, reply.body)


@pytest.fixture
def world_once(world: TestHub) -> TestHub:
    return world


@pytest.mark.parametrize(
    "path",
    [
        "/v2/../../etc/passwd",
        "/v2/%2e%2e/%2e%2e/blobs/x",
        "/v2/a%2f..%2fb/manifests/x",
        "/v2/open-depot/app/blobs/..%2f..%2fhub.key",
        "/v2/open-depot/app/blobs/sha256:..%2f",
    ],
)
def test_traversal_is_refused(world: TestHub, path: str) -> None:
    assert world.request("GET", path, login=world.main).status in {400, 404}


@pytest.mark.parametrize(
    "name",
    [
        "open-depot/blobs/uploads",
        "open-depot/manifests/tags",
        "open-depot/referrers/list",
        "open-depot/a/blobs/b",
        "open-depot/tags",
    ],
)
def test_names_may_hold_the_words_of_the_protocol(world: TestHub, name: str) -> None:
    made, content = push_image(world, name, "v1", world.main)
    assert world.request("GET", f"/v2/{name}/manifests/{made}", login=world.main).body == content
    assert world.request("GET", f"/v2/{name}/tags/list", login=world.main).json["tags"] == ["v1"]


def test_a_flood_of_logins_waits_in_a_short_queue(world: TestHub) -> None:
    import asyncio
    import threading

    from entrepot.ops import people

    all_came = threading.Event()

    async def flood() -> list[int]:
        names = [f"nobody-{place}@example.com" for place in range(people.WAITING + 5)]
        asked = [asyncio.create_task(world.ask("GET", "/v2/", login=(name, "wrong password"))) for name in names]
        for place, ended in enumerate(asyncio.as_completed(asked, timeout=30), 1):
            await ended
            if place == 5:  # the ones that were refused
                all_came.set()
        return [task.result().status for task in asked]

    original = world.hub.vault.check_password
    running, most = 0, 0

    def counted(hashed: str | None, password: str) -> bool:
        nonlocal running, most
        running += 1
        most = max(most, running)
        try:
            return original(hashed, password) if password != "wrong password" else not all_came.wait(30)
        finally:
            running -= 1

    world.hub.vault.check_password = counted  # type: ignore[method-assign]
    statuses = world.run(flood())
    assert statuses.count(429) == 5
    assert statuses.count(401) == people.WAITING
    assert most <= 2
    assert world.request("GET", "/v2/", login=world.main).status == 200
