"""Requests a second, across threads and processes."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from dimo_etl.api import ratelimit
from dimo_etl.api.ratelimit import RateLimiter
from dimo_etl.errors import ConfigError

HOST = "127.0.0.1:80"


class Time:
    """A clock that only sleeping moves."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "slots"


def limiter(folder, time: Time, rps: float = 4.0) -> RateLimiter:
    return RateLimiter(rps, folder=folder, clock=time.clock, sleep=time.sleep)


def test_requests_are_spaced_evenly_from_the_first(folder):
    time = Time()
    limited = limiter(folder, time)
    sent = []
    for _ in range(4):
        limited.wait(HOST)
        sent.append(time.now)
    assert sent == [1000.0, 1000.25, 1000.5, 1000.75]


def test_time_that_passed_unused_is_not_saved_up(folder):
    time = Time()
    limited = limiter(folder, time)
    limited.wait(HOST)
    time.now += 60
    limited.wait(HOST)
    limited.wait(HOST)
    assert time.now == 1060.25


def test_each_host_has_its_own_budget(folder):
    time = Time()
    limited = limiter(folder, time)
    limited.wait(HOST)
    limited.wait("127.0.0.1:81")
    assert time.now == 1000.0


def test_two_limiters_share_one_budget(folder):
    time = Time()
    limiter(folder, time).wait(HOST)
    limiter(folder, time).wait(HOST)
    assert time.now == 1000.25


def test_after_a_reboot_nobody_waits_for_the_old_clock(folder):
    limiter(folder, Time(now=900_000.0)).wait(HOST)
    time = Time(now=5.0)
    limiter(folder, time).wait(HOST)
    assert time.now == 5.0


@pytest.mark.parametrize("kept", [b"", b"abc", struct.pack("<d", math.nan), struct.pack("<d", math.inf)])
def test_a_damaged_slot_starts_afresh(folder, kept):
    time = Time()
    limited = limiter(folder, time)
    (folder / "127.0.0.1_80").write_bytes(kept)
    limited.wait(HOST)
    limited.wait(HOST)
    assert time.now == 1000.25


def test_threads_share_the_budget(folder):
    now = Time()
    slept = []
    limited = RateLimiter(10, folder=folder, clock=now.clock, sleep=slept.append)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(limited.wait, [HOST] * 40))
    assert sorted(slept) == [pytest.approx(n / 10) for n in range(1, 40)]


def test_two_processes_share_the_budget(folder):
    program = (
        "import sys; from pathlib import Path; from dimo_etl.api.ratelimit import RateLimiter\n"
        "limited = RateLimiter(50, folder=Path(sys.argv[1]), clock=lambda: 1000.0, sleep=print)\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for _ in range(400): limited.wait('host')"
    )
    command = [sys.executable, "-c", program, str(folder)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(2)
    ]
    assert [process.stdout.readline() for process in running] == ["ready\n"] * 2
    for process in running:
        process.stdin.write("go\n")
    slept = sorted(float(line) for process in running for line in process.communicate(timeout=30)[0].split())
    # Each slot is one process's; for the first nobody sleeps.
    assert slept == [pytest.approx(n / 50) for n in range(1, 800)]


def test_a_killed_process_leaves_nothing_to_clean(folder):
    program = (
        "import os, sys; from pathlib import Path; from dimo_etl.api.ratelimit import RateLimiter\n"
        "kill = lambda seconds: os.kill(os.getpid(), 9)\n"
        "limited = RateLimiter(1000, folder=Path(sys.argv[1]), sleep=kill, clock=lambda: 1000.0)\n"
        "limited.wait('127.0.0.1:80'); limited.wait('127.0.0.1:80')"
    )
    assert subprocess.run([sys.executable, "-c", program, str(folder)], check=False).returncode == -9
    time = Time()
    limiter(folder, time, rps=1000).wait(HOST)
    assert time.now == pytest.approx(1000.002)


def test_the_slots_lie_in_a_private_folder_of_the_temporary_directory(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    RateLimiter(1).wait(HOST)
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in folder.iterdir()] == [0o600]


def test_a_folder_that_others_can_enter_is_refused(folder):
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with pytest.raises(ConfigError, match="point TMPDIR to a folder of your own"):
        RateLimiter(1, folder=folder)


def test_a_link_in_the_place_of_the_folder_is_refused(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="not a folder that only this user can enter"):
        RateLimiter(1, folder=folder)


def test_a_link_in_the_place_of_a_slot_is_refused(folder, tmp_path):
    limited = limiter(folder, Time())
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    (folder / "127.0.0.1_80").symlink_to(victim)
    with pytest.raises(ConfigError, match="point TMPDIR"):
        limited.wait(HOST)
    assert victim.read_bytes() == b"precious"


def test_where_files_cannot_be_locked_the_process_limits_itself(folder, monkeypatch):
    monkeypatch.setattr(ratelimit, "fcntl", None)
    time = Time()
    limited = limiter(folder, time)
    limited.wait(HOST)
    limited.wait(HOST)
    assert time.now == 1000.25
    assert not folder.exists()
