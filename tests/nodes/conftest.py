"""One town for all tests of nodes."""

import gc
import os
import warnings
from collections.abc import Iterator

import pytest

from tests.nodes.town import Town, town


@pytest.fixture(scope="package", params=os.environ.get("ENTREPOT_NODE_STORES", "bucket").split())
def three(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Three nodes behind a balancer, which keep bytes in a ``bucket`` or in one ``folder``."""
    with town(tmp_path_factory.mktemp("town"), store=request.param) as made:
        yield made
    # A connection of the workflow engine that was cut off is left to the collector, which warns of it: here, not in
    # somebody else's test.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
