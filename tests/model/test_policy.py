"""Policy documents and verdicts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.errors import HubError
from entrepot.model import policy
from entrepot.model.policy import ACCOUNT, Attached, Target

BUCKET = "ucs:uhub:cn-bj2:1:repo/web"


def document(*rules: dict[str, Any]) -> str:
    return json.dumps({"Version": "1", "Statement": list(rules)})


def rule(effect: str, action: Any, resource: Any = "*") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def attached(*rules: dict[str, Any], project: str = "") -> Attached:
    return Attached(policy.parse(document(*rules)), project)


def test_a_verdict_is_allowed_denied_or_nothing() -> None:
    given_ = [attached(rule("Allow", "uhub:*")), attached(rule("Deny", "uhub:Delete*"))]
    assert policy.decide(given_, "uhub:PullImage", ACCOUNT) is True
    assert policy.decide(given_, "uhub:DeleteRepo", ACCOUNT) is False
    assert policy.decide(given_, "iam:CreateUser", ACCOUNT) is None
    assert policy.decide([], "iam:CreateUser", ACCOUNT) is None


@pytest.mark.parametrize(
    ("pattern", "action", "covers"),
    [
        ("*", "uhub:GetRepo", True),
        ("uhub:GetRepo", "uhub:GetRepo", True),
        ("GetRepo", "uhub:GetRepo", True),
        ("uhub:Get*", "uhub:GetRepoImage", True),
        ("Get*", "ugc:GetAllImages", True),
        ("*:GetRepo", "uhub:GetRepo", True),
        ("uhub:GetRepo", "uhub:GetRepoImage", False),
        ("ugc:*", "uhub:GetRepo", False),
        ("uhub:getrepo", "uhub:GetRepo", True),
    ],
)
def test_action_patterns(pattern: str, action: str, covers: bool) -> None:
    assert (policy.decide([attached(rule("Allow", pattern))], action, ACCOUNT) is True) == covers


@pytest.mark.parametrize(
    ("pattern", "covers"),
    [
        ("*", True),
        ("ucs:uhub:cn-bj2:1:repo/web", True),
        ("ucs:uhub:*:*:repo/web", True),
        ("ucs:uhub:*:1:repo/w*", True),
        ("ucs:uhub:*:1:repo/web/app", True),
        ("ucs:uhub:*:1:repo/web/other", False),
        ("ucs:uhub:*:2:repo/web", False),
        ("ucs:uhub:hk:1:repo/web", False),
        ("ucs:uhub:*:1:repo/we[b]", False),
        ("ucs:uhub:*:1:repo/we?", False),
    ],
)
def test_resource_patterns(pattern: str, covers: bool) -> None:
    target = Target((BUCKET, f"{BUCKET}/app"), "org-1")
    assert (policy.decide([attached(rule("Allow", "*", pattern))], "uhub:PullImage", target) is True) == covers


def test_only_a_star_speaks_of_the_account_itself() -> None:
    narrow = [attached(rule("Allow", "*", "ucs:uhub:*:*:repo/*"))]
    assert policy.decide(narrow, "ugc:GetImageBucketList", ACCOUNT) is None
    assert policy.decide([attached(rule("Allow", "*", ["ucs:uhub:*:*:repo/x", "*"]))], "iam:ListUsers", ACCOUNT) is True


def test_a_policy_in_a_project_holds_only_there() -> None:
    held = [attached(rule("Allow", "uhub:*"), project="org-1")]
    assert policy.decide(held, "uhub:PullImage", Target((BUCKET,), "org-1")) is True
    assert policy.decide(held, "uhub:PullImage", Target((BUCKET,), "org-2")) is None
    assert policy.decide(held, "uhub:PullImage", ACCOUNT) is None
    assert policy.decide(held, "uhub:PullImage", Target((BUCKET,), "*")) is True
    assert policy.projects(held, "uhub:GetRepo") == {"org-1"}
    assert policy.projects([*held, attached(rule("Deny", "uhub:GetRepo"))], "uhub:GetRepo") == frozenset()


NONE = [
    "", "[]", "{}", "null", '{"Statement": 5}', '{"Statement": []}', document(), '{"Version": "2", "Statement": {}}',
    document({"Effect": "Allow"}), document(rule("allow", "*")), document(rule("Allow", [])),
    document(rule("Allow", "*", [])), document(rule("Allow", 5)), document(rule("Allow", "a b")),
    document(rule("Allow", "*", "everything")), document(rule("Allow", "*", "ucs:uhost:x:1:instance/x")),
    document({**rule("Allow", "*"), "Condition": {"ip": "x"}}), document(*([rule("Allow", "*")] * 65)),
    document(rule("Allow", [f"x{number}*" for number in range(51)])), '{"Statement": "\ud800"}', "[" * 100_000,
    " " * 7000,
]  # fmt: skip


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_policy_is_refused(text: str) -> None:
    with pytest.raises(HubError) as refusal:
        policy.parse(text)
    assert refusal.value.kind.row.ret_code == 230


def test_many_stars_take_no_time() -> None:
    pattern = "ucs:uhub:*:1:repo/" + "a*" * 500  # one pattern, however many stars
    assert policy.decide([attached(rule("Allow", "*", pattern))], "x:y", Target((BUCKET + "a" * 5000,), "")) is None


@pytest.mark.parametrize("urn", sorted(policy.SYSTEM))
def test_system_policies_are_policies(urn: str) -> None:
    assert policy.parse(policy.SYSTEM[urn].document)


names = st.sampled_from(["uhub:PullImage", "uhub:PushImage", "ugc:GetAllImages", "iam:ListUsers"])
patterns = st.sampled_from(["*", "uhub:*", "uhub:P*", "Get*", "iam:ListUsers"])
rules = st.builds(rule, st.sampled_from(["Allow", "Deny"]), st.lists(patterns, min_size=1, max_size=2))
held = st.lists(
    st.builds(lambda some, project: attached(*some, project=project), st.lists(rules, min_size=1, max_size=3),
              st.sampled_from(["", "org-1", "org-2"])), max_size=4
)  # fmt: skip
targets = st.sampled_from([ACCOUNT, Target((BUCKET,), "org-1"), Target((BUCKET,), "org-2"), Target((BUCKET,), "*")])


@given(held, names, targets)
def test_deny_wins_and_order_does_not_matter(some: list[Attached], action: str, target: Target) -> None:
    verdict = policy.decide(some, action, target)
    assert policy.decide(list(reversed(some)), action, target) == verdict
    denied = [*some, attached(rule("Deny", action))]
    assert policy.decide(denied, action, target) is False
    if verdict is not False:
        assert policy.decide([*some, attached(rule("Allow", action))], action, target) is True


@given(held, names)
def test_projects_are_those_where_the_action_is_allowed(some: list[Attached], action: str) -> None:
    assert policy.projects(some, action) == {
        name
        for name in ("org-1", "org-2")
        if any(one.project_id == name for one in some) and policy.decide(some, action, Target((), name))
    }
