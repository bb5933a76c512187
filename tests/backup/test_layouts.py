"""A bucket goes out as an OCI image layout and comes in again; layouts of others come in; hostile ones do no harm."""

import hashlib
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.errors import HubError, Kind
from entrepot.model import layout as layouts
from entrepot.ops import exports, imports, people, quotas
from entrepot.ops.context import Ctx
from entrepot.store import layout_read, layout_write
from tests import stored
from tests.backup.kit import findings
from tests.backup.test_backup import CONTENT, flip, image, make
from tests.conftest import Loop, TestHub
from tests.registry.kit import OCI_INDEX, OCI_MANIFEST, digest, manifest_of


def export(hub: TestHub, bucket: str, target: Path, image: str | None = None) -> exports.Report:
    async def work() -> exports.Report:
        with layout_write.opened(target, exports.scope(bucket, image)) as writer:
            return await exports.export(hub.hub, bucket, image, writer, lambda *_: None)

    return hub.run(work())


def load(hub: TestHub, bucket: str, source: Path, image: str | None = None, email: str | None = None) -> imports.Report:
    async def work() -> imports.Report:
        ctx = Ctx(hub.hub, await people.operator(hub.hub, email), "operator")
        with layout_read.opened(source) as layout:
            return await imports.load(ctx, bucket, image, layout, lambda *_: None)

    return hub.run(work())


def holds(hub: TestHub, bucket: str) -> dict[str, Any]:
    """What a bucket holds: every manifest's bytes and every tag of each image, and the digests of linked blobs."""

    def read(rows: Any) -> dict[str, Any]:
        inside = "FROM image i JOIN bucket b ON b.id = i.bucket_id"
        return {
            "manifests": sorted(rows.all(f"SELECT i.name, m.digest, m.media_type, m.content {inside}"
                                         " JOIN manifest m ON m.image_id = i.id WHERE b.name = :b", b=bucket)),
            "tags": sorted(rows.all(f"SELECT i.name, t.name, m.digest {inside} JOIN manifest m ON m.image_id = i.id"
                                    " JOIN tag t ON t.manifest_id = m.id WHERE b.name = :b", b=bucket)),
            "parts": sorted(rows.all(f"SELECT i.name, m.digest, o.digest {inside} JOIN manifest m ON m.image_id = i.id"
                                     " JOIN manifest_blob r ON r.manifest_id = m.id JOIN blob o ON o.id = r.blob_id"
                                     " WHERE b.name = :b", b=bucket)),
        }  # fmt: skip

    return hub.run(hub.hub.db.read(read))


@settings(max_examples=15)
@given(steps=CONTENT)
def test_a_bucket_comes_back_with_every_digest_tag_and_referrer(loop: Loop, steps: Any) -> None:
    folder = Path(tempfile.mkdtemp())
    hub, other = TestHub(loop, folder / "data"), TestHub(loop, folder / "other")
    try:
        hub.bucket("depot")
        other.bucket("depot")
        make(hub, steps)
        wanted = holds(hub, "depot")
        first = export(hub, "depot", folder / "layout")
        assert export(hub, "depot", folder / "layout").blobs == 0
        assert export(hub, "depot", folder / "layout.tar").manifests == first.manifests == len(wanted["manifests"])
        with tarfile.open(folder / "layout.tar") as tar:  # as others read it
            listed = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
        for name, content in listed.items():
            assert content == (folder / "layout" / name).read_bytes()
            assert (
                not name.startswith("blobs") or hashlib.new(Path(name).parts[1], content).hexdigest() == Path(name).name
            )
        for source, bucket in ((folder / "layout", "depot"), (folder / "layout.tar", "second")):
            if bucket == "second":
                other.bucket(bucket)
            load(other, bucket, source)
            assert holds(other, bucket) == wanted
            again = load(other, bucket, source)
            assert (again.blobs, again.tags, again.skipped) == (0, 0, [])
        assert loop.run(findings(other.hub)) == []
    finally:
        hub.close()
        other.close()
        shutil.rmtree(folder)


