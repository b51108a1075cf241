"""`dimo-etl export request`: asks DIMO for everything it holds of a vehicle, which then comes by mail."""

from __future__ import annotations

from typing import Annotated

import typer

from dimo_etl.cli.settings import settings
from dimo_etl.errors import InputError, VehicleRefusedError
from dimo_etl.model import parse_vehicle_id

_SOME_REFUSED = 3

export = typer.Typer(help="Ask DIMO for everything it holds of a vehicle.", no_args_is_help=True)


@export.callback()
def _group() -> None:
    """Ask DIMO for everything it holds of a vehicle, which then comes by mail."""


@export.command("request")
def request_exports(
    vehicle: Annotated[
        list[str] | None,
        typer.Option(help="Only this vehicle (token id or user device id); may be given several times."),
    ] = None,
) -> None:
    """Ask for the export of each vehicle of the account.

    DIMO gathers every document of a device, also those without odometer and position that its history does not give,
    and mails a link to the file to the account's verified address. Exit code 3: some vehicles were refused.

    For example:

      dimo-etl export request --vehicle 4711

      dimo-etl import 'https://…the link from the mail…'
    """
    from dimo_etl.api.auth import access_tokens
    from dimo_etl.api.export import Exports
    from dimo_etl.api.user_devices import UserDevices
    from dimo_etl.connection import Connection
    from dimo_etl.lake.stores import open_store
    from dimo_etl.lake.vehicles import known_vehicles

    chosen = settings()
    only = [parse_vehicle_id(name) for name in vehicle or ()]
    with open_store(chosen.warehouse) as store:
        known = known_vehicles(store)
    started = 0
    with Connection(chosen, known) as connection:
        access = access_tokens(connection.transport, chosen)
        exports = Exports(connection.transport, access, chosen)
        wanted = connection.vehicles(only)
        listed: dict[int | None, str] = {}
        if any(one.user_device_id is None for one in wanted):
            devices = UserDevices(connection.transport, access, chosen).listing()
            listed = {device.token_id: device.user_device_id for device in devices if device.token_id is not None}
        for one in wanted:
            user_device_id = one.user_device_id or listed.get(one.token_id)
            if user_device_id is None:
                typer.echo(
                    f"Vehicle {one.vehicle_id}: its user device id is not known, and exports are asked for by it; "
                    "give that with --vehicle.",
                    err=True,
                )
                continue
            try:
                said = exports.request(user_device_id)
            except VehicleRefusedError as refused:
                typer.echo(f"Vehicle {one.vehicle_id}: {refused}", err=True)
                continue
            started += 1
            typer.echo(f"Vehicle {one.vehicle_id}: {said or 'the export has been started'}")
    if not started:
        raise InputError("No export was started; ask as the owner of a vehicle, or name one with --vehicle.")
    typer.echo(
        "The mail comes when DIMO has gathered everything, which can take hours; its link is good for 24 hours. Then:\n"
        "  dimo-etl import 'THE LINK'"
    )
    if started < len(wanted):
        raise typer.Exit(_SOME_REFUSED)
