"""OCI image layouts: what `index.json` says, and which image and tag an entry of it is meant for.

Rules: OCI image-spec image-layout.md. One layout holds the tags of one image, says the specification; tools write full
names as well, and so does an export of several images: ``org.opencontainers.image.ref.name`` is then ``image:tag``.
"""

import re
from typing import NamedTuple

import msgspec

from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests
from entrepot.model import names
from entrepot.model.manifest import OCI_INDEX, Descriptor

LAYOUT = "oci-layout"
INDEX = "index.json"
VERSION = b'{"imageLayoutVersion":"1.0.0"}'
REF_NAME = "org.opencontainers.image.ref.name"
CONTAINERD_NAME = "io.containerd.image.name"
IMAGE = "io.entrepot.image"
"""Of an entry: the image it belongs to. What has no tag has no other place for it."""
EXPORT = "io.entrepot.export"
"""Of an index: which bucket, or which image of it, was exported."""
_HOST = re.compile(r"[A-Za-z0-9][^/]*[.:][^/]*|localhost")


class _Index(msgspec.Struct, rename="camel"):
    manifests: list[Descriptor] | None = None
    annotations: dict[str, str] | None = None


_decoder = msgspec.json.Decoder(_Index)


class Entry(NamedTuple):
    """An entry of `index.json`; ``image`` None: it does not say, ``tag`` None: it has none."""

    descriptor: Descriptor
    image: str | None
    tag: str | None


def descriptors(content: bytes) -> list[Descriptor]:
    """What an index lists, digests checked; empty for a document that is none. Raises LAYOUT_INVALID."""
    try:
        found = _decoder.decode(content).manifests or []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
        raise HubError(Kind.LAYOUT_INVALID, f"an index in it: {fault}"[:300]) from fault
    for one in found:
        digests.parse(one.digest)
    return found


def exported(content: bytes) -> str | None:
    """What was exported into the layout with this `index.json`, None when it was made by something else."""
    try:
        return (_decoder.decode(content).annotations or {}).get(EXPORT)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def entries(content: bytes) -> list[Entry]:
    """What `index.json` names. Raises LAYOUT_INVALID."""
    return [Entry(one, *_named(one.annotations or {})) for one in descriptors(content)]


def _named(annotations: dict[str, str]) -> tuple[str | None, str | None]:
    """(image, tag) out of the annotations of a descriptor."""
    reference = annotations.get(REF_NAME)
    path, tag = _split(reference) if reference else (None, None)
    if annotations.get(CONTAINERD_NAME):
        path = _split(annotations[CONTAINERD_NAME])[0]
    return annotations.get(IMAGE) or path, tag


def _split(reference: str) -> tuple[str | None, str | None]:
    """(image, tag) of a reference. A word alone is a tag; a host before an image is dropped, as in `docker tag`."""
    plain = reference.partition("@")[0]
    if "/" not in plain and ":" not in plain:
        return None, plain or None
    host, slash, rest = plain.partition("/")
    if slash and _HOST.fullmatch(host):
        plain = rest
    head, colon, tag = plain.rpartition(":")
    if not colon or "/" in tag:
        return plain, None
    return head, tag


def entry(image: str, tag: str | None, found: Descriptor, *, is_alone: bool) -> dict[str, object]:
    """A manifest of an image in `index.json`; ``is_alone``: the layout holds no other image."""
    annotations = {IMAGE: image}
    if tag is not None:
        annotations[REF_NAME] = tag if is_alone else f"{image}:{tag}"
    return {
        "mediaType": found.media_type,
        "digest": found.digest,
        "size": found.size,
        "annotations": annotations,
    }


def index(manifests: list[dict[str, object]], scope: str) -> bytes:
    """The bytes of `index.json`. ``scope``: what is exported."""
    document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests, "annotations": {EXPORT: scope}}
    return msgspec.json.format(msgspec.json.encode(document))


def place(found: list[Entry], image: str | None) -> list[tuple[str, Entry]]:
    """Which image each entry goes to: the given one, or the one it names.

    Raises LAYOUT_INVALID, IMAGE_NAME_INVALID, TAG_INVALID.
    """
    named = {one.image for one in found if one.image is not None}
    if image is not None and len(named) > 1:
        raise HubError(Kind.LAYOUT_INVALID, f"it holds {len(named)} images; leave --image out, each keeps its name")
    if image is None and any(one.image is None for one in found):
        raise HubError(Kind.LAYOUT_INVALID, "it does not say which image this is; give --image NAME")
    for one in found:
        if one.tag is not None:
            names.tag(one.tag)
    return [(names.image(image or one.image or ""), one) for one in found]
