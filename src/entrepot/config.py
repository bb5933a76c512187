"""Every setting, documented in place: the settings page and `entrepot serve --help` are printed from here.

A value comes from the command line, else ``ENTREPOT_<NAME>``, else the TOML file named by ``--config`` or
``ENTREPOT_CONFIG``, else the default below.
"""

import functools
import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from entrepot.errors import HubError, Kind
from entrepot.model import networks

REGIONS = (
    "cn-bj1 cn-bj2 cn-wlcb cn-wlcb2 cn-sh2 cn-jx cn-sh cn-gd2 cn-gd cn-guiyang1 hk tw-tp sg jpn-tky kr-seoul th-bkk "
    "idn-jakarta vn-sng ph-mnl ind-mumbai pk-khi us-den us-ca us-ws bra-saopaulo rus-mosc ge-fra uk-london uae-dubai "
    "afr-nigeria uz-tas kz-ala mx-mex"
)


@functools.lru_cache(maxsize=64)
def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an operator can set. Sizes are bytes, times are seconds."""

    data: Annotated[str, Meta(description="The data folder: rows, bytes and the key file live in it.")] = "data"
    database_url: Annotated[
        str,
        Meta(
            description="Where the rows are: postgresql://user:password@host/database. Empty: hub.db in the data "
            "folder. "
            "Set it in the environment or the configuration file, where no list of processes shows the password."
        ),
    ] = ""
    key_file: Annotated[
        str,
        Meta(description="The key file, the same one on every node of a hub. Empty: hub.key in the data folder."),
    ] = ""
    blobs_url: Annotated[
        str,
        Meta(
            description="Where bytes are kept: empty for files in the data folder, s3://bucket/prefix for a bucket of "
            "an S3 server, gs://bucket/prefix for one of Google Cloud Storage by its S3 interface (HMAC keys), "
            "az://container/prefix for a container of Azure Blob Storage. For s3:// and gs:// the package extra `s3` "
            "is needed, and the credentials are those of the usual AWS chain: AWS_ACCESS_KEY_ID and "
            "AWS_SECRET_ACCESS_KEY, a profile, or a role of the machine. For az:// the extra `azure`, and "
            "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT and AZURE_STORAGE_KEY; the connection string "
            "also names another endpoint.",
            pattern=r"^(|(s3|gs|az)://[A-Za-z0-9][A-Za-z0-9._-]{1,62}(/[A-Za-z0-9._/-]*)?)$",
        ),
    ] = ""
    s3_endpoint: Annotated[
        str,
        Meta(
            description="The URL of the S3 server, for example https://s3.example.com:9000. Empty: Amazon's, or "
            "Google's for gs://. Clients must reach it where `blobs_redirect_networks` sends them there.",
            pattern=r"^(|https?://[^\s/]+/?)$",
        ),
    ] = ""
    s3_region: Annotated[
        str, Meta(description="The region of the bucket. Empty: as the AWS chain has it.", pattern="^[a-z0-9-]{0,40}$")
    ] = ""
    blobs_redirect_networks: Annotated[
        str,
        Meta(
            description="Networks (CIDR, separated by spaces) whose clients read blobs from the bucket itself, by "
            "addresses that are good for a short time; 0.0.0.0/0 ::/0 for all. To the others the hub streams them."
        ),
    ] = ""
    blobs_redirect_seconds: Annotated[
        int, Meta(ge=1, le=604_800, description="How long such an address is good for the start of a read.")
    ] = 60
    host: Annotated[str, Meta(description="The address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="The port to listen on; 0 takes a free one.")] = 5000
    tls_cert: Annotated[
        str,
        Meta(
            description="Serve HTTPS, HTTP/2 too, with this certificate chain (PEM) and `tls_key`. Both files are read "
            "again when they change, or at SIGHUP: a renewed certificate is taken and no request cut off. Empty: "
            "HTTP."
        ),
    ] = ""
    tls_key: Annotated[str, Meta(description="The private key of `tls_cert` (PEM, not encrypted).")] = ""
    workers: Annotated[int, Meta(ge=1, le=64, description="How many processes serve.")] = 1
    public_url: Annotated[
        str,
        Meta(
            description="The URL that clients use, for example https://hub.example.com. Empty: taken from each "
            "request's Host header. Set it when a proxy stands in front."
        ),
    ] = ""
    regions: Annotated[
        str,
        Meta(description="Region ids that buckets may be created in, separated by spaces."),
    ] = REGIONS
    default_region: Annotated[str, Meta(description="The default region; it must be one of `regions`.")] = "cn-bj2"
    token_seconds: Annotated[int, Meta(ge=60, le=3600, description="How long a registry token is good for.")] = 300
    manifest_bytes: Annotated[
        int, Meta(ge=4_194_304, le=67_108_864, description="The largest manifest that is accepted.")
    ] = 4_194_304
    missing_content: Annotated[
        str,
        Meta(
            description="What becomes of a manifest that names blobs which were not pushed: refuse, or accept (sparse "
            "images, whose content is held elsewhere). The children of an index may be missing either way.",
            pattern="^(refuse|accept)$",
        ),
    ] = "refuse"
    row_bytes: Annotated[
        int,
        Meta(
            ge=0,
            le=1_048_576,
            description="Blobs of up to this size live in the database, where one commit keeps several at once; larger "
            "ones are files. A change holds for new blobs.",
        ),
    ] = 131_072
    action_bytes: Annotated[
        int, Meta(ge=65_536, le=16_777_216, description="The largest body of a management API call.")
    ] = 1_048_576
    upload_seconds: Annotated[
        int, Meta(ge=60, description="An upload that nothing was sent to for this long is dropped.")
    ] = 86_400
    open_uploads: Annotated[
        int,
        Meta(
            ge=0,
            description="How many unfinished uploads a user or robot may have; 0: no limit. They end when they are "
            "cancelled, or by `upload_seconds`.",
        ),
    ] = 1000
    idle_seconds: Annotated[
        int,
        Meta(
            ge=1,
            le=3600,
            description="How long a client may send nothing in the middle of an upload, or take over the whole of a "
            "small body: a manifest, a form, a call. Of an upload, what came is kept.",
        ),
    ] = 120
    calls_per_second: Annotated[
        int,
        Meta(
            ge=0,
            description="How many management API calls a key may make in a second (twice as many at once); a client's "
            "instant repeats of one call count once. 0: no limit. Each worker counts by itself.",
        ),
    ] = 500
    project_buckets: Annotated[
        int,
        Meta(ge=0, description="How many buckets a project may hold; 0: no limit. `entrepot quota` sets it for one."),
    ] = 8
    project_bytes: Annotated[
        int, Meta(ge=0, description="How many bytes a project may hold; 0: no limit. `entrepot quota` sets it for one.")
    ] = 0
    bucket_bytes: Annotated[
        int, Meta(ge=0, description="How many bytes a bucket may hold; 0: no limit. `entrepot quota` sets it for one.")
    ] = 0
    image_tags: Annotated[
        int,
        Meta(
            ge=0,
            description="How many tags an image may hold; 0: no limit. `entrepot quota` sets it for one project or "
            "bucket.",
        ),
    ] = 0
    internal_networks: Annotated[
        str,
        Meta(
            description="Networks (CIDR, separated by spaces) that count as internal: the others may not push to, nor "
            "pull private images from, a bucket whose IsOutSide is false."
        ),
    ] = "127.0.0.0/8 ::1/128 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fe80::/10"
    audit_days: Annotated[int, Meta(ge=1, le=36_500, description="How long the audit trail is kept.")] = 365
    grace_seconds: Annotated[
        int,
        Meta(
            ge=0,
            description="How long a blob that no manifest of its image names stays there, counted from when a client "
            "last pushed it or asked for it; longer than the longest push.",
        ),
    ] = 86_400
    untagged_seconds: Annotated[
        int,
        Meta(
            ge=0,
            description="How long a manifest stays that lost its last tag, or never had one, and that no index holds "
            "and no subject keeps; 0: for ever.",
        ),
    ] = 604_800
    undelete_seconds: Annotated[
        int,
        Meta(
            ge=0,
            description="How long deleted buckets, images and manifests can be brought back, unless a bucket says "
            "otherwise; 0: not at all. Tags can be brought back as long as their manifest stays (untagged_seconds).",
        ),
    ] = 604_800
    scrub_bytes_per_second: Annotated[
        int,
        Meta(
            ge=0,
            description="How fast stored bytes are read again and compared with their digests, in the background; a "
            "pass begins once a week at most. 0: off; `entrepot fsck --deep` does it at once.",
        ),
    ] = 4_194_304
    quarantine_days: Annotated[
        int,
        Meta(
            ge=0,
            le=36_500,
            description="How long damaged objects are kept in blobs/quarantine for whoever wants to know why.",
        ),
    ] = 7
    drain_seconds: Annotated[
        int,
        Meta(
            ge=0,
            le=3600,
            description="How long after SIGTERM /readyz says 503 while everything is still served, so that whoever "
            "balances the load looks away before connections are refused. A second signal ends it.",
        ),
    ] = 0
    stop_seconds: Annotated[
        int,
        Meta(ge=1, le=3600, description="How long running requests may then take to finish before they are cut off."),
    ] = 30
    outbound_networks: Annotated[
        str,
        Meta(
            description="Networks (CIDR, separated by spaces) inside that workflows and webhooks may call. Other "
            "addresses that are not public are refused to them: private, loopback, link-local and the like."
        ),
    ] = ""
    flow_days: Annotated[
        int, Meta(ge=1, le=3650, description="How many days the runs of workflows are kept after their end.")
    ] = 30
    event_days: Annotated[
        int,
        Meta(
            ge=1,
            le=3650,
            description="How many days events of buckets, their deliveries and firings of triggers are kept.",
        ),
    ] = 7
    trusted_proxies: Annotated[
        str,
        Meta(
            description="Networks (CIDR, separated by spaces) whose X-Forwarded-For and X-Forwarded-Proto are believed."
        ),
    ] = ""
    metrics_networks: Annotated[
        str,
        Meta(
            description="Networks (CIDR, separated by spaces) that may read /metrics. What came through a proxy counts "
            "as from inside only when the proxy is one of `trusted_proxies` and names an address inside."
        ),
    ] = "127.0.0.0/8 ::1/128"
    metrics_token: Annotated[
        str,
        Meta(description="Whoever sends this as a Bearer token may read /metrics from anywhere. Empty: nobody may."),
    ] = ""
    log_level: Annotated[
        str, Meta(description="debug, info, warning or error.", pattern="^(debug|info|warning|error)$")
    ] = "info"
    log_format: Annotated[
        str,
        Meta(
            description="How lines of the log look: text (key=value) or json. Both go to stderr.",
            pattern="^(text|json)$",
        ),
    ] = "text"
    access_log: Annotated[
        str,
        Meta(
            description="on: a line for each request at its end, with its id, who asked from where, what for, status, "
            "bytes and milliseconds; never a query, a header or a body. off: none.",
            pattern="^(on|off)$",
        ),
    ] = "off"

    @property
    def region_ids(self) -> tuple[str, ...]:
        """The configured regions in their order."""
        return _words(self.regions)

    @property
    def untagged_after(self) -> int:
        """When a manifest without tag is looked at; a week where they stay for ever, should that be changed later."""
        return self.untagged_seconds or 604_800

    @property
    def data_dir(self) -> Path:
        """The data folder as a path."""
        return Path(self.data)

    @property
    def key_path(self) -> Path:
        """The key file as a path."""
        return Path(self.key_file) if self.key_file else self.data_dir / "hub.key"


def load(config: str | None = None, environ: dict[str, str] | None = None, **given: Any) -> Settings:
    """Settings from all sources, the nearest first; raises CONFIG_INVALID naming the setting and the reason."""
    environ = dict(os.environ) if environ is None else environ
    values: dict[str, Any] = {}
    path = config or environ.get("ENTREPOT_CONFIG")
    if path:
        try:
            values.update(tomllib.loads(Path(path).read_text("utf-8")))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
            raise HubError(Kind.CONFIG_INVALID, f"{path}: {fault}") from fault
    for name in Settings.__struct_fields__:
        text = environ.get(f"ENTREPOT_{name.upper()}")
        if text is not None:
            values[name] = text
    values.update({name: value for name, value in given.items() if value is not None})
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as fault:
        raise HubError(Kind.CONFIG_INVALID, str(fault)) from fault
    for name in (
        "trusted_proxies",
        "internal_networks",
        "outbound_networks",
        "metrics_networks",
        "blobs_redirect_networks",
    ):
        try:
            networks.parse(getattr(settings, name))
        except HubError as fault:
            raise HubError(Kind.CONFIG_INVALID, f"{name}: {fault.detail}") from fault
    if bool(settings.tls_cert) != bool(settings.tls_key):
        raise HubError(Kind.CONFIG_INVALID, "tls_cert and tls_key go together")
    if settings.default_region not in settings.region_ids:
        raise HubError(Kind.CONFIG_INVALID, f"default_region {settings.default_region!r} is not in regions")
    return settings
