"""A user for each test module's story."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rival.client import User


@pytest.fixture
def user(tmp_path: Path) -> User:
    return User(tmp_path / "a user")
