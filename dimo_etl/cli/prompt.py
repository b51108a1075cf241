"""A prompt to type queries at: several lines, a history kept between sessions, views and columns completed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import completion_is_selected
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.output import create_output
from pygments.lexers.sql import SqlLexer

from dimo_etl.cli.completion import candidates, typed
from dimo_etl.cli.rows import Format, answer
from dimo_etl.errors import DimoError
from dimo_etl.warehouse import View, views

if TYPE_CHECKING:
    from dimo_etl.warehouse import Warehouse

_HISTORY = ".dimo_etl_history"
_LEAVE = {".exit", ".quit"}


def prompt(warehouse: Warehouse, form: Format, output: Path | None) -> None:
    """Answer queries, each ended by `;`, until `.exit` or the end of input."""
    typer.echo("End a query with ; and leave with .exit or Ctrl-D. Tab completes; `dimo-etl views` explains.", err=True)
    for query in _queries(warehouse):
        try:
            answer(warehouse, query, form, output)
        except DimoError as error:
            typer.echo(str(error), err=True)
        except KeyboardInterrupt:
            typer.echo("Interrupted.", err=True)


def _queries(warehouse: Warehouse) -> Iterator[str]:
    session: PromptSession[str] = PromptSession(
        "dimo> ",
        multiline=True,
        prompt_continuation="  ... ",
        history=_history(Path.home() / _HISTORY),
        auto_suggest=AutoSuggestFromHistory(),
        completer=_Names(views(), warehouse),
        key_bindings=_keys(),
        lexer=PygmentsLexer(SqlLexer),
        output=create_output(always_prefer_tty=True),
    )
    while True:
        try:
            text = session.prompt().strip()
        except EOFError:
            return
        except KeyboardInterrupt:
            continue
        if text in _LEAVE:
            return
        if text:
            yield text


def _keys() -> KeyBindings:
    """Enter ends what is a whole query or a command, and begins a new line otherwise."""
    keys = KeyBindings()

    @keys.add("enter", filter=~completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        text = event.current_buffer.text.strip()
        if not text or text.endswith(";") or text in _LEAVE:
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    @keys.add("enter", filter=completion_is_selected)
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.complete_state = None

    return keys


def _history(file: Path) -> History:
    """What was typed before, in a private file; where there can be none, of this session alone."""
    try:
        file.touch(mode=0o600)
        file.chmod(0o600)
    except OSError:
        return InMemoryHistory()
    return FileHistory(file)


class _Names(Completer):
    def __init__(self, known: Sequence[View], warehouse: Warehouse) -> None:
        self._known = known
        self._warehouse = warehouse

    @cached_property
    def _values(self) -> dict[str, list[str]]:
        """The vehicles, and the names their newest day has: one file, however large the warehouse."""
        queries = {
            "vehicle_id": "SELECT vehicle_id FROM vehicles ORDER BY ALL",
            "name": "SELECT DISTINCT name FROM signals WHERE date = (SELECT max(date) FROM coverage) ORDER BY ALL",
        }
        try:
            return {column: [str(row[0]) for row in self._warehouse.execute(sql)] for column, sql in queries.items()}
        except DimoError:
            return {}

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:  # noqa: ARG002
        before = document.text_before_cursor
        for candidate in candidates(before, document.text, self._known, self._values):
            yield Completion(candidate.word, start_position=-len(typed(before)), display_meta=candidate.meaning)
