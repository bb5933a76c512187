"""bench seed: make a hub big, for measuring."""

import click

from entrepot.cli.opened import data_option, with_hub
from entrepot.ops.context import Hub


@click.group()
def bench() -> None:
    """Make data for measuring."""


@bench.command("seed")
@data_option
@click.option("--buckets", type=click.IntRange(1), default=1000, show_default=True, help="How many buckets.")
@click.option("--images", type=click.IntRange(0), default=0, show_default=True, help="How many images in all of them.")
@click.option("--region", help="Region; the default one when not given.")
def bench_seed(data: str, buckets: int, images: int, region: str | None) -> None:
    """Add buckets, every second one public, and images with one manifest and one tag each; not for a hub in use."""
    from rich.progress import Progress

    from entrepot.ops.seed import seed

    async def work(hub: Hub) -> None:
        with Progress() as progress:
            task = progress.add_task("buckets", total=buckets)
            where = region or hub.settings.default_region
            async for done in seed(hub, buckets=buckets, images=images, region=where):
                progress.update(task, completed=done)

    with_hub(data, work)
    click.echo(f"{buckets} buckets with {images} images are there.")
