"""A lake in a temporary folder, and one that holds a month of the sandbox's fleet."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.warehouse.lake import Lake
from tests.warehouse.simulated import write_simulated


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A month of the sandbox's fleet; to be read only."""
    root = tmp_path_factory.mktemp("simulated") / "lake"
    root.mkdir()
    write_simulated(root)
    return Lake(root)
