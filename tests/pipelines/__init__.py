"""Tests of the Dagster side, on real instances, against a running sandbox."""
