"""Tests of the report: the page as a file, and as a browser shows it."""
