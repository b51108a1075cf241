"""What could be meant by a word that is being typed in a query: views, their columns, and the words of SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dimo_etl.warehouse import View

_WORD = re.compile(r"\w*\Z")
_SOURCE = r"\w+(?:\([^)]*\))?(?:\s+(?:AS\s+)?\w+)?"
_WANTS_VIEW = re.compile(rf"\b(?:FROM|JOIN|DESCRIBE|SUMMARIZE)\s+(?:{_SOURCE}\s*,\s*)*\Z", re.I)
_IN_TEXT = re.compile(r"[^']*(?:'[^']*'[^']*)*'[^']*\Z")
_IN_VALUE = re.compile(r"\b(\w+)\s*(?:=|<>|\bIN\s*\([^)]*)\s*'([^']*)\Z", re.I)
_KEYWORDS = """
SELECT FROM WHERE GROUP BY ALL ORDER DESC LIMIT JOIN LEFT USING ON AS AND OR NOT IN IS NULL BETWEEN LIKE DISTINCT
HAVING WITH QUALIFY FILTER OVER PARTITION CASE WHEN THEN ELSE END INTERVAL DESCRIBE SUMMARIZE EXPLAIN
count sum avg min max median round arg_max arg_min date_trunc current_date
"""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A word that may be meant.

    Attributes:
        word: what to put in place of what was typed.
        meaning: what it is, in a few words.
    """

    word: str
    meaning: str


def typed(before: str) -> str:
    """The word or the text under the cursor, as far as it is typed."""
    if _IN_TEXT.match(before):
        return before.rpartition("'")[2]
    found = _WORD.search(before)
    return found[0] if found else ""


def candidates(
    before: str, whole: str, views: Sequence[View], values: Mapping[str, Sequence[str]]
) -> Iterator[Candidate]:
    """The words that begin as the one being typed, the likeliest first.

    Args:
        before: the query up to the cursor.
        whole: the query, also what follows the cursor: the views it names tell which columns are meant.
        views: those there are.
        values: the texts a column may be compared with, by its name.
    """
    word = typed(before)
    if _IN_TEXT.match(before):
        compared = _IN_VALUE.search(before)
        for value in values.get(compared[1].lower(), ()) if compared else ():
            if value.lower().startswith(word.lower()) and value.isprintable():
                yield Candidate(value.replace("'", "''"), "")
        return
    head = before[: len(before) - len(word)]
    seen = set()
    for candidate in _possible(head, word, whole, views):
        if candidate.word.lower().startswith(word.lower()) and candidate.word not in seen:
            seen.add(candidate.word)
            yield candidate


def _possible(head: str, word: str, whole: str, views: Sequence[View]) -> Iterator[Candidate]:
    named_views = [Candidate(_named(view), view.description) for view in views]
    if _WANTS_VIEW.search(head):
        yield from named_views
        return
    named = [view for view in views if re.search(rf"\b{view.name}\b", whole)]
    # Without a view yet, columns are offered only once a letter narrows them down.
    for view in named or (views if word else ()):
        for column in view.columns:
            yield Candidate(column.name, f"{view.name}: {column.description}")
    if head.endswith("."):
        return
    if word:
        yield from (Candidate(keyword, "") for keyword in _KEYWORDS.split())
        yield from named_views


def _named(view: View) -> str:
    """The view as it stands behind FROM: a macro with the arguments of its example."""
    return view.example.removeprefix("FROM ")
