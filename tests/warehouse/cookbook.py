"""The cookbook: its questions, asked of the demo's fleet on a fixed day; run, it writes the answers anew."""

from __future__ import annotations

import io
import re
import tempfile
from datetime import date
from pathlib import Path

from dimo_etl.batch import fetch_days, remember_vehicles
from dimo_etl.config import Settings
from dimo_etl.model import days_between
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse, show
from tests.signals import write_signals

FILE = Path(__file__).parents[2] / "warehouse" / "README.md"
TODAY, DAYS = date(2026, 1, 15), 7
_QUERY = re.compile(r"```sql\n(.*?)```\n(?:\n```text\n.*?```\n)?", re.S)


def answered(text: str, warehouse: Warehouse) -> str:
    """The page with the answer below each query, as `dimo-etl sql` prints it to a file."""

    def with_answer(query: re.Match[str]) -> str:
        out = io.StringIO()
        show.write_table(warehouse.execute(query[1]), out)
        return f"```sql\n{query[1]}```\n\n```text\n{out.getvalue()}```\n"

    return _QUERY.sub(with_answer, text)


def bring_demo(root: Path) -> None:
    """Bring what `make demo` brings, as if it were run on that day."""
    days = days_between(date.fromordinal(TODAY.toordinal() - DAYS), date.fromordinal(TODAY.toordinal() - 1))
    with SandboxServer(port=0, today=TODAY, history_days=DAYS) as sandbox:
        settings = Settings.from_environment({**sandbox.environ, "DIMO_WAREHOUSE": str(root)})
        remember_vehicles(settings)
        for brought in fetch_days(settings, days).days:
            write_signals(settings, brought.day)


def main() -> None:
    """Write the answers anew."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "demo"
        bring_demo(root)
        with Warehouse.open(root) as warehouse:
            FILE.write_text(answered(FILE.read_text(encoding="utf-8"), warehouse), encoding="utf-8")


if __name__ == "__main__":
    main()
