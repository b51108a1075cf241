"""Tests of the files for running it unattended."""
