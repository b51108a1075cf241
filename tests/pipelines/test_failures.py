"""Which errors a step is tried again for, and in what words it fails."""

from __future__ import annotations

import dagster as dg
import pytest

from dimo_etl.errors import AuthError, ConfigError, DimoError, ServiceDownError, ServiceError, WarehouseError
from pipelines.failures import explained
from pipelines.resources import Dimo


def failure(error: DimoError, *, interactive: bool) -> dg.Failure | dg.RetryRequested:
    with pytest.raises((dg.Failure, dg.RetryRequested)) as caught, explained(Dimo(interactive=interactive)):
        raise error
    return caught.value


@pytest.mark.parametrize("kind", [ServiceError, ServiceDownError])
def test_what_may_pass_by_itself_is_tried_again_by_an_unattended_run(kind: type[DimoError]) -> None:
    again = failure(kind("It is late."), interactive=False)
    assert isinstance(again, dg.RetryRequested)
    assert isinstance(again.__cause__, dg.Failure)
    assert again.__cause__.description == "It is late."
    assert isinstance(failure(kind("It is late."), interactive=True), dg.Failure)


@pytest.mark.parametrize("kind", [AuthError, ConfigError, WarehouseError])
def test_what_will_not_pass_by_itself_is_not_tried_again(kind: type[DimoError]) -> None:
    assert isinstance(failure(kind("It is wrong."), interactive=False), dg.Failure)


def test_a_failure_shows_the_one_sentence_and_keeps_the_error_for_who_waits() -> None:
    dimo, error = Dimo(), AuthError("The key is refused; check DIMO_API_KEY.")
    with pytest.raises(dg.Failure) as caught, explained(dimo):
        raise error
    assert caught.value.description == "The key is refused; check DIMO_API_KEY."
    assert dimo.error is error


def test_errors_that_are_not_ours_go_through_unchanged() -> None:
    with pytest.raises(ZeroDivisionError), explained(Dimo()):
        raise ZeroDivisionError
