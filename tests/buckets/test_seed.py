"""What `entrepot bench seed` makes is a hub like any other."""

from entrepot.ops import check
from entrepot.ops.seed import seed
from tests.conftest import TestHub


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
