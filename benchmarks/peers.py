"""The same rows as ours, by libraries a competent user would take: response bodies to one sorted Parquet file.

Each takes (vehicle id, body) pairs and a path. Bodies are of flat documents, or of nested ones.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import dlt
import duckdb
import orjson
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

Bodies = Sequence[tuple[str, bytes]]
_ORDER = ["name", "vehicle_id", "timestamp", "event_id"]
_COLUMNS = [
    "vehicle_id", "timestamp", "name", "value_number", "value_string", "value_boolean", "source", "event_id",
    "received_at",
]  # fmt: skip


def with_pandas(bodies: Bodies, path: Path, *, nested: bool) -> None:
    """`json_normalize` and `melt`."""
    frames = []
    for vehicle_id, body in bodies:
        documents = [hit["_source"] for hit in orjson.loads(body)["hits"]["hits"]]
        if nested:
            wide = pd.json_normalize(documents, max_level=1)
            heads = wide[["id", "source", "time"]]
            wide = wide[[column for column in wide if column.startswith("data.")]]
            wide.columns = wide.columns.str.removeprefix("data.")
            long = wide.join(heads[["id", "time"]]).melt(["id", "time"], var_name="name")
            inner = pd.DataFrame(long["value"].tolist())
            long = long.drop(columns="value").join(inner)
        else:
            wide = pd.json_normalize(documents)
            wide["at"] = wide["data.timestamp"]
            signals = [column for column in wide if column.startswith("data.")]
            long = wide.melt(["id", "source", "time", "at"], signals, var_name="name")
            long["name"] = long["name"].str.removeprefix("data.")
            long = long.rename(columns={"at": "timestamp"})
        kinds = long["value"].map(type)
        frames.append(
            pd.DataFrame(
                {
                    "vehicle_id": vehicle_id,
                    "timestamp": pd.to_datetime(long["timestamp"], format="ISO8601"),
                    "name": long["name"],
                    "value_number": pd.to_numeric(long["value"].where(kinds.isin([int, float]))),
                    "value_string": long["value"].where(kinds.isin([str])).astype("str"),
                    "value_boolean": long["value"].where(kinds.isin([bool])).astype("boolean"),
                    "source": long["source"],
                    "event_id": long["id"],
                    "received_at": pd.to_datetime(long["time"], format="ISO8601"),
                }
            )
        )
    pd.concat(frames).sort_values(_ORDER).to_parquet(path, compression="zstd", index=False)


def with_polars(bodies: Bodies, path: Path, *, nested: bool) -> None:
    """A frame of the documents, and one `unpivot` for each type of value."""
    frames = []
    for vehicle_id, body in bodies:
        documents = [hit["_source"] for hit in orjson.loads(body)["hits"]["hits"]]
        heads = pl.DataFrame(
            {
                "event_id": [document["id"] for document in documents],
                "source": [document["source"] for document in documents],
                "received_at": [document["time"] for document in documents],
            }
        )
        wide = pl.DataFrame([document["data"] for document in documents], infer_schema_length=None)
        if nested:
            for name in wide.columns:
                inner = wide.select(pl.col(name)).unnest(name)
                frames.append(_polars_values(heads.drop("source").hstack(inner), vehicle_id, [name], renamed="value"))
        else:
            frames.append(_polars_values(heads.hstack(wide.with_columns(at="timestamp")), vehicle_id, wide.columns))
    pl.concat(frames).sort(_ORDER).write_parquet(path, compression="zstd")


def _polars_values(wide: pl.DataFrame, vehicle_id: str, names: list[str], renamed: str | None = None) -> pl.DataFrame:
    if renamed:
        wide = wide.rename({"timestamp": "at", renamed: names[0]})
    kinds = {name: wide.schema[name] for name in names}
    parts = []
    for column, wanted in (
        ("value_number", [name for name in names if kinds[name].is_numeric()]),
        ("value_string", [name for name in names if kinds[name] == pl.String]),
        ("value_boolean", [name for name in names if kinds[name] == pl.Boolean]),
    ):
        if wanted:
            cast = wide.with_columns(pl.col(wanted).cast(pl.Float64)) if column == "value_number" else wide
            parts.append(
                cast.unpivot(
                    wanted, index=["event_id", "source", "received_at", "at"], variable_name="name", value_name=column
                )
            )
    instant = pl.Datetime("us", "UTC")
    return pl.concat(parts, how="diagonal").select(
        vehicle_id=pl.lit(vehicle_id),
        timestamp=pl.col("at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ").cast(instant),
        name="name",
        value_number=_or_null(parts, "value_number", pl.Float64),
        value_string=_or_null(parts, "value_string", pl.String),
        value_boolean=_or_null(parts, "value_boolean", pl.Boolean),
        source="source",
        event_id="event_id",
        received_at=pl.col("received_at").str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ").cast(instant),
    )


def _or_null(parts: list[pl.DataFrame], column: str, kind: type[pl.DataType]) -> pl.Expr:
    return pl.col(column) if any(column in part.columns for part in parts) else pl.lit(None, kind)


def with_duckdb(bodies: Bodies, path: Path, *, nested: bool) -> None:
    """DuckDB's own reader of JSON, from files in memory, and a list of entries unnested."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        for vehicle_id, body in bodies:
            Path(folder, f"{vehicle_id}.json").write_bytes(body)
        value = "value->'value'" if nested else "value"
        at = "(value->>'timestamp')" if nested else "(doc->>'$.data.timestamp')"
        source = "(value->>'source')" if nested else "(doc->>'source')"
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            connection.execute(f"""
                COPY (
                    WITH documents AS (
                        SELECT parse_filename(filename, true) AS vehicle_id, unnest(hits.hits)._source AS doc
                        FROM read_json(
                            '{folder}/*.json', format = 'unstructured', filename = true,
                            maximum_object_size = 200000000, columns = {{hits: 'STRUCT(hits STRUCT(_source JSON)[])'}}
                        )
                    ),
                    entries AS (SELECT vehicle_id, doc, unnest(json_keys(doc, '$.data')) AS name FROM documents),
                    valued AS (SELECT *, json_extract(doc, '$.data."' || name || '"') AS value FROM entries),
                    typed AS (SELECT *, {value} AS v, json_type({value}) AS kind FROM valued)
                    SELECT
                        vehicle_id,
                        {at}::TIMESTAMPTZ AS timestamp,
                        name,
                        CASE WHEN kind IN ('UBIGINT', 'BIGINT', 'DOUBLE') THEN v::DOUBLE END AS value_number,
                        CASE WHEN kind = 'VARCHAR' THEN v->>'$' END AS value_string,
                        CASE WHEN kind = 'BOOLEAN' THEN v::BOOLEAN END AS value_boolean,
                        {source} AS source,
                        doc->>'id' AS event_id,
                        (doc->>'time')::TIMESTAMPTZ AS received_at
                    FROM typed
                    ORDER BY name, vehicle_id, timestamp, event_id
                ) TO '{path}' (FORMAT parquet, COMPRESSION zstd)
            """)


