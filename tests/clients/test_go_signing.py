"""Helm and cosign against a running hub: charts go there and back, signatures and attestations are kept and found."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import MAIN
from tests.clients.gotools import FIRST, SECOND, Client, Wire, blobs, wired
from tests.conftest import Live

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def wire(people: Live) -> Iterator[Wire]:
    made = wired(people)
    yield made
    made.close()


def test_helm(wire: Wire, tmp_path: Path) -> None:
    helm = Client("helm", tmp_path, wire)
    plain, place = "--plain-http", f"oci://{wire.host}/{FIRST}"
    helm.logs_in("registry", "login", plain, wire.host)

    (tmp_path / "chart").mkdir()
    helm("create", str(tmp_path / "chart" / "helm-app"))
    pushed = {}
    for version in ("0.1.0", "0.2.0"):
        helm("package", str(tmp_path / "chart" / "helm-app"), "--version", version, "-d", str(tmp_path))
        said = helm.told("push", plain, str(tmp_path / f"helm-app-{version}.tgz"), place)
        pushed[version] = said.rpartition("Digest: ")[2].split()[0]
    helm.report.holds("push")
    (tmp_path / "out").mkdir()
    said = helm.told("pull", plain, f"{place}/helm-app", "--version", "0.1.0", "-d", str(tmp_path / "out"))
    assert pushed["0.1.0"] in said
    sent, got = tmp_path / "helm-app-0.1.0.tgz", tmp_path / "out" / "helm-app-0.1.0.tgz"
    assert got.read_bytes() == sent.read_bytes()
    helm.report.holds("pull")
    mark = wire.mark()
    assert "version: 0.2.0" in helm("show", "chart", plain, f"{place}/helm-app", "--version", ">0.1")
    assert any(
        path.startswith(f"/v2/{FIRST}/helm-app/tags/list") for _, path, status in wire.seen[mark:] if status == 200
    )
    helm.report.holds("list tags")
    assert "kind: Service" in helm("template", plain, f"{place}/helm-app", "--version", "0.2.0")

    helm.refused(
        "pull", plain, f"{place}/helm-app", "--version", "0.1.0", who="stranger", says="not found", cwd=tmp_path
    )
    helm.refused(
        "pull", plain, f"{place}/helm-app", "--version", "0.1.0", who="nobody", says="unauthorized", cwd=tmp_path
    )
    helm.refused("push", plain, str(sent), place, who="reader", says="denied")
    helm.report.holds("another account is refused")


def test_cosign(wire: Wire, layout: tuple[Path, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COSIGN_PASSWORD", "a password")
    folder, name = layout
    cosign, crane = Client("cosign", tmp_path, wire), Client("crane", tmp_path, wire)
    one, two = f"{wire.host}/{FIRST}/cosign", f"{wire.host}/{SECOND}/cosign"
    tagged = name.replace(":", "-")
    http = "--allow-http-registry"
    crane("auth", "login", wire.host, "-u", MAIN[0], "-p", MAIN[1])
    crane("push", str(folder), f"{one}:v1")
    cosign.logs_in("login", wire.host, then=("tree", http, f"{one}:v1"))

    cosign("generate-key-pair", cwd=tmp_path)
    offline = ["--tlog-upload=false", "--use-signing-config=false", "--key", "cosign.key", "-y", http]
    check = ["--insecure-ignore-tlog=true", "--key", "cosign.pub", http]
    cosign.fails("verify", *check, f"{one}:v1", cwd=tmp_path)
    cosign("sign", *offline, "-a", "by=hand", f"{one}@{name}", cwd=tmp_path)
    cosign.report.holds("sign")
    mark = wire.mark()
    [signed] = json.loads(cosign("verify", *check, f"{one}:v1", who="reader", cwd=tmp_path))
    assert signed["critical"]["image"]["docker-manifest-digest"] == name
    assert any("/referrers/" in path and status == 200 for _, path, status in wire.seen[mark:])
    cosign.report.holds("verify")

    (tmp_path / "made.json").write_text('{"made": "here"}')
    cosign("attest", *offline, "--predicate", "made.json", "--type", "custom", f"{one}@{name}", cwd=tmp_path)
    cosign.report.holds("attest")
    cosign("verify-attestation", *check, "--type", "custom", f"{one}@{name}", cwd=tmp_path)
    cosign.report.holds("verify an attestation")
    tree = cosign("tree", http, f"{one}:v1")
    assert "cosign/sign/v1 artifacts via OCI referrer" in tree
    assert "attestation/v1 artifacts via OCI referrer" in tree
    cosign.report.holds("list referrers")

    (tmp_path / "sbom.json").write_text('{"spdxVersion": "SPDX-2.3"}')
    cosign("attach", "sbom", http, "--sbom", "sbom.json", "--input-format", "json", f"{one}@{name}", cwd=tmp_path)
    assert crane("ls", one).split() == [f"{tagged}.sbom", "v1"]
    cosign.report.holds("attach")
    cosign("sign", *offline, "--new-bundle-format=false", f"{one}@{name}", cwd=tmp_path)
    assert crane("ls", one).split() == [f"{tagged}.sbom", f"{tagged}.sig", "v1"]
    mark = wire.mark()
    cosign("copy", http, f"{one}:v1", f"{two}:v1")
    assert wire.mounts(mark) == 8
    assert {f"{tagged}.sbom", f"{tagged}.sig", "v1"} <= set(crane("ls", two).split())
    cosign("verify", *check, "--new-bundle-format=false", f"{two}:v1", cwd=tmp_path)
    cosign.report.holds("copy by mount")

    # Not of an image that has bundles: cosign 3.1.3 loads a bundle's manifest before its blob, which a hub refuses.
    cosign("save", http, "--dir", str(tmp_path / "saved"), f"{two}:v1")
    assert blobs(tmp_path / "saved") >= blobs(folder)
    cosign.report.holds("pull")
    cosign("load", http, "--dir", str(tmp_path / "saved"), f"{two}-loaded:v1")
    cosign("verify", *check, "--new-bundle-format=false", f"{two}-loaded:v1", cwd=tmp_path)
    assert crane("digest", f"{two}-loaded:v1") == name
    cosign.report.holds("push")

    # What oras copies together with its referrers verifies where it came to.
    oras = Client("oras", tmp_path, wire)
    oras("cp", "-r", "--from-plain-http", "--to-plain-http", f"{one}:v1", f"{two}-all:v1")
    cosign("verify", *check, f"{two}-all:v1", cwd=tmp_path)
    cosign("verify-attestation", *check, "--type", "custom", f"{two}-all:v1", cwd=tmp_path)

    cosign.refused("verify", *check, f"{one}:v1", who="stranger", says="name_unknown", cwd=tmp_path)
    cosign.refused("verify", *check, f"{one}:v1", who="nobody", says="unauthorized", cwd=tmp_path)
    cosign.refused("sign", *offline, f"{one}@{name}", who="reader", says="denied", cwd=tmp_path)
    cosign.report.holds("another account is refused")
    cosign("clean", http, "-f", f"{one}:v1")
    assert crane("ls", one) == "v1"
    assert "artifacts via" not in cosign("tree", http, f"{one}:v1")
    cosign.fails("verify", *check, f"{one}:v1", cwd=tmp_path)
    assert crane("digest", f"{one}:v1") == name
    cosign.report.holds("delete a manifest")
