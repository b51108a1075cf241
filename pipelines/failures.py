"""How an error of the library becomes a failure of a step: which are tried again, and in what words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dimo_etl.errors import DimoError, ServiceDownError, ServiceError
from pipelines.resources import Dimo

# What may pass by itself: worth another try in a minute, once the client's own patience has run out.
TRANSIENT = (ServiceError, ServiceDownError)
RETRIES = dg.RetryPolicy(max_retries=2, delay=60, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)


@contextmanager
def explained(dimo: Dimo) -> Iterator[None]:
    """Turn the library's errors into failures that show their one sentence.

    Where someone waits for the run nothing is tried again later, and the error itself is kept for them.
    """
    try:
        yield
    except DimoError as error:
        dimo.error = error
        raise dg.Failure(
            description=str(error), allow_retries=isinstance(error, TRANSIENT) and not dimo.interactive
        ) from error
