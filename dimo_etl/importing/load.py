"""Saved files into raw units, vehicle-day by vehicle-day.

Promise: idempotent (a file that adds nothing changes nothing), bounded in memory, and nothing in a file is dropped:
what cannot be placed on a vehicle and a day lies in quarantine with its reason.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import msgspec

from dimo_etl.coverage import Coverage
from dimo_etl.errors import InputError
from dimo_etl.events import is_vehicle_name, read_event, vehicle_of
from dimo_etl.flatten.numbers import UnreadableError, parse
from dimo_etl.importing.split import Part, Place, split
from dimo_etl.lake import layout
from dimo_etl.lake.commit import commit_import
from dimo_etl.lake.raw import FROM_FILE
from dimo_etl.lake.signals import write_quarantine
from dimo_etl.lake.store import Store
from dimo_etl.model import Event, day_of_us

_BATCH_BYTES = 64 << 20


@dataclass(slots=True)
class Imported:
    """What an import did.

    Attributes:
        documents: documents read.
        new_events: events that were not held before.
        repeated: documents that were the same event as one held already or before in the file.
        quarantined: documents that could not be placed, with the reasons and how often each.
        days: the days that changed.
    """

    documents: int = 0
    new_events: int = 0
    repeated: int = 0
    quarantined: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    days: set[date] = field(default_factory=set)
    vehicles: set[str] = field(default_factory=set)


class _Hit(msgspec.Struct):
    source: msgspec.Raw = msgspec.field(name="_source")
    doc_id: str | None = msgspec.field(name="_id", default=None)


class _Total(msgspec.Struct):
    value: int
    relation: str = "eq"


class _Hits(msgspec.Struct):
    total: _Total | int | None = None


class _Envelope(msgspec.Struct):
    """What surrounds the documents of an export or a history response."""

    user_device_id: str | None = msgspec.field(name="userDeviceId", default=None)
    hits: _Hits | None = None
    timed_out: bool = False


def import_file(
    store: Store,
    path: Path,
    *,
    vehicle_id: str | None,
    known_as: Callable[[str], str],
    now: datetime,
    progress: Callable[[int], None],
) -> Imported:
    """Bring a file's events into the raw store.

    Args:
        store: the warehouse's files.
        path: saved history responses, an export file, an array or lines of events.
        vehicle_id: the vehicle all events are of; None: as each document says.
        known_as: gives the vehicle id the lake uses for one a document names.
        now: the time of the import, for the records.
        progress: told the bytes read so far.

    Raises:
        InputError: the file cannot be read, or holds no JSON document at all.
        WarehouseError: the warehouse cannot be written.
    """
    done = Imported()
    importer = _Importer(store, vehicle_id, known_as, now, done)
    try:
        with path.open("rb") as stream:
            for part in split(stream):
                if stream.tell() > _BATCH_BYTES and not done.documents and part.place is Place.RUBBISH:
                    raise _no_documents(path)
                importer.take(part)
                progress(stream.tell())
    except OSError as error:
        raise InputError(
            f"The file {path} cannot be read ({error.strerror or error}); give a file of saved events."
        ) from error
    if not done.documents:
        raise _no_documents(path)
    importer.finish()
    return done


class _Importer:
    def __init__(
        self, store: Store, vehicle_id: str | None, known_as: Callable[[str], str], now: datetime, done: Imported
    ) -> None:
        self._store = store
        self._vehicle_id = vehicle_id
        self._known_as = known_as
        self._now = now
        self._done = done
        self._placed: dict[tuple[str, date], list[Event]] = defaultdict(list)
        self._unplaced: list[tuple[bytes, str]] = []
        self._nameless: list[tuple[Event, date]] = []
        self._in_response: set[tuple[str, date]] = set()
        self._response_ids: set[str] = set()
        self._bytes = 0

    def take(self, part: Part) -> None:
        """Place one part of the file."""
        if part.place is Place.RUBBISH:
            self._unplaced.append((part.text, Place.RUBBISH.value))
            self._bytes += len(part.text)
        elif part.place is Place.ENVELOPE:
            self._close(_envelope(part.text))
        else:
            self._done.documents += 1
            self._bytes += len(part.text)
            self._place(*_unwrapped(part))
        if self._bytes > _BATCH_BYTES:
            self._commit(claims={})

    def finish(self) -> None:
        """Commit what is left."""
        self._close(_Envelope())
        self._commit(claims={})

    def _place(self, payload: bytes, index_id: str | None) -> None:
        event = read_event(payload, index_id=index_id)
        vehicle, reason = self._vehicle(payload)
        if reason is not None:
            self._unplaced.append((payload, reason))
        elif event.timestamp_us is None:
            self._unplaced.append((payload, "has no readable time, neither `data.timestamp` nor `time`"))
        elif vehicle is None:
            self._nameless.append((event, day_of_us(event.timestamp_us)))
        else:
            self._put(vehicle, event, day_of_us(event.timestamp_us))

    def _put(self, vehicle: str, event: Event, day: date) -> None:
        key = (self._known_as(vehicle), day)
        self._placed[key].append(event)
        self._in_response.add(key)
        self._response_ids.add(event.event_id)

    def _vehicle(self, payload: bytes) -> tuple[str | None, str | None]:
        """The vehicle of a document, or the reason why it can have none."""
        if self._vehicle_id is not None:
            return self._vehicle_id, None
        try:
            document = parse(payload)
        except UnreadableError as error:
            return None, str(error)
        if not isinstance(document, dict):
            return None, "not a JSON object"
        return vehicle_of(document), None

    def _close(self, envelope: _Envelope) -> None:
        """The end of a response or an export: what it says of its vehicle and of its completeness."""
        for event, day in self._nameless:
            if envelope.user_device_id and is_vehicle_name(envelope.user_device_id):
                self._put(envelope.user_device_id, event, day)
            else:
                self._unplaced.append((event.payload, "names no vehicle; say which with --vehicle"))
        self._nameless = []
        if envelope.hits is not None:
            self._commit(self._claims(envelope))
        self._in_response, self._response_ids = set(), set()

    def _claims(self, envelope: _Envelope) -> dict[tuple[str, date], tuple[int | None, str]]:
        """For each vehicle-day of a history response known to be partial: how many events there are, and the reason."""
        total = envelope.hits.total if envelope.hits else None
        count, exact = (total.value, total.relation == "eq") if isinstance(total, _Total) else (total, True)
        held = len(self._response_ids)
        if count is None or (exact and count <= held and not envelope.timed_out):
            return {}
        reason = f"the imported response holds {held} of {'' if exact else 'at least '}{count} events"
        expected = count if exact and len(self._in_response) == 1 else None
        return dict.fromkeys(self._in_response, (expected, reason))

    def _commit(self, claims: dict[tuple[str, date], tuple[int | None, str]]) -> None:
        for (vehicle, day), events in sorted(self._placed.items()):
            expected, reason = claims.get((vehicle, day), (None, None))
            claim = Coverage(
                vehicle_id=vehicle,
                date=day,
                origin=FROM_FILE,
                expected_events=expected,
                fetched_events=0,
                complete=None if reason is None else False,
                reason=reason or "imported from a file, which does not say whether the day is complete",
                fetched_at=self._now,
            )
            _, new = commit_import(self._store, vehicle, day, events, claim, self._now)
            self._done.new_events += new
            self._done.repeated += len(events) - new
            self._done.vehicles.add(vehicle)
            if new:
                self._done.days.add(day)
        self._placed.clear()
        self._bytes = 0
        self._quarantine()

    def _quarantine(self) -> None:
        if not self._unplaced:
            return
        digest = hashlib.blake2b(digest_size=16)
        for payload, reason in self._unplaced:
            digest.update(payload)
            self._done.quarantined[reason] += 1
        write_quarantine(
            self._store,
            layout.undated_quarantine_file(digest.hexdigest()),
            [
                {
                    "vehicle_id": self._vehicle_id,
                    "event_id": None,
                    "reason": reason,
                    "origin": FROM_FILE,
                    "payload": text,
                }
                for text, reason in self._unplaced
            ],
        )
        self._unplaced = []


def _no_documents(path: Path) -> InputError:
    return InputError(f"The file {path} holds no JSON documents; give history responses, an export, or events as JSON.")


def _unwrapped(part: Part) -> tuple[bytes, str | None]:
    """A document's own text, and the id the index gave it where it comes as a hit."""
    if part.place is Place.HIT or b'"_source"' in part.text[:4096]:
        try:
            hit = msgspec.json.decode(part.text, type=_Hit)
        except (msgspec.MsgspecError, RecursionError):
            return part.text, None
        return bytes(hit.source), hit.doc_id
    return part.text, None


def _envelope(text: bytes) -> _Envelope:
    try:
        return msgspec.json.decode(text, type=_Envelope)
    except (msgspec.MsgspecError, RecursionError):
        return _Envelope()


def paths_in(arguments: Iterable[Path]) -> Iterator[Path]:
    """The files a user named; a folder stands for the JSON files in it.

    Raises:
        InputError: there is no such file, or a folder holds none.
    """
    for argument in arguments:
        if not argument.is_dir():
            if not argument.exists():
                raise InputError(f"There is no file {argument}; give a file of saved events.")
            yield argument
            continue
        found = sorted(path for path in argument.iterdir() if path.suffix in (".json", ".ndjson", ".jsonl"))
        if not found:
            raise InputError(f"The folder {argument} holds no .json, .ndjson or .jsonl file; name the files.")
        yield from found
