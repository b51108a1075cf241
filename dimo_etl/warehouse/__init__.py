"""The warehouse as its users see it: DuckDB views over the lake, published, and opened read-only."""

from dimo_etl.warehouse.definitions import Column, View, views
from dimo_etl.warehouse.reader import Result, Warehouse

__all__ = ["Column", "Result", "View", "Warehouse", "views"]
