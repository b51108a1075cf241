"""The one place that knows the columns of `signals`: their types, their meaning, and the order of rows.

The Arrow schema, the Parquet files, the checks and the documentation all come from here.
"""

from __future__ import annotations

import pyarrow as pa

DICTIONARY = pa.dictionary(pa.int32(), pa.string())
INSTANT = pa.timestamp("us", tz="UTC")


def _field(name: str, kind: pa.DataType, description: str, *, nullable: bool = True) -> pa.Field:
    return pa.field(name, kind, nullable, metadata={"description": description})


SIGNALS = pa.schema(
    [
        _field(
            "vehicle_id",
            pa.string(),
            "token id in decimal, or user device id, as the user names the vehicle",
            nullable=False,
        ),
        _field("timestamp", INSTANT, "when the value was measured", nullable=False),
        _field("name", DICTIONARY, "path of the leaf, object keys joined by dots", nullable=False),
        _field("value_number", pa.float64(), "the value where it is a number that float64 holds exactly"),
        _field("value_string", pa.string(), "the value where it is a string"),
        _field("value_boolean", pa.bool_(), "the value where it is true or false"),
        _field(
            "value_json",
            pa.string(),
            "arrays, empty objects, null, and numbers float64 cannot hold exactly, as JSON text",
        ),
        _field("source", DICTIONARY, "the integration, as given"),
        _field("event_id", pa.string(), "the event the value came in", nullable=False),
        _field("received_at", INSTANT, "when the event was received: its `time`"),
    ]
)

# The key of a day's Parquet footer that holds the coverage records of the vehicles in the file, a JSON array
# of `dimo_etl.coverage.Coverage` objects: rows and their proof are replaced by the same rename.
COVERAGE_KEY = b"dimo_etl.coverage"
# The same of what was known of them before: `dimo_etl.coverage.Version` objects, each with `vehicle_id` and `date`.
VERSIONS_KEY = b"dimo_etl.versions"
