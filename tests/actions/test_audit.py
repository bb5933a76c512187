"""The audit trail: every change and login, in the own account only, and never a secret."""

from typing import Any

from entrepot.ops import janitor, people
from tests.conftest import TestHub
from tests.registry.kit import push_image


def trail(hub: TestHub, **more: Any) -> list[tuple[str, str, str, int]]:
    answer = hub.call("ListAuditRecords", Limit=100, **more)
    return [(one["User"], one["Action"], one["Target"], one["Result"]) for one in answer["AuditSet"]]


def test_changes_logins_and_refusals_leave_a_line(hub: TestHub) -> None:
    hub.call("CreateRepo", RepoName="depot", Description="a secret plan")
    hub.call("CreateRepo", RepoName="depot")
    hub.call("GetRepo")
    token = hub.token(hub.main, "repository:depot/app:pull,push,delete")
    hub.request("GET", "/token", login=(hub.email, "wrong password"))
    hub.request("GET", "/token", login=("nobody@example.com", "wrong password"))
    name, _ = push_image(hub, "depot/app", "v1", token)
    hub.request("DELETE", "/v2/depot/app/manifests/v1", login=token)
    assert trail(hub) == [
        (hub.email, "DeleteManifest", "depot/app v1", 0),
        (hub.email, "PushManifest", f"depot/app@{name} v1", 0),
        (hub.email, "Login", hub.email, 172),
        (hub.email, "Login", hub.email, 0),
        (hub.email, "CreateRepo", "depot", 1031),
        (hub.email, "CreateRepo", "depot", 0),
    ]
    lines = hub.call("ListAuditRecords", Limit=2)["AuditSet"]
    assert lines[0]["Address"] == "127.0.0.9"
    assert len(trail(hub, Before=lines[-1]["Id"])) == 4


def test_no_secret_is_in_the_trail_and_others_do_not_see_it(hub: TestHub) -> None:
    made = hub.call("CreateUser", UserName="alice", Password="very secret word", AccessKeyStatus="Active",
                    LoginProfileStatus="Active")  # fmt: skip
    hub.call("CreateAccessKey", UserName="alice")
    everything = str(hub.run(hub.hub.db.read(lambda rows: rows.all("SELECT * FROM audit"))))
    for secret in ("very secret word", made["AccessKeySecret"], hub.private_key, hub.password):
        assert secret not in everything
    hub.public_key, hub.private_key = made["AccessKeyID"], made["AccessKeySecret"]
    assert hub.call("ListAuditRecords")["RetCode"] == 299
    other = hub.run(people.add_user(hub.hub, "o@x.y", password=None, rights=frozenset(), account_of=None))
    hub.public_key, hub.private_key = other.public_key, other.private_key
    assert trail(hub) == []


def test_old_lines_are_forgotten(hub: TestHub) -> None:
    hub.call("CreateRepo", RepoName="depot")
    assert hub.run(janitor.forget_audit(hub.hub)) == 0
    now = hub.hub.clock()
    hub.hub.clock = lambda: now + hub.settings.audit_days * 86_400 + 10
    assert hub.run(janitor.forget_audit(hub.hub)) == 1
