"""A stream of JSON, cut into its documents without holding more than one of them.

Understood are values one after another (a single object, NDJSON, concatenated responses), arrays of documents, export
files (`{"data": [ … ]}`), and history responses (`{"hits": {"hits": [ … ]}}`). Only brackets and strings are looked at,
so what DIMO's exporter gets wrong (a trailing comma) and what no parser would take (a broken document among good ones)
does no harm to the rest: after a value that is broken, the next line that begins with `{` is a document again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import BinaryIO

_BLOCK = 1 << 20
# A lone quote is a string that the buffer cuts off, or one that is broken: no JSON string goes over a line's end.
_TOKEN = re.compile(rb'"(?:[^"\\\n]|\\.)*"|["{}\[\]]')
_BETWEEN = re.compile(rb"[\s,\x1e\xef\xbb\xbf]*")
_KEY = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:\s*$', re.DOTALL)
_LARGEST_DOCUMENT = 64 << 20
_CLOSING = bytes.maketrans(b"{[", b"}]")


class Place(Enum):
    """Where in the file a piece was found."""

    DOCUMENT = "a document"
    HIT = "a hit of a history response"
    OPENING = "what precedes the documents of a response or an export, closed so that it is JSON"
    ENVELOPE = "what surrounds the documents of a response or an export, the list left empty"
    RUBBISH = "what is no JSON value, or ends before it is whole"


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a file, its text byte for byte."""

    place: Place
    text: bytes


def split(stream: BinaryIO) -> Iterator[Part]:
    """Cut a stream into parts, in order; an opening comes before the documents of a list, the envelope after them.

    Args:
        stream: read once, in blocks; memory use does not grow with its length.
    """
    yield from _Splitter(stream).parts()


