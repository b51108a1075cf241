"""The asset `report`: what the warehouse answers, on one page; made when somebody asks for it."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from dimo_etl.lake.layout import REPORT as PAGE
from dimo_etl.lake.stores import is_address, open_store
from dimo_etl.report.figures import views_read
from pipelines.failures import explained
from pipelines.ownership import OWNERS
from pipelines.resources import Dimo

REPORT = dg.AssetKey("report")


@dg.asset(
    key=REPORT,
    group_name="answers",
    kinds={"html"},
    deps=[dg.AssetKey(view) for view in views_read()],
    owners=OWNERS,
    code_version="1",
)
def report(context: dg.AssetExecutionContext, dimo: dg.ResourceParam[Dimo]) -> dg.MaterializeResult[None]:
    """The fleet, odometers, distances, coverage, trips, charging, errors and freshness of the last year on one page.

    A file in the warehouse that needs no network: open it in a browser, print it, send it. The same as
    `dimo-etl report`, which also makes one of some vehicles or days.
    """
    from dimo_etl.report.page import render
    from dimo_etl.report.scope import scope_of
    from dimo_etl.warehouse import Warehouse

    root = dimo.settings.warehouse
    with explained(dimo):
        with Warehouse.open(root) as warehouse:
            scope = scope_of(warehouse)
            page = render(warehouse, scope, now=datetime.now(UTC)).encode()
        with open_store(root) as store:
            store.put(PAGE, page)
            file = f"{store.root}/{PAGE}"
    context.log.info("%s: %d vehicles, %s to %s", file, len(scope.vehicles), scope.first, scope.last)
    return dg.MaterializeResult(
        metadata={
            "file": dg.MetadataValue.path(file),
            "page": dg.MetadataValue.url(file if is_address(root) else Path(file).as_uri()),
            "bytes": len(page),
            "vehicles": len(scope.vehicles),
            "first_day": scope.first.isoformat(),
            "last_day": scope.last.isoformat(),
        }
    )
