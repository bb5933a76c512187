"""What stands in deploy/ fits the program: settings, metrics and paths that are named there exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from entrepot.cli import certificate  # noqa: F401 - it declares a metric
from entrepot.config import Settings
from tests.conftest import TestHub
from tests.watch.certificates import Files
from tests.watch.kit import scrape
from tests.watch.test_metrics import pushed

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = set(Settings.__struct_fields__)
METRIC = re.compile(r"\bentrepot_[a-z_]+")


def read(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


def load(name: str) -> Any:
    return yaml.safe_load(read(name))


def test_settings_that_are_named_exist() -> None:
    for path in DEPLOY.rglob("*.*"):
        named = re.findall(r"\bENTREPOT_([A-Z_]*[A-Z])\b", path.read_text("utf-8")) if path.is_file() else []
        assert {name.lower() for name in named} - {"config"} <= SETTINGS, path


@pytest.mark.parametrize("name", ["grafana.json", "alerts.yaml"])
def test_metrics_that_are_named_exist(hub: TestHub, name: str) -> None:
    pushed(hub)
    named = set(METRIC.findall(read(name)))
    assert named <= set(METRIC.findall(scrape(hub).text))
    assert len(named) >= 10


def test_labels_that_are_named_exist(hub: TestHub) -> None:
    pushed(hub)
    hub.call("GetImageBucketList", Region="cn-bj2")
    hub.hub.did("collect")
    known = {name for _, labels in scrape(hub).samples for name, _ in labels} | {"instance"}
    text = read("grafana.json") + read("alerts.yaml")
    assert {name for group in re.findall(r"by \(([a-z_, ]+)\)", text) for name in group.split(", ")} <= known


def test_every_alert_says_what_it_means_and_what_to_do() -> None:
    manual = (DEPLOY.parent / "docs" / "operations.md").read_text("utf-8")
    [group] = load("alerts.yaml")["groups"]
    assert len(group["rules"]) > 8
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert f"`{rule['alert']}`" in manual, f"docs/operations.md does not tell what to do about {rule['alert']}"


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    board = json.loads(read("grafana.json"))
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in panels]
    assert len(set(places)) == len(places)
    for panel in panels:
        assert panel["title"]
        assert panel["type"] == "row" or all(target["expr"] for target in panel["targets"])


def test_the_image_names_no_registry_and_takes_only_pinned_packages() -> None:
    text = read("Containerfile")
    assert re.findall(r"(?m)^ARG BASE=(.*)$", text) == ["python:3.11-slim-bookworm"]
    assert set(re.findall(r"(?m)^FROM (\S+)", text)) == {"${BASE}"}
    folder = DEPLOY.parent / "requirements"
    assert {f"{name}.txt" for name in ("run", "s3", "azure")} <= {path.name for path in folder.iterdir()}
    assert "requirements/${PACKAGES}.txt" in text
    for line in re.findall(r"pip install.*", text):
        assert "--require-hashes" in line or "--no-deps --no-build-isolation ." in line


def test_compose_gives_the_hub_a_volume_and_time_to_stop() -> None:
    hub = load("compose.yaml")["services"]["hub"]
    assert hub["volumes"] == ["data:/data"]
    assert int(hub["stop_grace_period"].rstrip("s")) > int(hub["environment"]["ENTREPOT_STOP_SECONDS"])
    assert (DEPLOY / hub["build"]["context"] / hub["build"]["dockerfile"]).exists()
    database = load("compose.postgres.yaml")["services"]
    assert database["hub"]["depends_on"]["database"]["condition"] == "service_healthy"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze on this machine")
    unit = tmp_path / "entrepot.service"
    unit.write_text(read("entrepot.service").replace("/opt/entrepot/.venv/bin/entrepot", shutil.which("true") or ""))
    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_nginx_takes_its_file(tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if not nginx:
        pytest.skip("no nginx on this machine")
    Files(tmp_path)
    (tmp_path / "hub.conf").write_text(read("nginx.conf").replace("/etc/entrepot/", f"{tmp_path}/"))
    whole = tmp_path / "nginx.conf"
    whole.write_text(f"pid {tmp_path}/pid; error_log stderr; events {{}} http {{ include {tmp_path}/hub.conf; }}")
    done = subprocess.run([nginx, "-t", "-c", whole], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
