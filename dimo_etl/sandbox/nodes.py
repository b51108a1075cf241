"""What the Identity API says of a vehicle: its definition, its devices, and who was granted what."""

from __future__ import annotations

from datetime import date
from typing import TypeAlias

from dimo_etl.sandbox.chance import chance
from dimo_etl.sandbox.exchange import asset_did
from dimo_etl.sandbox.privileges import permission_bits
from dimo_etl.sandbox.vehicles import LICENCE, SimVehicle

Node: TypeAlias = dict[str, object]
_OTHER_APP = "0x1C5b9C2d1F8bE5E3a7A09d6B8F3c4D2e1A0b9C8d"
_PAGE: Node = {"startCursor": None, "endCursor": None, "hasPreviousPage": False, "hasNextPage": False}
_FAR_AWAY = "2065-01-01T00:00:00Z"
_AFTERMARKET = {
    "autopi": (137, "AutoPi"),
    "v2": (137, "AutoPi"),
    "macaron": (142, "Hashdog"),
    "ruptela": (144, "Ruptela"),
}
_CONNECTIONS = {
    "smartcar": ("Smartcar", "0xcd445F4c6bDAD32b68a2939b912150Fe3C88803E"),
    "tesla": ("Tesla", "0xc4035Fecb1cc906130423EF05f9C20977F643722"),
    "fleet-api": ("Tesla", "0xc4035Fecb1cc906130423EF05f9C20977F643722"),
    "fleet-telemetry": ("Tesla", "0xc4035Fecb1cc906130423EF05f9C20977F643722"),
}


def privileged_addresses(vehicle: SimVehicle) -> frozenset[str]:
    """Who may see anything of a vehicle, in lower case: its owner and every grantee."""
    grantees = {vehicle.owner, _OTHER_APP} | ({LICENCE} if vehicle.granted else set())
    return frozenset(address.lower() for address in grantees)


def vehicle_node(vehicle: SimVehicle) -> Node:
    """The vehicle as the schema's `Vehicle`."""
    minted = _midnight(vehicle.since)
    random = chance(vehicle.user_device_id, "identity")
    address, token_id = f"0x{random.getrandbits(160):040x}", random.randrange(10_000, 99_999)
    aftermarket = _AFTERMARKET.get(vehicle.kind)
    connection = _CONNECTIONS.get(vehicle.kind)
    sacds = _sacds(vehicle, minted)
    return {
        "id": f"V_{vehicle.token_id}",
        "tokenId": vehicle.token_id,
        "tokenDID": asset_did(vehicle.token_id),
        "name": None,
        "owner": vehicle.owner,
        "mintedAt": minted,
        "manufacturer": {"tokenId": 1 + len(vehicle.make), "name": vehicle.make},
        "definition": {
            "id": f"{vehicle.make}_{vehicle.model}_{vehicle.year}".lower().replace(" ", "-"),
            "make": vehicle.make,
            "model": vehicle.model,
            "year": vehicle.year,
        },
        "aftermarketDevice": aftermarket
        and {
            "tokenId": token_id,
            "serial": f"{random.getrandbits(64):016x}",
            "imei": f"86{random.randrange(10**13):013d}",
            "address": address,
            "manufacturer": {"tokenId": aftermarket[0], "name": aftermarket[1]},
            "pairedAt": minted,
        },
        "syntheticDevice": connection
        and {
            "tokenId": token_id,
            "address": address,
            "mintedAt": minted,
            "connection": {"name": connection[0], "address": connection[1]},
        },
        # The sandbox grants less than a page, so paging arguments change nothing.
        "sacds": {"totalCount": len(sacds), "nodes": sacds, "pageInfo": _PAGE},
    }


def _sacds(vehicle: SimVehicle, minted: str) -> list[Node]:
    # Another app was granted everything: a reader that does not look at the grantee sees too much.
    grants = [(_OTHER_APP, frozenset(range(1, 9)))]
    if vehicle.granted:
        grants.append((LICENCE, vehicle.granted))
    return [
        {
            "grantee": grantee,
            "permissions": permission_bits(privileges),
            "source": "ipfs://bafkreisandbox",
            "createdAt": minted,
            "expiresAt": _FAR_AWAY,
        }
        for grantee, privileges in grants
    ]


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"
