"""The Helm chart: helm lints it, and what it makes of its values is what a cluster needs."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from entrepot.config import load
from tests.clients.conftest import bad, good
from tests.clients.gotools import tool

pytestmark = pytest.mark.clients
CHART = str(Path(__file__).parents[2] / "deploy" / "chart")


def made(*values: str) -> dict[str, Any]:
    """What the chart makes, by kind."""
    text = good(tool("helm"), "template", "hub", CHART, *[word for one in values for word in ("--set", one)])
    return {one["kind"]: one for one in yaml.safe_load_all(text) if one}


def refused(*values: str) -> str:
    return bad(tool("helm"), "template", "hub", CHART, *[word for one in values for word in ("--set", one)])


def container(found: dict[str, Any]) -> dict[str, Any]:
    [one] = found["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(one)


def test_helm_finds_no_fault() -> None:
    assert "0 chart(s) failed" in good(tool("helm"), "lint", "--strict", CHART)


def test_one_pod_with_a_volume() -> None:
    found = made()
    assert set(found) == {"Deployment", "Service", "PersistentVolumeClaim"}
    spec = found["Deployment"]["spec"]
    assert spec["strategy"] == {"type": "Recreate"}
    # Longer than the hub itself takes for a stop, or what runs would be killed.
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > 10 + 60
    assert spec["template"]["spec"]["securityContext"]["runAsNonRoot"]
    hub = container(found)
    assert hub["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert hub["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "hub", "scheme": "HTTP"}
    environ = {one["name"]: one["value"] for one in hub["env"]}
    settings = load(environ=environ)
    assert (settings.data, settings.drain_seconds, settings.stop_seconds) == ("/data/hub", 10, 60)


def test_secrets_come_by_reference() -> None:
    found = made("database.secret=rows", "metrics.secret=scraper", "tls.secret=cert", "credentials.secret=bucket")
    hub = container(found)
    assert hub["envFrom"] == [{"secretRef": {"name": "bucket"}}]
    assert "envFrom" not in container(made())
    assert hub["readinessProbe"]["httpGet"]["scheme"] == "HTTPS"
    by_name = {one["name"]: one for one in hub["env"]}
    assert by_name["ENTREPOT_DATABASE_URL"]["valueFrom"]["secretKeyRef"] == {"name": "rows", "key": "url"}
    assert by_name["ENTREPOT_METRICS_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": "scraper", "key": "token"}
    assert by_name["ENTREPOT_TLS_KEY"]["value"] == "/tls/tls.key"


def test_several_pods_need_shared_rows_and_a_shared_volume() -> None:
    assert "database.secret" in refused("replicas=2")
    assert "ReadWriteMany" in refused("replicas=2", "database.secret=rows")
    found = made("replicas=2", "database.secret=rows", "persistence.accessMode=ReadWriteMany", "ingress.enabled=true")
    assert found["Deployment"]["spec"]["strategy"] == {"type": "RollingUpdate"}
    assert found["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert found["Ingress"]["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-body-size"] == "0"


def test_what_is_misspelt_or_belongs_elsewhere_is_refused() -> None:
    assert "replica" in refused("replica=2")
    assert "database_url" in refused("settings.database_url=postgresql://x")
