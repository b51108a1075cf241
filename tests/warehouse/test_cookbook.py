"""The cookbook's twelve answers are those its queries give; `make cookbook` writes them anew."""

from __future__ import annotations

from dimo_etl.warehouse import Warehouse
from tests.warehouse.cookbook import FILE, answered, bring_demo


def test_the_answers_in_the_cookbook_are_those_the_queries_give(tmp_path):
    bring_demo(tmp_path / "demo")
    text = FILE.read_text(encoding="utf-8")
    with Warehouse.open(tmp_path / "demo") as warehouse:
        assert answered(text, warehouse) == text
    assert text.count("```sql") == text.count("```text") == text.count("\n## ") == 12
