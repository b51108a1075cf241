"""Many processes that bring overlapping vehicles and days at once lose nothing, double nothing, and meet no lock."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from pathlib import Path

from dimo_etl.lake.store import Store
from dimo_etl.lake.verify import verify
from dimo_etl.sandbox.server import SandboxServer
from dimo_etl.warehouse import Warehouse

DAYS = ["2026-01-12", "2026-01-13", "2026-01-14"]
# Every process has two days and two vehicles, each of which others have too.
SHARES = [(DAYS[n % 2 : n % 2 + 2], vehicles) for n in range(4) for vehicles in ("5023,8102", "8102,7345")]
ALL_AT_ONCE = """
import json, os, sys
from datetime import date
from dimo_etl.config import Settings
from tests.crash.writer import sync, warm
warm()
children = []
for order in json.loads(sys.argv[1]):
    child = os.fork()
    if not child:
        try:
            sync(Settings.from_environment(order["environ"]), [date.fromisoformat(day) for day in order["days"]])
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    children.append(child)
sys.exit(sum(os.waitpid(child, 0)[1] != 0 for child in children))
"""
WHOLE = "SELECT count(*) FILTER (NOT complete), count(*) FROM coverage WHERE state <> 'never_asked'"
EVENTS = "SELECT vehicle_id, date, count(DISTINCT event_id) FROM signals GROUP BY ALL ORDER BY ALL"
PROVED = "SELECT vehicle_id, date, kept_events FROM coverage WHERE kept_events > 0 ORDER BY ALL"


def test_eight_processes_with_overlapping_vehicles_and_days_and_a_reader_all_the_while(tmp_path, figures):
    root = tmp_path / "lake"
    with SandboxServer(port=0, seed=1, today=date(2026, 1, 15)) as sandbox:
        environ = sandbox.environ | {"DIMO_WAREHOUSE": str(root)}
        orders = [{"environ": environ | {"DIMO_VEHICLES": vehicles}, "days": days} for days, vehicles in SHARES]
        command = [sys.executable, "-c", ALL_AT_ONCE, json.dumps(orders)]
        with subprocess.Popen(command, cwd=Path(__file__).parents[2], stderr=subprocess.PIPE, text=True) as writers:
            while writers.poll() is None:
                if root.is_dir():
                    with Warehouse.open(root) as warehouse:
                        assert warehouse.execute(EVENTS).fetchall() is not None
                        incomplete, _ = warehouse.execute(WHOLE).fetchone()
                    assert incomplete == 0
                    figures["questions while eight processes wrote"] += 1
            assert (writers.returncode, writers.stderr.read()) == (0, "")
    with Warehouse.open(root) as warehouse:
        assert warehouse.execute(WHOLE).fetchone() == (0, 9)
        assert warehouse.execute(EVENTS).fetchall() == warehouse.execute(PROVED).fetchall()
    with Store(str(root)) as store:
        assert [one for one in verify(store) if one.wrong] == []
    assert list((root / ".tmp").iterdir()) == []
