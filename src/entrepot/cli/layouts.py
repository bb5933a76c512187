"""export and import: a bucket or an image as an OCI image layout."""

from pathlib import Path
from typing import Any

import click

from entrepot.cli.opened import json_option, with_hub
from entrepot.cli.people import owner_option
from entrepot.cli.progress import shown, size
from entrepot.ops.context import Ctx, Hub


@click.command("export")
@click.argument("data")
@click.argument("bucket")
@click.argument("target")
@click.option("--image", metavar="NAME", help="Only this image; its tags then stand alone, as tools expect them.")
@json_option
def export_(data: str, bucket: str, target: str, image: str | None, as_json: bool) -> None:
    """Write BUCKET of the hub in DATA as an OCI image layout: a folder, or a tar when TARGET ends in .tar.

    Every tag, index, referrer and untagged manifest is in it, under the same digests. The server may go on meanwhile. A
    folder that holds an earlier export of the same is brought up to date. skopeo, podman, oras and others read it:
    `skopeo copy oci:TARGET:app:v1 ...` for a bucket, `oci:TARGET:v1` for one image.
    """
    from entrepot.ops import exports
    from entrepot.store import layout_write

    with shown(quiet=as_json) as progress:

        async def work(hub: Hub) -> Any:
            with layout_write.opened(Path(target), exports.scope(bucket, image)) as writer:
                return await exports.export(hub, bucket, image, writer, progress)

        report = with_hub(data, work)
    _tell(report, "Exported", "written", as_json=as_json)


@click.command("import")
@click.argument("data")
@click.argument("bucket")
@click.argument("source")
@click.option("--image", metavar="NAME", help="The image it goes to, for a layout of one image that does not say.")
@owner_option
@json_option
def import_(data: str, bucket: str, source: str, image: str | None, email: str | None, as_json: bool) -> None:
    """Push the OCI image layout SOURCE, a folder or a tar, into BUCKET of the hub in DATA.

    It comes from `entrepot export`, skopeo, podman, crane, oras, docker save or buildx. Digests are compared, rights,
    quotas and tag rules hold as in any push. The server may go on meanwhile. Run it again after a stop: it goes on.
    """
    from entrepot.ops import imports, people
    from entrepot.store import layout_read

    with shown(quiet=as_json) as progress:

        async def work(hub: Hub) -> Any:
            ctx = Ctx(hub, await people.operator(hub, email), "operator")
            with layout_read.opened(Path(source)) as layout:
                return await imports.load(ctx, bucket, image, layout, progress)

        report = with_hub(data, work)
    _tell(report, "Imported", "new", as_json=as_json)


def _tell(report: Any, done: str, word: str, *, as_json: bool) -> None:
    import dataclasses
    import json

    if as_json:
        click.echo(json.dumps(dataclasses.asdict(report)))
        return
    for one in getattr(report, "skipped", ()):
        click.echo(f"not in the layout, or no manifest: {one}")
    click.echo(
        f"{done} {report.images} images, {report.manifests} manifests, {report.tags} tags; {report.blobs} blobs"
        f" ({size(report.bytes)}) were {word}."
    )
