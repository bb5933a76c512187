"""Manifests and indexes: what the hub reads out of the bytes it stores. The bytes themselves never change.

Rules: OCI image-spec manifest.md and image-index.md, Docker schema 2; CVE-2021-41190 (a document that could
be read as both is refused).
"""

import json
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from entrepot.errors import HubError, Kind
from entrepot.model import digest as digests

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFEST_TYPES = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEX_TYPES = (OCI_INDEX, DOCKER_LIST)

DESCRIPTORS = 4096
"""Most descriptors in one document; a real image has tens."""

# Layers of these types live at a URL of their own and need not be pushed.
_FOREIGN = ("nondistributable", ".foreign.")


class Descriptor(msgspec.Struct, frozen=True, rename="camel"):
    """A reference to content (OCI image-spec, descriptor.md)."""

    media_type: str
    digest: str
    size: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    urls: list[str] | None = None
    artifact_type: str | None = None
    annotations: dict[str, str] | None = None

    @property
    def is_foreign(self) -> bool:
        """Content that a registry does not have to hold."""
        return bool(self.urls) or any(mark in self.media_type for mark in _FOREIGN)


class _Document(msgspec.Struct, rename="camel"):
    schema_version: int
    media_type: str | None = None
    artifact_type: str | None = None
    config: Descriptor | None = None
    layers: list[Descriptor] | None = None
    manifests: list[Descriptor] | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None
    fs_layers: Any = None


class Manifest(msgspec.Struct, frozen=True):
    """What a manifest or index says.

    ``blobs`` must be linked in the image, ``foreign`` ones may be (they live elsewhere as well), ``children`` are
    manifests of an index, ``subject`` may be missing.
    """

    media_type: str
    artifact_type: str | None
    blobs: tuple[str, ...]
    foreign: tuple[str, ...]
    children: tuple[str, ...]
    subject: str | None


_decoder = msgspec.json.Decoder(_Document)


def _spelled(struct: type[msgspec.Struct]) -> dict[str, str]:
    return {name.lower(): name for name in struct.__struct_encode_fields__}


_OF_DOCUMENT, _OF_DESCRIPTOR = _spelled(_Document), _spelled(Descriptor)


def parse(content: bytes, content_type: str) -> Manifest:
    """Read a pushed document; ``content_type`` is the request's, parameters included. Raises MANIFEST_INVALID."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in MANIFEST_TYPES and media_type not in INDEX_TYPES:
        raise HubError(
            Kind.MANIFEST_INVALID, f"Content-Type {media_type[:100]!r} is not a manifest or index of OCI or Docker v2"
        )
    document = _decode(content)
    if document.schema_version != 2 or document.fs_layers is not None:
        raise HubError(Kind.MANIFEST_INVALID, "schemaVersion must be 2; push it again with a current client")
    if document.media_type is not None and document.media_type != media_type:
        raise HubError(
            Kind.MANIFEST_INVALID, f"mediaType {document.media_type[:100]!r} is not the Content-Type {media_type!r}"
        )
    is_index = media_type in INDEX_TYPES
    _check_shape(document, is_index=is_index)
    listed = [*(document.layers or ()), *((document.config,) if document.config else ())]
    everything = [*listed, *(document.manifests or ()), *((document.subject,) if document.subject else ())]
    if len(everything) > DESCRIPTORS:
        raise HubError(Kind.MANIFEST_INVALID, f"more than {DESCRIPTORS} descriptors")
    for descriptor in everything:
        digests.parse(descriptor.digest)
    return Manifest(
        media_type=media_type,
        artifact_type=document.artifact_type or (document.config.media_type if document.config else None),
        blobs=tuple(dict.fromkeys(one.digest for one in listed if not one.is_foreign)),
        foreign=tuple(dict.fromkeys(one.digest for one in listed if one.is_foreign)),
        children=tuple(dict.fromkeys(one.digest for one in document.manifests or ())),
        subject=document.subject.digest if document.subject else None,
    )


def _decode(content: bytes) -> _Document:
    try:
        document = _decoder.decode(content)
        # Again with every name: the decoder skips what it does not know, and takes the last of two that are the same.
        _check_names(json.loads(content.decode(), object_pairs_hook=_members, parse_int=str, parse_float=str))
    except (msgspec.DecodeError, ValueError, RecursionError) as fault:
        raise HubError(Kind.MANIFEST_INVALID, str(fault)[:200]) from fault
    return document


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise HubError(Kind.MANIFEST_INVALID, "an object names a member twice; clients differ in which of them counts")
    return members


def _check_names(document: dict[str, Any]) -> None:
    """Refuse other spellings of what is read here: clients that do not look at case would read another document."""
    _check_spelling(document, _OF_DOCUMENT)
    listed = [document.get("config"), document.get("subject"), *(document.get("layers") or ())]
    for descriptor in [*listed, *(document.get("manifests") or ())]:
        if descriptor is not None:
            _check_spelling(descriptor, _OF_DESCRIPTOR)


def _check_spelling(members: dict[str, Any], known: dict[str, str]) -> None:
    for name in members:
        meant = known.get(name.lower(), name)
        if meant != name:
            raise HubError(Kind.MANIFEST_INVALID, f"{name[:40]!r}; write {meant!r}")


def _check_shape(document: _Document, *, is_index: bool) -> None:
    if is_index and (document.manifests is None or document.layers is not None or document.config is not None):
        raise HubError(Kind.MANIFEST_INVALID, "an index has manifests, and neither config nor layers")
    if not is_index and (document.config is None or document.manifests is not None):
        raise HubError(Kind.MANIFEST_INVALID, "a manifest has a config, and no manifests")


def annotations(content: bytes) -> dict[str, str]:
    """The annotations of a stored document; empty when it has none."""
    return _decoder.decode(content).annotations or {}
