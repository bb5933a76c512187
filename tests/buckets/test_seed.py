"""What `entrepot bench seed` makes is a hub like any other."""

from typing import Any

import pytest

from entrepot.ops import check
from entrepot.ops.seed import seed
from entrepot.store.sql import listing
from tests import postgres
from tests.conftest import TestHub
from tests.explained import Explained


def fill(hub: TestHub, buckets: int, images: int) -> None:
    async def work() -> None:
        async for _ in seed(hub.hub, buckets=buckets, images=images, region="cn-bj2"):
            pass

    hub.run(work())


def test_a_seeded_hub_has_exact_counters_also_when_it_is_seeded_again(hub: TestHub) -> None:
    fill(hub, 30, 100)
    fill(hub, 40, 100)
    found = hub.run(check.check(hub.hub, deep=True, repair=False, progress=lambda *_: None))
    assert found == []
    answer = hub.call("GetImageBucketList", Region="cn-bj2", BucketType="All", Limit=1)
    assert answer["TotalCount"] == 40
    image = hub.call("GetRepoImage", Region="cn-bj2", RepoName=answer["ImageSet"][0]["BucketName"])
    assert image["RetCode"] == 0, image
    assert image["TotalCount"] == len(image["ImageSet"]) == 3


@pytest.mark.skipif(not postgres.WANTED, reason="the plan is PostgreSQL's")
def test_the_first_page_of_all_is_merged_from_its_ranges_and_not_sorted(hub: TestHub) -> None:
    plan: list[str] = []

    def page(rows: Any) -> None:
        listing.buckets(
            Explained(rows, plan), account_id=1, region="cn-bj2", name=None,
            scopes=(listing.OWN_PRIVATE, listing.PUBLIC), limit=10, offset=0,
        )  # fmt: skip

    fill(hub, 5000, 0)
    hub.run(hub.hub.db.write(lambda rows: rows.run("ANALYZE bucket")))
    hub.run(hub.hub.db.read(page))
    assert any("Merge Append" in line for line in plan), plan
