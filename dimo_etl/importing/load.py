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

from dimo_etl.coverage import Coverage
from dimo_etl.errors import InputError
from dimo_etl.events import read_event, vehicle_of
from dimo_etl.flatten.numbers import UnreadableError, parse
from dimo_etl.importing.envelopes import FROM_A_FILE, FROM_AN_EXPORT, Claim, Envelope, claim_of, envelope, unwrapped
from dimo_etl.importing.split import Part, Place, split
from dimo_etl.lake import layout
from dimo_etl.lake.commit import commit_import
from dimo_etl.lake.raw import FROM_FILE
from dimo_etl.lake.signals import write_quarantine
from dimo_etl.lake.store import Store
from dimo_etl.model import Event, day_of_us, is_user_device_id

# What waits in memory: the documents, and what each weighs beside its text.
_BATCH_BYTES = 64 << 20
_EVENT_WEIGHT = 500
_NAMELESS = "names no vehicle; say which with --vehicle"
_Key = tuple[str, date]


@dataclass(slots=True)
class Imported:
    """What an import did.

    Attributes:
        documents: documents read.
        new_events: events that were not held before.
        repeated: documents that were the same event as one held already or before in the file.
        quarantined: documents that could not be placed, with the reasons and how often each.
        days: the days that changed.
        user_device_ids: those of vehicles whose documents name both their token id and their device, by vehicle id.
    """

    documents: int = 0
    new_events: int = 0
    repeated: int = 0
    quarantined: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    days: set[date] = field(default_factory=set)
    vehicles: set[str] = field(default_factory=set)
    user_device_ids: dict[str, str] = field(default_factory=dict)


def import_file(
    store: Store,
    path: Path,
    *,
    called: str,
    vehicle_id: str | None,
    known_as: Callable[[str], str],
    now: datetime,
    progress: Callable[[int], None],
) -> Imported:
    """Bring a file's events into the raw store.

    Args:
        store: the warehouse's files.
        path: saved history responses, an export file, an array or lines of events.
        called: what follows `The file` in messages.
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
                    raise _no_documents(called)
                importer.take(part)
                progress(stream.tell())
    except OSError as error:
        raise InputError(
            f"The file {called} cannot be read ({error.strerror or error}); give a file of saved events."
        ) from error
    if not done.documents:
        raise _no_documents(called)
    importer.finish()
    return done


@dataclass(slots=True)
class _Pile:
    """The events of one vehicle-day that wait to be committed, and what their file says of its completeness."""

    events: list[Event] = field(default_factory=list)
    weight: int = 0
    claim: Claim = FROM_A_FILE


class _Importer:
    def __init__(
        self, store: Store, vehicle_id: str | None, known_as: Callable[[str], str], now: datetime, done: Imported
    ) -> None:
        self._store = store
        self._vehicle_id = vehicle_id
        self._known_as = known_as
        self._now = now
        self._done = done
        self._piles: dict[_Key, _Pile] = defaultdict(_Pile)
        self._newest: date | None = None
        self._unplaced: list[tuple[bytes, str]] = []
        self._nameless: list[tuple[Event, bool]] = []
        self._opening = Envelope()
        self._in_response: set[_Key] = set()
        self._response_ids: set[str] = set()
        self._weight = 0

    def take(self, part: Part) -> None:
        """Place one part of the file."""
        if part.place is Place.RUBBISH:
            self._unplaced.append((part.text, Place.RUBBISH.value))
            self._weight += len(part.text)
        elif part.place is Place.OPENING:
            self._opening = envelope(part.text)
        elif part.place is Place.ENVELOPE:
            self._close(envelope(part.text))
        else:
            self._done.documents += 1
            self._weight += len(part.text) + _EVENT_WEIGHT
            self._place(part)
        if self._weight > _BATCH_BYTES:
            self._make_room()

    def finish(self) -> None:
        """Commit what is left."""
        self._close(Envelope())
        self._commit(list(self._piles))
        self._quarantine()

    def _place(self, part: Part) -> None:
        payload, index_id = unwrapped(part)
        event = read_event(payload, index_id=index_id)
        vehicle, reason = self._vehicle(payload)
        is_hit = part.place is Place.HIT
        if reason is not None:
            self._unplaced.append((payload, reason))
        elif event.timestamp_us is None:
            self._unplaced.append((payload, "has no readable time, neither `data.timestamp` nor `time`"))
        elif vehicle is None and (vehicle := self._opening.vehicle) is None:
            self._nameless.append((event, is_hit))
        else:
            self._put(vehicle, event, is_hit=is_hit)

    def _put(self, vehicle: str, event: Event, *, is_hit: bool) -> None:
        self._newest = day_of_us(event.timestamp_us or 0)
        key = (self._known_as(vehicle), self._newest)
        pile = self._piles[key]
        pile.events.append(event)
        pile.weight += len(event.payload) + _EVENT_WEIGHT
        if is_hit:
            self._in_response.add(key)
            self._response_ids.add(event.event_id)
        elif self._opening.is_export:
            pile.claim = pile.claim.and_also(FROM_AN_EXPORT)

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
        vehicle, subject = vehicle_of(document), document.get("subject")
        if vehicle is not None and vehicle != subject and isinstance(subject, str) and is_user_device_id(subject):
            self._done.user_device_ids[vehicle] = subject
        return vehicle, None

    def _close(self, whole: Envelope) -> None:
        """The end of a response or an export: what it says of its vehicle and of its completeness."""
        for event, is_hit in self._nameless:
            if whole.vehicle is not None:
                self._put(whole.vehicle, event, is_hit=is_hit)
            else:
                self._unplaced.append((event.payload, _NAMELESS))
        self._nameless = []
        claim = claim_of(whole, held=len(self._response_ids), days=len(self._in_response))
        if claim is not None:
            for key in self._in_response:
                self._piles[key].claim = self._piles[key].claim.and_also(claim)
        self._in_response, self._response_ids, self._opening = set(), set(), Envelope()

    def _make_room(self) -> None:
        """Commit the days that a file ascending in time is through with, and where that is little, all of them."""
        passed = [key for key in self._piles if key[1] != self._newest]
        if 2 * sum(self._piles[key].weight for key in passed) < _BATCH_BYTES:
            passed = list(self._piles)
        self._commit(passed)
        self._quarantine()
        if sum(len(event.payload) + _EVENT_WEIGHT for event, _ in self._nameless) > _BATCH_BYTES // 2:
            self._unplaced = [(event.payload, _NAMELESS) for event, _ in self._nameless]
            self._nameless = []
            self._quarantine()
        self._weight = sum(pile.weight for pile in self._piles.values())

    def _commit(self, keys: list[_Key]) -> None:
        for vehicle, day in sorted(keys):
            pile = self._piles.pop((vehicle, day))
            record = Coverage(
                vehicle_id=vehicle,
                date=day,
                origin=FROM_FILE,
                expected_events=pile.claim.expected_events,
                fetched_events=0,
                complete=pile.claim.complete,
                reason=pile.claim.reason,
                fetched_at=self._now,
            )
            _, new = commit_import(self._store, vehicle, day, pile.events, record, self._now)
            self._done.new_events += new
            self._done.repeated += len(pile.events) - new
            self._done.vehicles.add(vehicle)
            if new:
                self._done.days.add(day)

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


def _no_documents(called: str) -> InputError:
    return InputError(
        f"The file {called} holds no JSON documents; give history responses, an export, or events as JSON."
    )


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
