"""Snapshots: what the status routes show of each vehicle, kept as received, and its signals where they belong."""