class _Splitter:
    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._buffer = bytearray()
        self._at = 0
        self._ended = False

    def parts(self) -> Iterator[Part]:
        while self._skip_between():
            opening = self._buffer[self._at]
            if opening == ord("["):
                self._at += 1
                yield from self._elements(Place.DOCUMENT)
            elif opening == ord("{"):
                yield from self._object()
            else:
                yield Part(Place.RUBBISH, self._line())

    def _object(self) -> Iterator[Part]:
        """A document; or an envelope, whose list of documents is handed out as it streams by."""
        envelope, opened = bytearray(), bytearray()
        start, position, path = self._at, self._at, list[bytes | None]()
        listed = False
        while True:
            token, begin, position = self._token(position)
            if token is None or not self._fits(token, start, begin, opened):
                yield from self._broken(start, bytes(envelope))
                return
            if token in b"{[":
                key = self._key_before(start, begin)
                place = _list_at(token, [*path, key])
                if place is not None:
                    listed = True
                    envelope += self._buffer[start:position]
                    self._at = position
                    yield Part(Place.OPENING, bytes(envelope) + b"]" + opened[::-1].translate(_CLOSING))
                    yield from self._elements(place)
                    start = position = self._at
                    envelope += b"]"
                    continue
                opened += token
                path.append(key)
            elif token in b"}]":
                opened.pop()
                path.pop()
                if not path:
                    break
            if not listed and position - start > _LARGEST_DOCUMENT:
                yield from self._broken(start)
                return
        text = bytes(envelope + self._buffer[start:position])
        self._at = position
        yield Part(Place.ENVELOPE if listed else Place.DOCUMENT, text)

    def _elements(self, place: Place) -> Iterator[Part]:
        """The elements of a list whose bracket is open, up to and with the bracket that closes it."""
        while self._skip_between():
            opening = self._buffer[self._at]
            if opening == ord("]"):
                self._at += 1
                return
            if opening in b"{[":
                text = self._value()
                if text is None:
                    yield from self._broken(self._at)
                else:
                    yield Part(place, text)
            elif opening == ord("}"):
                return  # the list was never closed; its envelope was
            else:
                yield Part(Place.RUBBISH, self._scalar())

    def _value(self) -> bytes | None:
        """The object or array that starts here; None where it is broken."""
        start = position = self._at
        opened = bytearray()
        while True:
            token, begin, position = self._token(position)
            if token is None or position - start > _LARGEST_DOCUMENT or not self._fits(token, start, begin, opened):
                return None
            if token in b"{[":
                opened += token
            elif token in b"}]":
                opened.pop()
                if not opened:
                    self._at = position
                    return bytes(self._buffer[start:position])

    def _token(self, position: int) -> tuple[bytes | None, int, int]:
        """The next bracket or string, and where it begins and ends; a string comes as its quote.

        None stands for the end of the stream, for a string that is broken, and for a value beyond any sane size.
        """
        while True:
            match = _TOKEN.search(self._buffer, position)
            if match is not None and match.end() - match.start() > 1:
                return b'"', match.start(), match.end()
            if match is not None and self._buffer[match.start()] != ord('"'):
                return match.group(), match.start(), match.end()
            position = match.start() if match is not None else len(self._buffer)
            too_large = len(self._buffer) - self._at > _LARGEST_DOCUMENT
            if too_large or self._buffer.find(b"\n", position) >= 0 or not self._more():
                return None, position, position

    def _key_before(self, start: int, begin: int) -> bytes | None:
        match = _KEY.search(bytes(self._buffer[max(start, begin - 200) : begin]))
        return match.group(1) if match else None

    def _skip_between(self) -> bool:
        """Go to the next value; False at the end of the stream."""
        while True:
            match = _BETWEEN.match(self._buffer, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._buffer):
                self._forget()
                return True
            if not self._more():
                return False

    def _scalar(self) -> bytes:
        """A bare word, number or string inside a list."""
        start = self._at
        if self._buffer[start] == ord('"'):
            token, _, end = self._token(start)
            self._at = end if token else len(self._buffer)
        else:
            while (match := re.compile(rb"[,\]\s]").search(self._buffer, start)) is None and self._more():
                pass
            self._at = match.start() if match else len(self._buffer)
        return bytes(self._buffer[start : self._at])

    def _line(self) -> bytes:
        start = self._at
        while (end := self._buffer.find(b"\n", start)) < 0 and len(self._buffer) - start < _BLOCK and self._more():
            pass
        self._at = end if end >= 0 else len(self._buffer)
        return bytes(self._buffer[start : self._at])

    def _fits(self, token: bytes, start: int, begin: int, opened: bytearray) -> bool:
        """Whether a bracket can stand here, inside those opened; if not, a value before it was never closed."""
        if not opened or token == b'"':
            return True
        if token in b"}]":
            return opened[-1] == ord("{" if token == b"}" else "[")
        while begin > start and self._buffer[begin - 1] in b" \t\r\n":
            begin -= 1
        return begin > start and self._buffer[begin - 1] in (b":" if opened[-1] == ord("{") else b"[,")

    def _broken(self, start: int, before: bytes = b"") -> Iterator[Part]:
        """A value that is not whole, up to the next line that begins with a document."""
        while (end := self._buffer.find(b"\n{", start)) < 0:
            if len(self._buffer) - start > _BLOCK:
                yield Part(Place.RUBBISH, before + bytes(self._buffer[start:-1]))
                del self._buffer[:-1]
                start, before = 0, b""
            if not self._more():
                end = len(self._buffer)
                break
        yield Part(Place.RUBBISH, before + bytes(self._buffer[start:end]))
        self._at = end

    def _more(self) -> bool:
        block = self._stream.read(_BLOCK) if not self._ended else b""
        self._ended = not block
        self._buffer += block
        return bool(block)

    def _forget(self) -> None:
        """Let go of what lies behind, once it is worth the copy."""
        if self._at > _BLOCK:
            del self._buffer[: self._at]
            self._at = 0


def _list_at(token: bytes, path: list[bytes | None]) -> Place | None:
    """Whether a bracket opens the list of documents of an export or of a history response."""
    if token != b"[":
        return None
    if path[1:] == [b"data"]:
        return Place.DOCUMENT
    return Place.HIT if path[1:] == [b"hits", b"hits"] else None
