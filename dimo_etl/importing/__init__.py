"""Saved files into the raw store: history responses, export files, arrays and lines of events."""
