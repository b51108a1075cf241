"""What Dagster loads."""

from __future__ import annotations

import warnings

import dagster as dg

# Backfill policies are marked beta and partitioned checks preview; both do what is wanted of them here.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", category=dg.PreviewWarning)

from pipelines.build import build_defs  # noqa: E402

defs = build_defs()
