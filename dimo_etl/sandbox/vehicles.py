"""Who is in the simulated fleet: six shared vehicles of every kind of payload, one not shared, one never minted.

A vehicle that was never minted has no token id: only its user device id names it. Three more, on demand, came after the
Device Data API: their documents are raw ones of their maker's, and only the Fetch and Telemetry APIs know them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from dimo_etl.config import SANDBOX_LICENCE
from dimo_etl.sandbox.chance import chance, ksuid

Kind = Literal["autopi", "smartcar", "v2", "macaron", "tesla", "ruptela", "fleet-api", "fleet-telemetry"]
# Those whose documents the Device Data API never had.
RAW_KINDS: frozenset[Kind] = frozenset({"ruptela", "fleet-api", "fleet-telemetry"})
LICENCE = SANDBOX_LICENCE["DIMO_CLIENT_ID"]
_SOMEBODY = "0x7aE0e5D0A3cB4f1E9b0C2d5F6a8B9c0D1e2F3a4B"
_UNMINTED = 10_001


@dataclass(frozen=True, slots=True)
class SimVehicle:
    """A simulated vehicle.

    Attributes:
        token_id: the id of its NFT; where it was never minted, a number that only the sandbox knows.
        user_device_id: its 27-character device id.
        kind: which integration reports it, and so the shape of its documents.
        granted: the privileges its owner granted to the sandbox licence.
        owner: the address that owns its NFT; the licence itself for some.
        since: the UTC day it was connected.
        first_odometer_km: the odometer at the start of that day.
        home: latitude and longitude of the place it stands at every midnight.
        minted: whether it has an NFT.
    """

    token_id: int
    user_device_id: str
    make: str
    model: str
    year: int
    kind: Kind
    granted: frozenset[int]
    owner: str
    vin: str
    since: date
    first_odometer_km: int
    home: tuple[float, float]
    minted: bool = True


def simulated_vehicles(seed: int, *, raw: bool = False) -> tuple[SimVehicle, ...]:
    """Every vehicle of the sandbox, ascending by token id; the one that was never minted is the last.

    Args:
        seed: chooses their ids.
        raw: with those that only the Fetch and Telemetry APIs know.
    """
    everything = frozenset({1, 2, 3, 4, 5, 6})
    rows: list[tuple[int, str, str, int, Kind, frozenset[int], str, int, tuple[float, float]]] = [
        (4711, "Ford", "Focus", 2018, "autopi", everything, LICENCE, 88_000, (52.5163, 13.3777)),
        (5023, "Lexus", "NX", 2021, "smartcar", frozenset({1, 3, 4, 5, 6}), LICENCE, 41_200, (48.1374, 11.5755)),
        (6120, "Toyota", "Tacoma", 2022, "v2", frozenset({1, 3, 4}), _SOMEBODY, 23_750, (50.9413, 6.9583)),
        (7345, "Honda", "Civic", 2012, "macaron", frozenset({1, 4}), _SOMEBODY, 162_300, (53.5503, 10.0007)),
        (8102, "Tesla", "Model 3", 2020, "tesla", everything, LICENCE, 57_900, (47.3769, 8.5417)),
        (8816, "Kia", "Niro", 2019, "smartcar", frozenset({1}), _SOMEBODY, 74_050, (51.0504, 13.7373)),
        (9001, "Mazda", "CX-5", 2017, "smartcar", frozenset(), _SOMEBODY, 98_400, (49.4521, 11.0767)),
        (9321, "Skoda", "Octavia", 2019, "ruptela", frozenset({1, 3, 4}), _SOMEBODY, 14_600, (50.7753, 6.0839)),
        (9457, "Tesla", "Model Y", 2023, "fleet-api", frozenset({1, 4, 7}), LICENCE, 31_250, (48.2082, 16.3738)),
        (9533, "Tesla", "Model 3", 2025, "fleet-telemetry", frozenset({1, 4}), _SOMEBODY, 12_400, (52.3759, 9.7320)),
        (_UNMINTED, "Volvo", "XC40", 2021, "smartcar", frozenset(), LICENCE, 36_800, (53.0793, 8.8017)),
    ]
    vehicles = []
    for token_id, make, model, year, kind, granted, owner, odometer_km, home in rows:
        if kind in RAW_KINDS and not raw:
            continue
        random = chance(seed, token_id, "identity")
        since = date(2025, 1, 1) + timedelta(days=random.randrange(90))
        vehicles.append(
            SimVehicle(
                token_id=token_id,
                user_device_id=ksuid((since - date(1970, 1, 1)).days * 86_400, random),
                make=make,
                model=model,
                year=year,
                kind=kind,
                granted=granted,
                owner=owner,
                vin="SBX" + "".join(random.choices("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", k=14)),
                since=since,
                first_odometer_km=odometer_km,
                home=home,
                minted=token_id != _UNMINTED,
            )
        )
    return tuple(vehicles)
