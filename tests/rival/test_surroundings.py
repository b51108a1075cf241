"""The machine and the user around a sync: other credentials, proxies, signals, kills."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from datetime import date

from dimo_etl.history.fetch import Outcome
from tests.rival.client import User
from tests.rival.documents import Author, spread
from tests.rival.oracle import assert_held
from tests.rival.server import Rival, Vehicle

DAY = date(2025, 12, 31)
PROVED = {Outcome.COMPLETE, Outcome.ALREADY_COMPLETE}
BRINGING = """
import os, sys
from datetime import date
from dimo_etl.batch import bring_days
from dimo_etl.config import Settings
bring_days(Settings.from_environment(os.environ), [date.fromisoformat(sys.argv[1])], done=lambda day: None)
"""


def fleet(*totals: int) -> dict[int, Vehicle]:
    chance = random.Random(1)
    return {n + 7: Vehicle(spread(Author(n), DAY, total, chance)) for n, total in enumerate(totals)}


def test_a_ready_made_token_and_named_vehicles_need_no_licence_no_identity_and_no_proxy(user, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Rival(fleet(30, 30)) as service:
        nobody = {"DIMO_CLIENT_ID": "", "DIMO_DOMAIN": "", "DIMO_API_KEY": ""}
        variables = service.environment | nobody
        variables |= {"DIMO_ACCESS_TOKEN": service.token({"sub": "dev"}, 600), "DIMO_VEHICLES": " 7 ,8,, 007,8"}
        assert list(user.bring(variables, [DAY]).values()) == [Outcome.COMPLETE] * 2
        assert (service.calls["identity"], service.calls["challenge"], service.violations) == (0, 0, [])
        assert_held(user.warehouse, service, [DAY])


def test_nothing_brought_at_all_is_a_failure_without_a_redirect_followed_or_a_long_wait(user):
    with Rival(fleet(30, 30), fault=lambda number, refresh: ("redirect", "long wait")[number % 2]) as service:
        ended = user.bring(service.environment, [DAY])
        assert sorted(outcome.value for outcome in ended.values()) == ["failed", "refused"]
        assert service.history_requests() == 2
        assert service.violations == []


def test_a_wrong_key_is_one_sentence_without_the_key(user):
    with Rival(fleet(1)) as service:
        ended = user.sync(service.environment | {"DIMO_API_KEY": "0x" + "1f" * 32}, DAY, DAY)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("Error: The authentication service refused")
    assert len(ended.stderr.splitlines()) == 2
    assert "1f1f" not in ended.stdout + ended.stderr


def test_a_sync_that_is_told_to_stop_stops_and_the_next_one_finishes(user):
    under_way = threading.Event()

    def fault(number: int, refresh: bool) -> str | None:
        if number == 4:
            under_way.set()
        return None if under_way.is_set() and number > 60 else "slow"

    with Rival(fleet(3000, 3000), fault=fault) as service:
        with user.started(service.environment, "sync", "--from", str(DAY), "--to", str(DAY)) as process:
            assert under_way.wait(30)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
        assert "Interrupted; what was committed is kept" in err
        assert "Traceback" not in out + err
        assert set(user.bring(service.environment, [DAY]).values()) <= PROVED
        assert_held(user.warehouse, service, [DAY])


def test_a_sync_killed_again_and_again_comes_to_the_same_end(user):
    vehicles = fleet(2500, 1200, 300)
    with Rival(vehicles) as service:
        for request in (2, 5):
            assert killed_at(user, service, service.history_requests() + request)
        assert set(user.bring(service.environment, [DAY]).values()) <= PROVED
        assert_held(user.warehouse, service, [DAY])
        assert not [path for path in (user.warehouse / ".tmp").iterdir() if path.is_dir()]


def killed_at(user: User, service: Rival, request: int) -> bool:
    """Kill a process that brings the day with signal 9 the moment its so-many-th history request comes in."""
    environ = user.environment(service.environment)
    with subprocess.Popen([sys.executable, "-c", BRINGING, str(DAY)], env=environ, cwd=user.folder) as process:

        def fault(number: int, refresh: bool) -> str | None:
            if number == request:
                process.kill()
            return None

        service.fault = fault
        process.wait(timeout=60)
    return process.returncode == -signal.SIGKILL