def with_dlt(bodies: Bodies, path: Path, *, nested: bool) -> None:
    """A pipeline of rows to Parquet files, sorted before it."""

    def rows() -> Iterator[dict[str, object]]:
        for vehicle_id, body in bodies:
            for hit in orjson.loads(body)["hits"]["hits"]:
                document = hit["_source"]
                data = document["data"]
                for name, value in data.items():
                    inner = value if nested else {"value": value} | {"timestamp": data["timestamp"]}
                    found = inner["value"]
                    yield {
                        "vehicle_id": vehicle_id,
                        "timestamp": inner["timestamp"],
                        "name": name,
                        "value_number": float(found) if type(found) in (int, float) else None,
                        "value_string": found if isinstance(found, str) else None,
                        "value_boolean": found if isinstance(found, bool) else None,
                        "source": value["source"] if nested else document["source"],
                        "event_id": document["id"],
                        "received_at": document["time"],
                    }

    kinds = {"value_number": "double", "value_string": "text", "value_boolean": "bool"}
    columns = {name: {"data_type": kind, "nullable": True} for name, kind in kinds.items()}
    columns |= {name: {"data_type": "timestamp"} for name in ("timestamp", "received_at")}
    with tempfile.TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "peer",
            pipelines_dir=f"{folder}/state",
            destination=dlt.destinations.filesystem(f"file://{folder}/out"),
            dataset_name="signals",
        )
        ordered = sorted(rows(), key=lambda row: [row[name] for name in _ORDER])
        pipeline.run(ordered, table_name="signals", columns=columns, loader_file_format="parquet")
        [written] = Path(folder, "out", "signals", "signals").glob("*.parquet")
        shutil.move(written, path)


PEERS = {"pandas": with_pandas, "polars": with_polars, "duckdb": with_duckdb, "dlt": with_dlt}


def rows_of(path: Path) -> pa.Table:
    """What a file holds, in one order and in the same types whoever wrote it."""
    table = pq.read_table(path).select(_COLUMNS)
    instant = pa.timestamp("us", tz="UTC")
    kinds = [
        pa.string(),
        instant,
        pa.string(),
        pa.float64(),
        pa.string(),
        pa.bool_(),
        pa.string(),
        pa.string(),
        instant,
    ]
    columns = [column.cast(kind) for column, kind in zip(table.columns, kinds, strict=True)]
    return pa.table(columns, names=_COLUMNS).combine_chunks()
