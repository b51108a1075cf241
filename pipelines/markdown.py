"""Tables for the pages of Dagster, in markdown."""

from __future__ import annotations

from collections.abc import Sequence

from dimo_etl.warehouse.show import unmarked


def table(heads: Sequence[str], rows: Sequence[Sequence[object]], most: int = 50) -> str:
    """A markdown table of the first rows; whatever a cell holds, it stays in its cell."""
    lines = [heads, ["---"] * len(heads), *rows[:most]]
    return "\n".join(f"| {' | '.join('' if cell is None else _cell(cell) for cell in line)} |" for line in lines)


def _cell(value: object) -> str:
    return unmarked(str(value))
