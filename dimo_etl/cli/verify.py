"""`dimo-etl verify`: whether every file of the warehouse is what was written, and how to make it so again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dimo_etl.cli.progress import progress
from dimo_etl.cli.settings import settings
from dimo_etl.errors import WarehouseError


def verify(
    repair: Annotated[bool, typer.Option("--repair", help="Make damaged files whole again.")] = False,
) -> None:
    """Hold every file of the warehouse against what was written: checksums, counts, schemas, coverage and content.

    Signals are made again from the raw events and compared byte for byte. With --repair they are replaced, raw events
    are brought again from the service, and what cannot be made again is moved to `damaged/`. Ends with 0 where all is
    sound or was made so, 1 where damage is left.

    For example:

      dimo-etl verify

      dimo-etl verify --repair
    """
    from dimo_etl.lake.stores import is_address, open_store
    from dimo_etl.lake.verify import verify as check
    from dimo_etl.repair import repair as make_whole
    from dimo_etl.warehouse.publish import publish
    from dimo_etl.warehouse.show import printable

    chosen = settings()
    if not is_address(chosen.warehouse) and not Path(chosen.warehouse).is_dir():
        raise WarehouseError(f"There is no warehouse at {chosen.warehouse} yet; bring some days with `dimo-etl sync`.")
    found = []
    with open_store(chosen.warehouse) as store, progress("checking files", None) as advance:
        for one in check(store):
            found.append(one)
            advance(len(found), one.name)
    wrong = [one for one in found if one.wrong]
    for one in wrong:
        typer.echo(f"Damaged: {one.name}: {printable(one.wrong or '')}.", err=True)
    typer.echo(f"{len(found):,} files checked, {len(wrong):,} damaged; in {chosen.warehouse}")
    if not wrong:
        return
    if not repair:
        raise WarehouseError(f"{len(wrong):,} files are not what was written; run `dimo-etl verify --repair`.")
    left = 0
    for done in make_whole(chosen, wrong):
        typer.echo(f"{'Repaired' if done.whole else 'Not repaired'}: {done.name}: {done.told}", err=not done.whole)
        left += not done.whole
    publish(chosen.warehouse)
    if left:
        raise WarehouseError(f"{left:,} files are still not what was written; each is named above, with what to do.")
