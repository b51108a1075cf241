"""How an error of the library becomes a failure of a step: which are tried again, and in what words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from dimo_etl.errors import DimoError, ServiceDownError, ServiceError
from pipelines.resources import Dimo

# What may pass by itself: worth another try later, once the client's own patience has run out.
TRANSIENT = (ServiceError, ServiceDownError)
# Asked for by the failure itself: a retry policy of the asset would hold for interrupts, too, and a run that was told
# to stop would go on later.
_TRIES_MORE = 2


@contextmanager
def explained(dimo: Dimo) -> Iterator[None]:
    """Turn the library's errors into failures that show their one sentence.

    Where someone waits for the run nothing is tried again later, and the error itself is kept for them.
    """
    try:
        yield
    except DimoError as error:
        dimo.error = error
        failure = dg.Failure(description=str(error))
        failure.__cause__ = error
        if isinstance(error, TRANSIENT) and not dimo.interactive:
            raise dg.RetryRequested(max_retries=_TRIES_MORE, seconds_to_wait=dimo.settings.retry_after_s) from failure
        raise failure from error
