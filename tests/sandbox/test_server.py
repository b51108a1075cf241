"""The server around the services."""

import signal
import socket
import subprocess
import sys
import threading
from datetime import timedelta

import httpx
import pytest

from dimo_etl.config import Settings
from dimo_etl.errors import InputError
from dimo_etl.sandbox.faults import Faults
from dimo_etl.sandbox.server import SandboxServer
from tests.sandbox.conftest import BUSY_DAY, TODAY, V2, Caller


def answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_environment_points_every_service_at_this_port(sandbox):
    settings = Settings.from_environment(sandbox.environ)
    bases = (settings.auth_url, settings.token_exchange_url, settings.device_data_url, settings.identity_url)

    assert all(base.startswith(f"http://127.0.0.1:{sandbox.port}/") for base in bases)
    assert settings.environment == "sandbox"


def test_the_default_addresses_of_the_settings_are_the_sandboxs_paths(sandbox):
    default = Settings.from_environment({"DIMO_ENVIRONMENT": "sandbox"})
    here = Settings.from_environment(sandbox.environ)

    assert here.device_data_url == default.device_data_url.replace("8711", str(sandbox.port))
    assert here.identity_url == default.identity_url.replace("8711", str(sandbox.port))


def test_leaving_the_block_frees_the_port_and_ends_the_thread():
    before = {thread for thread in threading.enumerate() if thread.name == "dimo-sandbox"}
    with SandboxServer(port=0) as sandbox:
        assert answers(sandbox.port)

    assert not answers(sandbox.port)
    # Other tests may share servers of their own, but none is new.
    assert {thread for thread in threading.enumerate() if thread.name == "dimo-sandbox"} <= before


def test_a_taken_port_is_one_sentence(sandbox):
    with pytest.raises(InputError, match=f"cannot listen on port {sandbox.port} .*--port"), SandboxServer(sandbox.port):
        pass


def test_it_listens_on_loopback_only(sandbox):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as other:
        # The wildcard address would be taken, were the server bound to it; another loopback address is free.
        other.bind(("127.0.0.2", sandbox.port))


def test_faults_may_be_set_before_it_starts():
    faults = Faults()
    faults.answer(503, at="/auth")
    with SandboxServer(port=0, faults=faults) as sandbox:
        assert httpx.get(f"{sandbox.environ['DIMO_AUTH_URL']}/keys").status_code == 503


def test_the_next_day_can_begin_while_it_runs(own_sandbox, own_caller):
    tomorrow = TODAY + timedelta(days=1)
    before = own_caller.history(V2, tomorrow, tomorrow).json()["hits"]["total"]["value"]
    own_sandbox.today = tomorrow
    after = own_caller.history(V2, tomorrow, tomorrow).json()["hits"]["total"]["value"]

    assert (before, after) == (0, len(own_sandbox.fleet.reachable(V2, tomorrow)))
    assert after > 0


def test_vehicle_tokens_can_be_short_lived(clock):
    with SandboxServer(port=0, today=TODAY, clock=clock, vehicle_token_lifetime_s=5) as sandbox:
        caller = Caller(sandbox)
        caller.vehicle_token(V2, 1, 4)
        clock.pass_by(6)
        assert caller.history(V2, BUSY_DAY, BUSY_DAY).status_code == 401
        caller.close()


def test_many_callers_are_served_at_once(caller, sandbox):
    caller.vehicle_token(V2, 1, 4)
    sandbox.faults.slow(0.3, times=4)
    codes = []
    threads = [
        threading.Thread(target=lambda: codes.append(caller.history(V2, BUSY_DAY, BUSY_DAY).status_code))
        for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert codes == [200] * 8


def test_in_the_foreground_it_prints_what_to_export_and_ends_quietly_on_ctrl_c():
    command = [sys.executable, "-c", "from dimo_etl.sandbox.server import serve; serve(0)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines = [process.stdout.readline().strip() for _ in range(12)]
            exported = dict(line.removeprefix("export ").split("=", 1) for line in lines if "=" in line)
            answer = httpx.get(f"{exported['DIMO_AUTH_URL']}/keys")
            process.send_signal(signal.SIGINT)
            _, complaints = process.communicate(timeout=30)
        finally:
            process.kill()

    assert answer.status_code == 200
    assert lines[0].startswith("The sandbox listens on http://127.0.0.1:")
    assert (process.returncode, complaints) == (0, "")
