"""Policies: the list, and one policy with its text and who has it."""

from entrepot.api.policies import DOCUMENT
from entrepot.console.pages import Nav, page, stay, to
from entrepot.console.visit import Shown, Visit

ROWS = 25
SECTION = "/console/policies"
OF_THE_HUB = {
    "AdministratorAccess": "账户内的全部权限",
    "UHubFullAccess": "镜像仓库和镜像的全部权限",
    "UHubReadOnlyAccess": "拉取镜像，查看镜像仓库和镜像",
    "IAMFullAccess": "用户、密钥、策略、角色和项目的全部权限",
    "STSAssumeRoleAccess": "扮演账户内的角色",
}
"""What the hub's own policies are for, in Chinese."""


@page(SECTION, does={"CreateIAMPolicy": stay}, nav=Nav("Policies", "策略", "shield", 50))
async def show_all(visit: Visit) -> Shown:
    """Those of the hub first, then the account's by name."""
    offset = visit.number("offset")
    listed = await visit.run("ListPolicies", Limit=str(ROWS), Offset=str(offset))
    return Shown(
        "policies.html",
        {
            "policies": listed.policies,
            "total": listed.total_count,
            "offset": offset,
            "rows": ROWS,
            "document": DOCUMENT,
            "of_the_hub": OF_THE_HUB,
            "form": visit.form,
        },
    )


@page("/console/policy", section=SECTION, does={"UpdateIAMPolicy": stay, "DeleteIAMPolicy": to(SECTION)})
async def show_one(visit: Visit) -> Shown:
    """One policy; those of the hub cannot be changed."""
    urn = visit.query.get("urn", "")
    policy = (await visit.run("GetIAMPolicy", PolicyURN=urn)).policy
    held = await visit.run("ListEntitiesForPolicy", PolicyURN=urn, Limit="100")
    return Shown(
        "policy.html",
        {
            "policy": policy,
            "entities": held.entities,
            "is_own": not policy.policy_urn.startswith("ucs:iam::ucs:"),
            "form": visit.form,
        },
    )
