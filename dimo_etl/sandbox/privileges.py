"""The privileges of a vehicle: their numbers, their names, and how identity writes a set of them."""

from __future__ import annotations

NON_LOCATION_HISTORY, CURRENT_LOCATION, LOCATION_HISTORY, RAW_DATA, APPROXIMATE_LOCATION = 1, 3, 4, 7, 8
NAMES = {
    1: "privilege:GetNonLocationHistory",
    2: "privilege:ExecuteCommands",
    3: "privilege:GetCurrentLocation",
    4: "privilege:GetLocationHistory",
    5: "privilege:GetVINCredential",
    6: "privilege:GetLiveData",
    7: "privilege:GetRawData",
    8: "privilege:GetApproximateLocation",
}
NUMBERS = {name: number for number, name in NAMES.items()}


def permission_bits(privileges: frozenset[int]) -> str:
    """A SACD's `permissions`: hex, both of bits 2i and 2i+1 set for each granted privilege i."""
    return hex(sum(0b11 << (2 * number) for number in privileges))
