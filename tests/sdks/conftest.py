"""UCloud's own clients, unchanged. What has to be built is built outside of the source tree and kept between runs."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entrepot.client.actions import ActionsClient
from tests.clients.pushing import Pusher, push_image
from tests.conftest import Live, entrepot

HERE = Path(__file__).parent


def kept(name: str) -> Path:
    """A folder that outlives the run: a second run builds nothing."""
    folder = Path(tempfile.gettempdir()) / "entrepot-clients" / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def need(program: str) -> str:
    """The path of a program; without it the test is skipped."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"no {program} on this machine")
    return found


def built(done: "subprocess.CompletedProcess[str]") -> None:
    """A build that fails is a failure, not a reason to skip."""
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"


@dataclass
class Shop:
    """The live hub as UCloud's clients see it, and a client of our own to look behind their backs."""

    live: Live
    own: ActionsClient

    @property
    def env(self) -> dict[str, str]:
        """What the small programs beside these tests read."""
        return {
            "HUB_URL": self.live.url,
            "HUB_PROJECT": self.live.project_id,
            "HUB_PUBLIC_KEY": self.live.public_key,
            "HUB_PRIVATE_KEY": self.live.private_key,
        }

    def call(self, action: str, **params: Any) -> dict[str, Any]:
        return self.own.call(action, **params)

    def bucket(self, name: str, *, public: bool = False) -> str:
        words = ["bucket", "create", name, "--data", str(self.live.data), *(["--public"] if public else [])]
        made = entrepot(*words)
        assert made.returncode == 0, made.stderr
        return name

    def push(self, reference: str, *tags: str) -> list[str]:
        """An image under each tag; their digests."""
        with Pusher(self.live.port, (self.live.email, self.live.password)) as hub:
            return [push_image(hub, reference, tag, os.urandom(1000))[0] for tag in tags]

    def tags(self, bucket: str, image: str) -> list[str]:
        """The tags of an image in their order; none where the image is gone."""
        listed = self.call("GetDockerImageList", Region="cn-bj2", BucketName=bucket)["ImageSet"]
        return [tag["TagName"] for one in listed if one["ImageName"].endswith(f"/{image}") for tag in one["TagSet"]]

    def trail(self, action: str, target: str) -> list[int]:
        """The results of every call of an action on a target, the newest first; a project may stand behind it."""
        lines = self.call("ListAuditRecords", Limit=200)["AuditSet"]
        return [
            line["Result"]
            for line in lines
            if line["Action"] == action and f"{line['Target']} ".startswith(f"{target} ")
        ]

    def names(self) -> set[str]:
        """The account's own buckets."""
        listed = self.call("GetImageBucketList", Region="cn-bj2", BucketType="User", Limit=1000)["ImageSet"]
        return {one["BucketName"] for one in listed}

    def drop(self, bucket: str) -> None:
        """A bucket with all that is in it."""
        for image in self.call("GetRepoImage", RepoName=bucket, Limit=1000)["ImageSet"]:
            self.call("DeleteRepoImage", RepoName=bucket, ImageName=image["ImageName"])
        self.call("DeleteRepo", RepoName=bucket)


@pytest.fixture
def shop(live: Live) -> Iterator[Shop]:
    """What a test makes goes with it: a project holds few buckets."""
    made = Shop(live, ActionsClient(live.url, live.public_key, live.private_key))
    before = made.names()
    yield made
    for bucket in made.names() - before:
        made.drop(bucket)
