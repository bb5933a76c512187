"""Signing in: what a session rests on and ends with; nothing that tells who exists; no way out to other sites."""

import pytest
from msgspec.structs import replace

from entrepot import failpoint
from entrepot.errors import HubError, Kind
from entrepot.ops import people, visitors
from tests.conftest import TestHub
from tests.console.kit import Surfer, signed_in

WRONG = ("main@example.com", "wrong horse")


def is_in(surfer: Surfer) -> bool:
    return surfer.get("/console").status == 200


def test_in_and_out(hub: TestHub) -> None:
    surfer = Surfer(hub)
    sent_away = surfer.get("/console/buckets?scope=User")
    assert (sent_away.status, sent_away.headers["location"]) == (
        303, "/console/login?next=%2Fconsole%2Fbuckets%3Fscope%3DUser",
    )  # fmt: skip
    back = surfer.post(sent_away.headers["location"], {"email": hub.email, "password": hub.password})
    assert back.headers["location"] == "/console/buckets?scope=User"
    [cookie] = [value for name, value in back.all_headers if name == "set-cookie"]
    assert cookie.startswith("entrepot-session=")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert is_in(surfer)
    copy = Surfer(hub)
    copy.cookies = dict(surfer.cookies)
    assert surfer.post("/console/logout", {}).headers["location"] == "/console/login"
    assert not is_in(surfer)
    assert not is_in(copy), "the cookie is worth nothing after signing out"


def test_the_cookies_of_a_hub_behind_https(hub: TestHub) -> None:
    hub.settings = replace(hub.settings, public_url="https://hub.example.com")
    hub.reopen()
    surfer = Surfer(hub)
    reply = surfer.sign_in(hub.main)
    [cookie] = [value for name, value in reply.all_headers if name == "set-cookie"]
    assert cookie.startswith("__Host-entrepot-session=")
    assert "Secure" in cookie.split("; ")
    assert is_in(surfer)
    surfer.cookies = {name.removeprefix("__Host-"): value for name, value in surfer.cookies.items()}
    assert not is_in(surfer), "a cookie that another host could have set counts for nothing"


def test_a_wrong_login_says_the_same_for_everybody(hub: TestHub) -> None:
    hub.run(people.set_password(hub.hub, hub.email, "registry horse", registry=True))
    hub.user("off@example.com", "pull")
    hub.run(people.set_active(hub.hub, "off@example.com", active=False))
    bodies = set()
    for email, password in (
        WRONG,
        (hub.email, "registry horse"),  # good for docker login, not for the console
        ("off@example.com", "battery staple"),
        ("nobody@example.com", "correct horse"),
        (hub.public_key, hub.private_key),
        ("x" * 300 + "@example.com", "y" * 2000),
    ):
        surfer = Surfer(hub)
        reply = surfer.sign_in((email, password))
        assert reply.status == 401
        assert not any(name.endswith("session") for name in surfer.cookies)
        body = reply.body.decode().replace(email, "")
        bodies.add(body[body.index("<main") :].replace(surfer.token("/console/login"), ""))
    assert len(bodies) == 1
    trail = hub.call("ListAuditRecords", Limit=50)["AuditSet"]
    assert [line["Result"] for line in trail if line["Action"] == "Login" and line["User"] == hub.email][:2] == [
        172,
        172,
    ]


def test_failures_are_throttled_known_or_not(hub: TestHub) -> None:
    now = hub.hub.clock()
    hub.hub.clock = lambda: now
    for email in (hub.email, "nobody@example.com"):
        surfer = Surfer(hub)
        token = surfer.token("/console/login")
        answers = [
            surfer.post(
                "/console/login", {"csrf": token, "email": email, "password": "wrong horse"}, token=False
            ).status
            for _ in range(12)
        ]
        assert answers == [401] * 10 + [429] * 2
    late = Surfer(hub).sign_in(hub.main)
    assert late.status == 429, "the right password is no way around"
    hub.hub.clock = lambda: now + 31
    assert Surfer(hub).sign_in(hub.main).status == 303
    assert Surfer(hub).sign_in(hub.main).status == 303, "a right login uses up nothing"
    assert Surfer(hub).sign_in(WRONG).status == 401


def test_an_address_is_throttled_over_all_names(hub: TestHub) -> None:
    now = hub.hub.clock()
    hub.hub.clock = lambda: now
    surfer = Surfer(hub)
    token = surfer.token("/console/login")
    answers = [
        surfer.post(
            "/console/login", {"csrf": token, "email": f"n{n}@example.com", "password": "x"}, token=False
        ).status
        for n in range(52)
    ]
    assert answers == [401] * 50 + [429] * 2


@pytest.mark.parametrize("how", ["password", "disabled", "deleted", "idle", "old", "no login", "network"])
def test_a_session_ends(hub: TestHub, how: str) -> None:
    hub.call("CreateUser", UserName="worker", AccessKeyStatus="Inactive", LoginProfileStatus="Active",
             Password="battery staple")  # fmt: skip
    surfer = signed_in(hub, ("worker@1", "battery staple"))
    now = hub.hub.clock()
    assert is_in(surfer)
    if how == "password":
        hub.run(people.set_password(hub.hub, "worker@1", "another staple", registry=False))
    elif how == "disabled":
        hub.call("UpdateUser", UserName="worker", Status="Inactive")
    elif how == "deleted":
        hub.call("DeleteUser", UserName="worker")
    elif how == "idle":
        hub.hub.clock = lambda: now + visitors.IDLE_SECONDS
    elif how == "old":
        for hour in range(0, visitors.LIFE_SECONDS, 3600):
            hub.hub.clock = lambda hour=hour: now + hour
            assert is_in(surfer)
        hub.hub.clock = lambda: now + visitors.LIFE_SECONDS
    elif how == "no login":
        hub.run(hub.hub.db.write(lambda rows: rows.run("UPDATE person SET may_log_in = 0 WHERE email = 'worker@1'")))
    else:
        hub.call("SetNetworkMask", LoginNetworkMask="192.0.2.0/24")
    assert not is_in(surfer)


