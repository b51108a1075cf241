"""Take the pictures of the Dagster UI that README.md shows: `.venv/bin/python -m docs.take_pictures [FOLDER]`.

The demo's fleet, a real UI and daemon, a day that fails, and headless Chromium, driven by
chromedriver; both must be installed. It takes some four minutes and needs no network.
"""

from __future__ import annotations

import base64
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from dimo_etl.model import days_between
from dimo_etl.sandbox.server import SandboxServer
from pipelines.jobs import ANSWERS_JOB, JOB, PARTITION
from tests.pipelines.services import Services, dev, eventually, free_port

PROJECT = Path(__file__).parents[1]
TODAY = datetime.now(UTC).date()
FIRST, LAST = TODAY - timedelta(days=14), TODAY - timedelta(days=1)
BROKEN = (5023, TODAY - timedelta(days=6))
EARLIER = (TODAY - timedelta(days=70), TODAY - timedelta(days=15))


@dataclass(frozen=True)
class Browser:
    """A headless Chromium, by the WebDriver protocol."""

    session: str
    client: httpx.Client

    def do(self, path: str, **body: object) -> Any:  # noqa: ANN401 - whatever the page's script returns
        """Send a command."""
        answer = self.client.post(f"{self.session}/{path}", json=body)
        answer.raise_for_status()
        return answer.json()["value"]

    def run(self, script: str) -> Any:  # noqa: ANN401
        """Run a script in the page."""
        return self.do("execute/sync", script=script, args=[])

    def show(self, url: str, *texts: str) -> None:
        """Open a page and wait until it shows all of the texts."""
        self.do("url", url=url)
        for text in texts:
            eventually(lambda text=text: text in self.run("return document.body.innerText"), f"{text!r} at {url}")

    def take(self, file: Path) -> None:
        """Take a picture of what can be seen, once nothing loads any more."""
        eventually(lambda: not self.run("return document.querySelector('[class*=pinner]') !== null"), "the page")
        icons = r"return performance.getEntriesByType('resource').filter(one => /\.svg/.test(one.name)).length"
        counts = [-1]
        eventually(lambda: counts.append(self.run(icons)) or counts[-1] == counts[-2], "the icons")
        picture = self.client.get(f"{self.session}/screenshot").json()["value"]
        file.write_bytes(base64.b64decode(picture))


@contextmanager
def browser(width: int, height: int) -> Iterator[Browser]:
    """A browser with a window of a size."""
    port = free_port()
    with (
        tempfile.TemporaryDirectory() as profile,
        subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL) as driver,  # noqa: S603, S607
        httpx.Client(base_url=f"http://127.0.0.1:{port}/", timeout=60) as client,
    ):
        try:
            eventually(lambda: _answers(client), "chromedriver")
            arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"]
            arguments += ["--disable-background-networking", f"--user-data-dir={profile}"]
            arguments += [f"--window-size={width},{height}", "--force-device-scale-factor=1"]
            wanted = {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}
            made = client.post("session", json={"capabilities": wanted}).json()["value"]
            found = Browser(f"session/{made['sessionId']}", client)
            yield found
            client.delete(found.session)
        finally:
            driver.terminate()


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("status").is_success
    except httpx.TransportError:
        return False


def statuses(services: Services, backfill: str) -> list[str]:
    """Those of the runs of a backfill."""
    return [run.status for run in services.runs() if run.backfill == backfill]


def days(first: date, last: date) -> list[str]:
    """The days from one to another, as partitions."""
    return [day.isoformat() for day in days_between(first, last)]


def take_all(services: Services, shown: Browser, folder: Path) -> None:
    """Bring things to where they are worth a picture, and take it."""
    ui = f"http://127.0.0.1:{services.port}"
    first = services.backfill(days(FIRST, LAST))
    eventually(lambda: statuses(services, first) == ["FAILURE"], "the backfill of which a day fails")
    run = services.launch(JOB, {PARTITION: LAST.isoformat()})
    eventually(lambda: services.ended(run), "the daily run")
    shown.show(f"{ui}/assets/raw_history?view=partitions&partition={BROKEN[1]}", "Failed (1)", f"{LAST}")
    shown.take(folder / "partitions.png")
    shown.show(f"{ui}/assets/signals?view=partitions&partition={LAST}", "picture", "preview")
    shown.run(
        "[...document.querySelectorAll('td')].find(cell => cell.innerText === 'picture')"
        ".parentElement.querySelector('a').click()"
    )
    eventually(lambda: shown.run("return document.querySelector('img[src^=data]') !== null"), "the picture of the day")
    shown.take(folder / "metadata.png")
    shown.show(f"{ui}/assets/signals?view=checks", "in_their_day", "All columns are as promised.")
    shown.take(folder / "checks.png")
    answered = (ANSWERS_JOB, "SUCCESS")
    eventually(lambda: answered in {(run.job, run.status) for run in services.runs()}, "the views to follow")
    # With more of it the assets are drawn too small to say how they are.
    shown.show(f"{ui}/assets/odometer?view=lineage&lineageScope=upstream&lineageDepth=2", "raw_history", "1 failed")
    shown.take(folder / "lineage.png")
    second = services.backfill(days(*EARLIER))
    shown.show(f"{ui}/runs/b/{second}", "In progress", "signals")
    some_done = r"return !/\b0% completed/.test(document.body.innerText)"
    eventually(lambda: shown.run(some_done), "some runs of the backfill")
    shown.take(folder / "backfill.png")
    # Runs outlive the UI and would go on writing to a folder that is removed.
    under_way = {"NOT_STARTED", "QUEUED", "STARTING", "STARTED"}
    eventually(lambda: not under_way & set(statuses(services, second)), "the end of the backfill", 1800)


def main(folder: Path) -> None:
    """Set everything up, take the pictures, and put them into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as temporary,
        SandboxServer(port=0, history_days=(TODAY - EARLIER[0]).days) as sandbox,
        browser(1400, 900) as shown,
    ):
        home = Path(temporary, "home")
        home.mkdir()
        (home / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text())
        sandbox.faults.break_day(*BROKEN)
        environ = {"DIMO_WAREHOUSE": f"{temporary}/warehouse", "DIMO_START_DATE": EARLIER[0].isoformat()}
        with dev({**sandbox.environ, **environ, "DIMO_RETRY_AFTER": "0"}, home) as services:
            take_all(services, shown, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pictures")
