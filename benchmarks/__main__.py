"""Every measurement, each in a process of its own, and a table of what they gave.

    python -m benchmarks [--quick] [--json FILE] [NAME]…

Nothing is asserted: a ratio that misses its target is printed as such.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import Ratio

NAMES = (
    "startup",
    "flatten",
    "storage",
    "memory",
    "requests",
    "lake",
    "end_to_end",
    "reruns",
    "growth",
    "views",
    "dagster",
)


def main() -> None:
    """Run the measurements and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("--quick", action="store_true", help="small sizes, to see that everything runs")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks.json"), help="where the figures go")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all where none is given")
    given = parser.parse_args()
    found: dict[str, list[dict[str, object]]] = {}
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name in given.names or NAMES:
            print(f"{name} …", file=sys.stderr, flush=True)
            answer = Path(folder, f"{name}.json")
            command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(answer), *["--quick"] * given.quick]
            if subprocess.run(command, check=False, stdout=subprocess.DEVNULL).returncode:
                failed.append(name)
            else:
                found[name] = json.loads(answer.read_text())
    print("   ratio  to reach        ok")
    for ratios in found.values():
        for ratio in ratios:
            print(Ratio(**ratio))  # type: ignore[arg-type]
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=1) + "\n")
    print(f"The figures are in {given.json}.")
    if failed:
        sys.exit(f"These did not run to their end: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
