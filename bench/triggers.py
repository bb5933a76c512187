"""What a trigger costs those who push: pushes into a bucket with one, and into a bucket that nobody listens to.

    python -m bench.triggers [--pushes N] [--rounds N] [--clients N]

In each round both are measured, every other time in the other order: what comes second meets the disk still busy with
what came first. After each of them all runs come to their end. The workflow looks at the image and moves a tag to it,
so each run is two actions. Printed: the median push of both, their ratio, and whether each push had exactly one run.
"""

import argparse
import base64
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import tools
from bench.collecting import tell
from bench.load import drive
from bench.servers import BUCKET, Hub
from entrepot.client.actions import ActionsClient

LISTENED = "listened"
MOST = 1000
"""Most runs that the API lists at once."""
_PLACE = {"BucketName": "${workflow.input.BucketName}", "ImageName": "${workflow.input.ImageName}"}


def template() -> dict[str, Any]:
    """Look at what was pushed, then have the tag `seen` point to it."""

    def call(name: str, following: str, **body: str) -> dict[str, Any]:
        asked = {"url": "https://api.ucloud.cn", "method": "POST", "body": {**body, **_PLACE}}
        return {"Name": name, "Type": "UHttpActivity", "Next": following, "Input": asked}

    digest = "${workflow.input.Digest}"
    return {
        "Input": [{"Name": name, "Type": "STRING", "Value": ""} for name in ("BucketName", "ImageName", "Digest")],
        "Output": [],
        "Activities": [
            {"Name": "start", "Type": "StartActivity", "Next": "look"},
            call("look", "move", Action="DescribeManifest", Reference=digest),
            call("move", "end", Action="TagImage", TagName="seen", Source=digest),
            {"Name": "end", "Type": "EndActivity"},
        ],
    }


class Listened:
    """A hub with a second bucket whose pushes start runs."""

    def __init__(self, folder: Path) -> None:
        self.hub = Hub(folder)
        self.hub.cli("bucket", "create", LISTENED)
        assert self.hub.login is not None
        key = json.loads(self.hub.cli("key", "create", self.hub.login[0], "--json"))
        self.hub.start()
        self.actions = ActionsClient(self.hub.url, key["PublicKey"], key["PrivateKey"])
        namespace = self.actions.call("CreateSFNamespace", Namespace=LISTENED)["NamespaceId"]
        text = base64.b64encode(json.dumps(template()).encode()).decode()
        named = {"Region": "cn-bj2", "Namespace": namespace, "WorkflowName": "look"}
        self.actions.call("CreateSFWorkflowFromTemplate", Workflow=text, **named)
        self.workflow = f"{namespace}.look"
        self.actions.call("PublishSFWorkflow", WorkflowId=self.workflow)
        listens = {"Event": ["image.pushed"], "Match": ["*:v*"], "Bucket": LISTENED}
        self.actions.call("CreateSFTrigger", WorkflowId=self.workflow, TriggerKind="Event", **listens)

    def push(self, bucket: str, number: int, given: argparse.Namespace) -> list[float]:
        """Seconds of each push of a round."""
        told = drive(self.hub, "push", repos=f"{bucket}/r{number}", count=given.pushes, clients=given.clients, verify=0)
        return list(told["seconds"]["push"])

    def runs(self) -> list[dict[str, Any]]:
        """All of them."""
        found: list[dict[str, Any]] = []
        while True:
            asked = {"WorkflowId": self.workflow, "Limit": MOST, "Offset": len(found)}
            page = self.actions.call("ListSFInstances", **asked)["InstanceSet"]
            found += page
            if len(page) < MOST:
                return found

    def ended(self, count: int) -> float:
        """Wait for the end of so many runs; the seconds that it took."""
        began = time.perf_counter()
        while sum(1 for one in self.runs() if one["EndTime"]) < count:
            time.sleep(0.5)
        return time.perf_counter() - began


def main() -> int:
    """Print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m bench.triggers", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pushes", type=int, default=200, help="in a round, into each bucket")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--clients", type=int, default=4)
    given = parser.parse_args()
    tools.driver()
    with tempfile.TemporaryDirectory(prefix="entrepot-bench-", ignore_cleanup_errors=True) as folder:
        made, ratios, pushed, left = Listened(Path(folder) / "hub"), [], 0, 0.0
        try:
            for number in range(given.rounds):
                took = {}
                for bucket in (BUCKET, LISTENED)[:: 1 if number % 2 else -1]:
                    took[bucket] = made.push(bucket, number, given)
                    if bucket == LISTENED:
                        pushed += given.pushes
                        left = made.ended(pushed)
                off, on = took[BUCKET], took[LISTENED]
                medians = [statistics.median(one) * 1000 for one in (off, on)]
                ratios.append(medians[1] / medians[0])
                tell(
                    f"round {number + 1}: a push {medians[0]:.1f} ms, with a trigger {medians[1]:.1f} ms"
                    f" ({ratios[-1]:.2f} x); the last run ended {left:.1f} s after the last push"
                )
            runs = made.runs()
        finally:
            made.hub.stop()
        told = {one["Cause"] for one in runs if one["State"] == "Success"}
        tell(
            f"median ratio {statistics.median(ratios):.2f}; {pushed:,} pushes, {len(runs):,} runs, {len(told):,} events"
        )
    return 0 if len(told) == len(runs) == pushed else 1


if __name__ == "__main__":
    sys.exit(main())
