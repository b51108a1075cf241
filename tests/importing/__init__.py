"""Saved files into raw units."""
