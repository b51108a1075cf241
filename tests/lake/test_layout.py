"""Whatever a vehicle is called, its files lie in their folders and nowhere else."""

from __future__ import annotations

import os
from pathlib import PurePosixPath

from hypothesis import example, given, settings
from hypothesis import strategies as st

from dimo_etl.events import is_vehicle_name
from dimo_etl.lake import layout
from tests.lake.make import DAY
from tests.long import cases

HOSTILE = st.one_of(
    st.text(max_size=300),
    st.text("./\\%\0:'\"*?[]{}=~ \n\u202e\x1b", max_size=40),
    st.sampled_from(
        ["..", "../../x", "a/b", "%2e%2e", "__HIVE_DEFAULT_PARTITION__", "vehicle=1/date=x", "C:\\x", "x" * 300]
    ),
)


@settings(max_examples=cases(300), deadline=None)
@given(HOSTILE)
@example("")
def test_no_name_that_is_taken_leaves_its_folder(name):
    if not is_vehicle_name(name):
        return
    for path in (layout.raw_file(name, DAY), layout.snapshots_file(name, DAY)):
        whole = PurePosixPath(os.path.normpath(path))
        assert str(whole) == path
        assert whole.parent.name == f"date={DAY}"
        assert len(os.fsencode(whole.name)) <= 255
        assert whole.name.isprintable()
        assert not whole.name.startswith(".")
        assert layout.vehicle_of_raw_file(whole.name) == name