def test_a_page_that_looks_by_itself_keeps_no_session_alive(hub: TestHub) -> None:
    surfer = signed_in(hub, hub.main)
    now = hub.hub.clock()
    for hour in range(12):
        hub.hub.clock = lambda hour=hour: now + 3600 * hour
        assert surfer.get("/console", **{"x-live": "1"}).status == 200
    hub.hub.clock = lambda: now + visitors.IDLE_SECONDS
    assert surfer.get("/console", **{"x-live": "1"}).status == 303


def test_a_new_console_password_ends_the_session_and_a_registry_password_does_not(hub: TestHub) -> None:
    surfer = signed_in(hub, hub.main)
    form = {"do": "SetPassword", "CurrentPassword": hub.password, "NewPassword": "brown horse", "again": "brown horse"}
    slip = surfer.post("/console/account", {**form, "Kind": "Registry", "again": "brown hose"})
    assert slip.status == 400
    assert surfer.post("/console/account", {**form, "Kind": "Registry"}).status == 303
    assert hub.request("GET", "/token", login=(hub.email, "brown horse")).status == 200
    assert is_in(surfer)
    refused = surfer.post("/console/account", {**form, "Kind": "Console", "CurrentPassword": "brown horse"})
    assert refused.status == 403, "the registry password changes nothing"
    assert surfer.post("/console/account", {**form, "Kind": "Console"}).status == 303
    assert not is_in(surfer)
    assert Surfer(hub).sign_in(hub.main).status == 401
    assert Surfer(hub).sign_in((hub.email, "brown horse")).status == 303


@pytest.mark.parametrize("target", [
    "https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "/console/login", "/v2/",
    "/console/../v2/", "/console/buckets@evil.example", "\r\nx: y", "/console/logout",
])  # fmt: skip
def test_next_leads_nowhere_else(hub: TestHub, target: str) -> None:
    from urllib.parse import quote

    surfer = Surfer(hub)
    path = f"/console/login?next={quote(target, safe='')}"
    reply = surfer.post(path, {"email": hub.email, "password": hub.password})
    assert (reply.status, reply.headers["location"]) == (303, "/console")
    assert surfer.get(path).headers["location"] == "/console"


def test_next_is_rebuilt_from_its_parts(hub: TestHub) -> None:
    surfer = Surfer(hub)
    path = "/console/login?next=%2Fuapi%2Fdetail%3Fid%3DGetRegion%26x%3D%250d%250aset-cookie%3Aa"
    reply = surfer.post(path, {"email": hub.email, "password": hub.password})
    assert reply.headers["location"] == "/uapi/detail?id=GetRegion&x=%0D%0Aset-cookie%3Aa"


def test_the_login_form_needs_the_token_of_its_visit(hub: TestHub) -> None:
    form = {"email": hub.email, "password": hub.password}
    assert Surfer(hub).post("/console/login", form, token=False).status == 403
    one, two = Surfer(hub), Surfer(hub)
    stolen = one.token("/console/login")
    two.get("/console/login")
    assert two.post("/console/login", {**form, "csrf": stolen}, token=False).status == 403
    assert one.post("/console/login", form, origin="https://evil.example").status == 403
    assert one.post("/console/login", form, **{"sec-fetch-site": "cross-site"}).status == 403
    assert one.post("/console/login", form, origin="http://hub.test").status == 303


def test_a_person_has_a_bounded_number_of_sessions(hub: TestHub) -> None:
    first = signed_in(hub, hub.main)
    for _ in range(visitors.SESSIONS):
        now = hub.hub.clock()
        hub.hub.clock = lambda now=now: now + 1
        signed_in(hub, hub.main)
    assert not is_in(first)
    now = hub.hub.clock()
    hub.hub.clock = lambda: now
    for _ in range(visitors.SESSIONS + 3):
        assert is_in(signed_in(hub, hub.main)), "the newest one is never the one that goes"


def test_pages_are_there_while_nothing_can_be_written(hub: TestHub) -> None:
    surfer = signed_in(hub, hub.main)
    now = hub.hub.clock()
    hub.hub.clock = lambda: now + visitors.SEEN_EVERY

    def refuse(name: str) -> None:
        if name == "db.ready":
            raise HubError(Kind.UNAVAILABLE, "the hub is stopping")

    try:
        failpoint.hook = refuse
        assert is_in(surfer)
        assert surfer.post("/console/buckets", {"do": "CreateRepo", "RepoName": "made"}).status == 503
        assert Surfer(hub).sign_in(hub.main).status == 503
    finally:
        failpoint.hook = None
    assert surfer.post("/console/buckets", {"do": "CreateRepo", "RepoName": "made"}).status == 303
