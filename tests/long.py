"""How far tests go: a short seed with every run, the long version with `RELIABILITY=long` (`make reliability`)."""

from __future__ import annotations

import os

LONG = os.environ.get("RELIABILITY") == "long"


def cases(short: int) -> int:
    """How many cases a property is tried with."""
    return 100 * short if LONG else short