def test_one_image_has_plain_tags_and_comes_in_under_another_name(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    hub.bucket("other")
    name, _ = image(hub, "depot/team/app", "v1")
    image(hub, "depot/web", "v1")
    assert export(hub, "depot", tmp_path / "app", "team/app").images == 1
    [entry] = json.loads((tmp_path / "app" / "index.json").read_text())["manifests"]
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "v1"
    load(hub, "other", tmp_path / "app", "renamed")
    assert [one[:2] for one in holds(hub, "other")["tags"]] == [("renamed", "v1")]
    export(hub, "depot", tmp_path / "all")
    with pytest.raises(HubError, match="2 images"):
        load(hub, "other", tmp_path / "all", "renamed")
    with pytest.raises(HubError) as refused:
        export(hub, "depot", tmp_path / "no", "no/such")
    assert refused.value.kind is Kind.IMAGE_UNKNOWN
    reply = hub.request("GET", "/v2/other/renamed/manifests/v1", login=hub.main)
    assert reply.headers["docker-content-digest"] == name


def test_an_export_again_drops_what_was_deleted_and_no_other_folder_is_touched(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    name, layer = image(hub, "depot/app", "v1")
    image(hub, "depot/app", "v2")
    export(hub, "depot", tmp_path / "out")
    secret = tmp_path / "out" / "blobs" / "sha256" / digest(layer)[7:]
    assert secret.exists()
    hub.request("DELETE", f"/v2/depot/app/manifests/{name}", login=hub.main)
    (tmp_path / "out" / ".exporting").write_text("depot")  # as a killed one leaves it
    (tmp_path / "out" / ".drafts").mkdir()
    (tmp_path / "out" / ".drafts" / "half").write_text("half")
    export(hub, "depot", tmp_path / "out")
    assert not secret.exists()
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["blobs", "index.json", "oci-layout"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter").write_text("dear")
    (tmp_path / "taken.tar").write_text("dear")
    for target, scope in ((tmp_path / "mine", None), (tmp_path / "taken.tar", None), (tmp_path / "out", "app")):
        with pytest.raises(HubError) as refused:
            export(hub, "depot", target, scope)
        assert refused.value.kind is Kind.EXISTS
    assert (tmp_path / "mine" / "letter").read_text() == (tmp_path / "taken.tar").read_text() == "dear"
    assert [one.name for one in (tmp_path / "mine").iterdir()] == ["letter"]


def test_a_blob_that_is_damaged_in_the_hub_is_not_exported(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    image(hub, "depot/app", "v1")
    [kept] = stored.objects(hub)
    flip(kept)
    for target in ("out", "out.tar"):
        with pytest.raises(HubError, match="fsck"):
            export(hub, "depot", tmp_path / target)
        assert not (tmp_path / target / "index.json").exists()
        assert not (tmp_path / "out.tar").exists()
    kept.unlink()
    with pytest.raises(HubError, match="fsck"):
        export(hub, "depot", tmp_path / "out")


class Made:
    """A layout made by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_bytes(layouts.VERSION)
        self.entries: list[dict[str, Any]] = []

    def blob(self, content: bytes, kind: str = "application/octet-stream", **more: Any) -> dict[str, Any]:
        name = digest(content)
        (self.folder / "blobs" / "sha256" / name[7:]).write_bytes(content)
        return {"mediaType": kind, "digest": name, "size": len(content), **more}

    def image(self, **more: Any) -> dict[str, Any]:
        parts = [self.blob(os.urandom(50)), self.blob(os.urandom(5000))]
        content = manifest_of([(one["digest"], one["size"]) for one in parts])
        return self.blob(content, OCI_MANIFEST, **more)

    def index(self, children: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}
        return self.blob(json.dumps(document).encode(), OCI_INDEX, **more)

    def write(self, *entries: dict[str, Any]) -> Path:
        document = {"schemaVersion": 2, "manifests": list(entries)}
        (self.folder / "index.json").write_text(json.dumps(document))
        return self.folder


def named(**annotations: str) -> dict[str, Any]:
    return {"annotations": {name.replace("_", "."): value for name, value in annotations.items()}}


REF = "org.opencontainers.image.ref.name"


@pytest.mark.parametrize(
    ("annotations", "given", "found"),
    [
        ({REF: "v1"}, "app", ("app", "v1")),
        ({REF: "app:v1"}, None, ("app", "v1")),
        ({REF: "team/app:v1"}, None, ("team/app", "v1")),
        ({REF: "localhost/app:v1"}, None, ("app", "v1")),
        ({REF: "registry.example:5000/team/app:v1"}, None, ("team/app", "v1")),
        ({REF: "registry.example/team/app@sha256:" + "0" * 64}, None, ("team/app", None)),
        ({REF: "v1", layouts.CONTAINERD_NAME: "docker.io/library/debian:12"}, None, ("library/debian", "v1")),
        ({REF: "registry.example/team/app:v1"}, "mine", ("mine", "v1")),
        ({layouts.IMAGE: "app"}, None, ("app", None)),
        ({}, "app", ("app", None)),
    ],
)
def test_what_other_tools_write_finds_its_image_and_tag(
    hub: TestHub, tmp_path: Path, annotations: dict[str, str], given: str | None, found: tuple[str, str | None]
) -> None:
    hub.bucket("depot")
    made = Made(tmp_path / "layout")
    entry = made.image(annotations=annotations)
    made.write(entry)
    load(hub, "depot", made.folder, given)
    held = holds(hub, "depot")
    assert [one[:2] for one in held["manifests"]] == [(found[0], entry["digest"])]
    assert held["tags"] == ([(found[0], found[1], entry["digest"])] if found[1] else [])


@pytest.mark.parametrize(
    "reference", ["App:v1", "app:-bad", "../up:v1", "a//b:v1", "app:" + "v" * 200, "x" * 300 + ":v1"]
)
def test_names_that_no_push_could_have_are_refused(hub: TestHub, tmp_path: Path, reference: str) -> None:
    hub.bucket("depot")
    made = Made(tmp_path / "layout")
    made.write(made.image(annotations={REF: reference}))
    with pytest.raises(HubError) as refused:
        load(hub, "depot", made.folder)
    assert refused.value.kind in {Kind.IMAGE_NAME_INVALID, Kind.TAG_INVALID, Kind.NAME_INVALID}


def test_nested_sparse_and_strange_indexes(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    made = Made(tmp_path / "layout")
    first, second = made.image(), made.image()
    inner = made.index([second])
    cached = made.blob(os.urandom(900), "application/vnd.oci.image.layer.v1.tar+gzip")
    lost = {"mediaType": OCI_MANIFEST, "digest": digest(b"lost"), "size": 4}
    outer = made.index([first, inner, cached, lost, first], annotations={REF: "app:multi"})
    strange = made.blob(b"{}", "application/x-strange", annotations={REF: "app:strange"})
    made.write(outer, strange)
    report = load(hub, "depot", made.folder)
    assert (report.manifests, report.tags, report.blobs) == (4, 1, 5)
    assert sorted(report.skipped) == sorted(
        [f"{OCI_MANIFEST} {lost['digest']}", f"application/x-strange {digest(b'{}')}"]
    )
    assert hub.request("GET", f"/v2/depot/app/blobs/{cached['digest']}", login=hub.main).status == 200
    export(hub, "depot", tmp_path / "out")
    assert (tmp_path / "out" / "blobs" / "sha256" / cached["digest"][7:]).exists()
    listed = json.loads((tmp_path / "out" / "index.json").read_text())["manifests"]
    assert [one["digest"] for one in listed] == [outer["digest"]]


def test_rights_and_quotas_hold(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    hub.user("reader@example.com", "pull")
    hub.user("writer@example.com", "push")
    hub.user("stranger@example.com", other_account=True)
    made = Made(tmp_path / "layout")
    made.write(made.image(annotations={REF: "app:v1"}))
    for email in ("reader@example.com", "stranger@example.com"):
        with pytest.raises(HubError) as refused:
            load(hub, "depot", made.folder, email=email)
        assert refused.value.kind is Kind.DENIED
    with pytest.raises(HubError) as refused:
        load(hub, "nothing", made.folder)
    assert refused.value.kind is Kind.NAME_UNKNOWN
    hub.run(quotas.set_quota(hub.hub, project=None, bucket="depot", wanted={"bytes": 3000}))
    with pytest.raises(HubError) as refused:
        load(hub, "depot", made.folder, email="writer@example.com")
    assert refused.value.kind is Kind.QUOTA_EXCEEDED
    assert holds(hub, "depot")["manifests"] == []
    hub.run(quotas.set_quota(hub.hub, project=None, bucket="depot", wanted={"bytes": 0}))
    assert load(hub, "depot", made.folder, email="writer@example.com").tags == 1
    events = hub.call("ListTagHistory", BucketName="depot", ImageName="app", TagName="v1")["TagHistorySet"]
    assert events[0]["User"] == "writer@example.com"


def test_changed_bytes_are_refused(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    for part in ("manifest", "config", "layer"):
        made = Made(tmp_path / part)
        made.write(made.image(annotations={REF: "app:v1"}))
        lengths = {"config": 50, "layer": 5000}
        paths = list((made.folder / "blobs" / "sha256").iterdir())
        [path] = [one for one in paths if lengths.get(part, one.stat().st_size) == one.stat().st_size
                  and (part != "manifest" or one.stat().st_size not in lengths.values())]  # fmt: skip
        flip(path)
        with pytest.raises(HubError) as refused:
            load(hub, "depot", made.folder)
        assert refused.value.kind is (Kind.LAYOUT_INVALID if part == "manifest" else Kind.DIGEST_INVALID)
    assert holds(hub, "depot")["manifests"] == []
    other = Made(tmp_path / "other")
    other.write(other.image(annotations={REF: "app:v1"}))
    missing = next(one for one in (other.folder / "blobs" / "sha256").iterdir() if one.stat().st_size == 5000)
    missing.rename(tmp_path / "aside")
    with pytest.raises(HubError) as refused:
        load(hub, "depot", other.folder)
    assert refused.value.kind is Kind.MANIFEST_BLOB_UNKNOWN
    (tmp_path / "aside").rename(missing)
    assert load(hub, "depot", other.folder).tags == 1


def test_links_and_pipes_in_a_folder_are_not_followed(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    made = Made(tmp_path / "layout")
    entry = made.image(annotations={REF: "app:v1"})
    made.write(entry)
    blobs = made.folder / "blobs" / "sha256"
    layer = next(one for one in blobs.iterdir() if one.stat().st_size == 5000)
    layer.rename(tmp_path / "elsewhere")
    for trap in (lambda: layer.symlink_to(tmp_path / "elsewhere"), lambda: os.mkfifo(layer), layer.mkdir):
        trap()
        with pytest.raises(HubError) as refused:
            load(hub, "depot", made.folder)
        assert refused.value.kind is Kind.LAYOUT_INVALID
        layer.rmdir() if layer.is_dir() and not layer.is_symlink() else layer.unlink()
    os.mkfifo(tmp_path / "pipe.tar")
    with pytest.raises(HubError):
        load(hub, "depot", tmp_path / "missing.tar")


def packed(folder: Path, *more: tuple[tarfile.TarInfo, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of a folder, with members of one's own before it."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as tar:
        for member, content in more:
            tar.addfile(member, io.BytesIO(content))
        tar.add(folder, arcname=".")
    return made.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "", **pax: str) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname, made.pax_headers = kind, size, link, pax
    return made


def test_a_hostile_tar_writes_nothing_outside_and_is_bounded(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    made = Made(tmp_path / "layout")
    entry = made.image(annotations={REF: "app:v1"})
    made.write(entry)
    hostile = [
        (member("../../escaped", size=4), b"evil"),
        (member("/escaped", size=4), b"evil"),
        (member("blobs/sha256/../../../escaped", size=4), b"evil"),
        (member("blobs", tarfile.SYMTYPE, link="/"), b""),
        (member("index.json", tarfile.SYMTYPE, link="/etc/passwd"), b""),
        (member("oci-layout", tarfile.LNKTYPE, link="../../../etc/passwd"), b""),
        (member(f"blobs/sha256/{entry['digest'][7:]}", tarfile.CHRTYPE), b""),
        (member("x" * 50_000, size=0), b""),
        (member("\x1b[31mred", size=0), b""),
    ]
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        path = tmp_path / f"{form}.tar"
        path.write_bytes(packed(made.folder, *hostile, form=form))
        load(hub, "depot", path)
        assert holds(hub, "depot")["tags"] == [("app", "v1", entry["digest"])]
    assert not list(tmp_path.rglob("escaped"))
    assert {one.name for one in hub.settings.data_dir.iterdir() if not one.name.startswith("hub.")} <= {
        "blobs", "uploads",
    }  # fmt: skip


def test_tars_that_lie_are_refused(hub: TestHub, tmp_path: Path) -> None:
    hub.bucket("depot")
    made = Made(tmp_path / "layout")
    made.write(made.image(annotations={REF: "app:v1"}))
    good = packed(made.folder)

    def lying(**fields: Any) -> bytes:
        first = member("blobs/sha256/" + "0" * 64, **fields)
        return first.tobuf(tarfile.GNU_FORMAT) + good

    huge_header = member("x", tarfile.XHDTYPE, size=2**40).tobuf(tarfile.GNU_FORMAT) + good
    huge_name = member("x", tarfile.GNUTYPE_LONGNAME, size=2**33).tobuf(tarfile.GNU_FORMAT) + good
    negative = bytearray(member("blobs/sha256/" + "0" * 64).tobuf(tarfile.GNU_FORMAT))
    negative[124:136] = b"\xff" * 11 + b"\x00"
    negative[148:156] = b"%06o\0 " % (sum(negative) - sum(negative[148:156]) + 8 * 32)
    cases = {
        "longer than the file": lying(size=2**40),
        "a header of a terabyte": huge_header,
        "a name of gigabytes": huge_name,
        "a negative length": bytes(negative) + good,
        "cut off": good[: len(good) // 2],
        "no tar": os.urandom(10_000),
        "empty": b"",
        "compressed": b"\x1f\x8b" + os.urandom(1000),
        "no index": packed(made.folder / "blobs"),
    }
    for name, content in cases.items():
        path = tmp_path / "lying.tar"
        path.write_bytes(content)
        with pytest.raises(HubError) as refused:
            load(hub, "depot", path)
        assert refused.value.kind is Kind.LAYOUT_INVALID, name
    assert holds(hub, "depot")["manifests"] == []


def refusal(work: Callable[[], Any]) -> Kind | None:
    """The kind of a refusal; None when it went well."""
    try:
        work()
    except HubError as fault:
        return fault.kind
    return None


@settings(max_examples=150)
@given(data=st.data())
def test_any_change_of_a_tar_is_refused_or_read_within_bounds(data: st.DataObject) -> None:
    folder = Path(tempfile.mkdtemp())
    try:
        made = Made(folder / "layout")
        made.write(made.image(annotations={REF: "app:v1"}))
        content = bytearray(packed(made.folder))
        for _ in range(data.draw(st.integers(1, 6))):
            content[data.draw(st.integers(0, min(len(content) - 1, 6000)))] = data.draw(st.integers(0, 255))
        (folder / "changed.tar").write_bytes(content)

        def read() -> None:
            with layout_read.opened(folder / "changed.tar") as source:
                for name in ("index.json", "oci-layout"):
                    assert len(layout_read.small(source, name, 10_000)) <= 10_000

        assert refusal(read) in {None, Kind.LAYOUT_INVALID}
    finally:
        shutil.rmtree(folder)


@given(text=st.binary(max_size=200) | st.text(max_size=50).map(lambda word: json.dumps(word).encode()))
def test_any_index_is_read_or_refused(text: bytes) -> None:
    assert refusal(lambda: layouts.entries(text)) in {None, Kind.LAYOUT_INVALID, Kind.DIGEST_INVALID}


NAME = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+)?", fullmatch=True).filter(
    lambda t: len(t) < 80
)
TAG = st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", fullmatch=True)


@given(name=NAME, tag=TAG | st.none(), alone=st.booleans())
def test_what_an_export_writes_an_import_understands(name: str, tag: str | None, alone: bool) -> None:
    about = layouts.Descriptor(OCI_MANIFEST, digest(b""), 0)
    written = layouts.index([layouts.entry(name, tag, about, is_alone=alone)], "depot")
    assert [(image, one.tag) for image, one in layouts.place(layouts.entries(written), None)] == [(name, tag)]
    assert layouts.exported(written) == "depot"


def test_a_bomb_of_many_files_and_a_huge_index_are_refused(
    hub: TestHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.bucket("depot")
    made = Made(tmp_path / "layout")
    made.write(made.image(annotations={REF: "app:v1"}))
    monkeypatch.setattr(layout_read, "MEMBERS", 50)
    path = tmp_path / "many.tar"
    path.write_bytes(packed(made.folder, *((member(f"f{place}"), b"") for place in range(60))))
    with pytest.raises(HubError, match="more than 50 files"):
        load(hub, "depot", path)
    with (made.folder / "index.json").open("r+b") as file:
        file.truncate(2**40)
    with pytest.raises(HubError, match="at most"):
        load(hub, "depot", made.folder)
