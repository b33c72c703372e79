"""The source of the tests of `insights replicate`."""

from __future__ import annotations

import pytest
from support.source.fewer_rows import fewer_rows
from support.warehouse import Warehouse


@pytest.fixture
def source(prepared: Warehouse) -> Warehouse:
    """Return a part of the sample, which the test may change: most of the time of a copy follows its rows."""
    prepared.execute(fewer_rows(16))
    return prepared
