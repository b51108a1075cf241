"""A finding for each check: in order, wrong, or not looked at because of another that is wrong.

Promise: a check that fails never stops another, and whatever it raises becomes a finding without a secret in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from dimo_etl.errors import DimoError


class Verdict(Enum):
    """How a check came out."""

    OK = "ok"
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: in order and how, wrong and what to do, or why it was not made."""

    name: str
    verdict: Verdict
    detail: str


class Checks:
    """The checks made so far, by name."""

    def __init__(self) -> None:
        self._failing: dict[str, bool] = {}

    def make(self, name: str, look: Callable[[], str], *, needs: tuple[str, ...] = ()) -> Finding:
        """Make a check, unless one that it needs is not in order.

        Args:
            name: what is looked at.
            look: returns how it is, or raises DimoError with what is wrong and what to do.
            needs: checks made before.
        """
        missing = [need for need in needs if self._failing.get(need, True)]
        skipped = Finding(name, Verdict.SKIPPED, f"needs {' and '.join(missing)}")
        finding = skipped if missing else looked(name, look)
        self._failing[name] = finding.verdict is not Verdict.OK
        return finding


def looked(name: str, look: Callable[[], str]) -> Finding:
    """The finding of one look."""
    try:
        return Finding(name, Verdict.OK, look())
    except DimoError as error:
        return Finding(name, Verdict.FAIL, str(error))
    except Exception as error:
        return Finding(name, Verdict.FAIL, f"The check itself failed ({type(error).__name__}); please report this.")
