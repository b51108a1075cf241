"""What Dagster itself notes of a materialization, for those that are recorded while their step still works.

The names are Dagster's own and not public. It has no public way to record a day of a batch as it ends: it records all
of them when the step is over, and then none where it failed. So what it notes for its own ones is noted here, and its
own are kept from being made. Nothing else in `pipelines` imports a private name of Dagster.
"""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    extract_data_version_from_entry,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)
from dagster._core.definitions.source_asset import SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION

# On an output: Dagster records nothing of it.
RECORDED_BEFORE = {SYSTEM_METADATA_KEY_SOURCE_ASSET_OBSERVATION: True}


def provenance(
    instance: dg.DagsterInstance, run_id: str, code_version: str | None, source: dg.AssetKey, partition: str | None
) -> dict[str, str]:
    """The tags by which Dagster can tell later that a materialization is out of date.

    Args:
        instance: where the source is recorded.
        run_id: the run that materializes, which stands for the version of what it makes.
        code_version: of the asset.
        source: the asset it is made from.
        partition: the day of the source, where it has days.
    """
    tags = {CODE_VERSION_TAG: code_version or "", DATA_VERSION_TAG: run_id}
    made = instance.get_latest_data_version_record(source, partition_key=partition)
    version = extract_data_version_from_entry(made.event_log_entry) if made else None
    if made and version:
        tags[get_input_data_version_tag(source)] = version.value
        tags[get_input_event_pointer_tag(source)] = str(made.storage_id)
    return tags
