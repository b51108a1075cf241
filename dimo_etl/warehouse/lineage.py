"""What each view is made from: the views and macros that its SQL names, and so the version of what it answers.

Promise: nothing is declared by hand, and no file of any lake is opened.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from dimo_etl.warehouse.definitions import ORDER, statements

# A folder that no lake lies in: the definitions are then over empty relations.
NO_LAKE = Path("/nonexistent")
# The name that a statement defines.
DEFINES = re.compile(r"^CREATE (VIEW|MACRO) (\w+)", re.M)
# A relation, a table macro, or a function.
_USED = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)|\b(\w+)\(", re.I)


@cache
def definitions() -> dict[str, str]:
    """The statement that defines each view and macro, by name."""
    found = {match[2]: text for text in statements(NO_LAKE) if (match := DEFINES.search(text))}
    return {name: found[name] for name in ORDER}


@cache
def reads(name: str) -> tuple[str, ...]:
    """The views that a view or macro reads itself, in the order they build on each other; macros are seen through."""
    found = {seen for one in _uses(name) for seen in ([one] if is_view(one) else reads(one))}
    return tuple(sorted(found, key=ORDER.index))


def with_all_they_use(names: Iterable[str]) -> list[str]:
    """Views and macros with all that they build on, in the order to define them in."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += [other for other in ORDER if other in _uses(name)]
    return sorted(found, key=ORDER.index)


@cache
def version_of(name: str) -> str:
    """What changes when the SQL of a view does, or of a view or macro it builds on; comments do not count."""
    parts = [_code(definitions()[name]), *(version_of(other) for other in ORDER if other in _uses(name))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


@cache
def _uses(name: str) -> set[str]:
    """The views and macros that a definition names."""
    used = {relation or function for relation, function in _USED.findall(_code(definitions()[name]))}
    return (used & set(ORDER)) - {name}


@cache
def is_view(name: str) -> bool:
    """Whether a name is that of a view; it is a macro's otherwise."""
    return _code(definitions()[name]).startswith("CREATE VIEW")


def _code(text: str) -> str:
    """A statement without its comments."""
    return re.sub(r"--[^\n]*", "", text).strip()
