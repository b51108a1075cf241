"""The README's notebook: its lines draw the curves that the view holds."""

from __future__ import annotations

import re
from pathlib import Path

import matplotlib
import pytest

from tests.warehouse.lake import Lake

README = Path(__file__).parents[2] / "README.md"


def test_the_notebook_draws_the_valid_readings_of_each_vehicle(
    simulated: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    matplotlib.use("agg")
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    monkeypatch.setenv("DIMO_WAREHOUSE", str(simulated.root))
    names: dict[str, object] = {}
    exec(example, names)
    from matplotlib import pyplot as plt

    drawn = {line.get_label(): (len(line.get_xdata()), line.get_ydata()[-1]) for line in plt.gca().get_lines()}
    plt.close()
    held = simulated.query(
        "SELECT vehicle_id, count(*), arg_max(odometer_km, timestamp) - arg_min(odometer_km, timestamp) FROM odometer "
        "WHERE is_valid GROUP BY ALL"
    )
    assert len(held) > 3
    assert drawn == {vehicle_id: (readings, pytest.approx(km)) for vehicle_id, readings, km in held}
