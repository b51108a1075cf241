"""What is drawn for a page: nothing that a value holds can break out of it."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

from pipelines.markdown import table
from pipelines.picture import Bars, picture


def drawn(*of: Bars) -> list[str]:
    """The texts of the picture, which must be well-formed."""
    encoded = picture(of).removeprefix("![km and errors](data:image/svg+xml;base64,").removesuffix(")")
    root = ElementTree.fromstring(base64.b64decode(encoded))
    return [text.text or "" for text in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_picture_tells_kilometres_and_errors_of_each_vehicle() -> None:
    assert drawn(Bars("4711", 12.34, 0), Bars("5023", None, 7)) == [
        "km", "12.3", "not read", "errors", "0", "7", "4711", "5023",
    ]  # fmt: skip


def test_a_picture_of_a_large_fleet_shows_the_vehicles_with_most_errors() -> None:
    fleet = [Bars(str(1000 + n), 50.0, n) for n in range(100)]
    texts = drawn(*fleet)
    assert "1099" in texts
    assert "1000" not in texts


def test_a_name_with_angle_brackets_stays_text() -> None:
    assert "<b>&" in drawn(Bars("<b>&", 1.0, 0))


def test_a_cell_cannot_leave_its_column_or_its_line() -> None:
    assert table(["a"], [["x|y\nz<script>"]]).splitlines()[2] == "| x\\|y\\\\nz\\<script\\> |"
