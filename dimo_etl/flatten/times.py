"""The times of many documents, read at once where all are written as nearly all are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

import pyarrow as pa

from dimo_etl.timestamps import EARLIEST_US, LATEST_US, to_us

_NANOSECONDS = pa.timestamp("ns", "UTC")
_SHORTEST = len("2025-01-05T00:00:00Z")


def all_to_us(values: Sequence[object]) -> list[int | None]:
    """What `to_us` gives of each of many values."""
    texts = [value for value in values if type(value) is str]
    is_common = len(texts) == len(values) > 0 and all(map(str.endswith, texts, repeat("Z")))
    # So long and with such an end, Arrow takes only a date, a time to the second and a fraction of it.
    if is_common and min(map(len, texts)) >= _SHORTEST:
        try:
            read = pa.array(texts, pa.string()).cast(_NANOSECONDS)
        except ValueError:
            pass  # one is in another form, no time, or beyond what nanoseconds can say
        else:
            found = read.cast(pa.int64()).to_numpy() // 1_000
            if found.min() >= EARLIEST_US and found.max() <= LATEST_US:
                return list(found.tolist())
    return list(map(to_us, values))
