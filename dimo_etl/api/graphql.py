"""What the GraphQL services have in common: a query as a request, and an answer that may hold errors under status 200.

An error that may pass is retried like a 503. Any other is handed on with the data it left, and a caller reads the data
only after the errors: a field that failed is null as one without a value is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from dimo_etl.api.decode import decoded
from dimo_etl.api.messages import Request, Response, Service, UnusableResponseError

if TYPE_CHECKING:
    from dimo_etl.config import Secret

T = TypeVar("T")
# The services give up after 30 or 60 s and say so; whoever waits less long never learns to ask for less.
_READ_SECONDS = 75.0
# Error codes that say the request is wrong or not allowed; any other error may pass.
_FINAL_CODES = frozenset(
    {
        "BAD_REQUEST",
        "BAD_USER_INPUT",
        "COMPLEXITY_LIMIT_EXCEEDED",
        "FORBIDDEN",
        "GRAPHQL_PARSE_FAILED",
        "GRAPHQL_VALIDATION_FAILED",
        "NOT_FOUND",
        "UNAUTHORIZED",
    }
)
# Errors without a code that do not pass begin so.
_FINAL_WORDS = ("unauthorized", "failed parsing")
# Says, with one code or another, that the same question takes too long the next time, too.
TOO_LONG = "maximum execution time"


class _Extensions(msgspec.Struct, frozen=True):
    code: str | None = None


class GraphQLError(msgspec.Struct, frozen=True):
    """An error of an answer.

    Attributes:
        message: the service's words, not yet safe to show.
        path: the field it left null, from the top: names, and positions in lists; None where it is about the whole.
    """

    message: str
    path: Sequence[str | int] | None = None
    extensions: _Extensions | None = None

    @property
    def code(self) -> str | None:
        """The service's code for it; None where it has none."""
        return self.extensions.code if self.extensions else None

    @property
    def is_final(self) -> bool:
        """Whether asking again would not help."""
        if TOO_LONG in self.message:
            return True
        if self.code is not None:
            return self.code in _FINAL_CODES
        return self.message.startswith(_FINAL_WORDS)


class Reply(msgspec.Struct, frozen=True):
    """An answer whose errors, if any, are final."""

    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: Sequence[GraphQLError] | None = None

    def read(self, kind: type[T]) -> T:
        """The data as `kind`.

        Raises:
            UnusableResponseError: it is not of that shape.
        """
        return decoded(bytes(self.data), kind)


def query_request(
    service: Service,
    base: str,
    query: str,
    *,
    about: str,
    variables: Mapping[str, object] | None = None,
    bearer: Secret | None = None,
) -> Request:
    """A query as a request.

    Args:
        service: whom it goes to.
        base: the service's address, to which `/query` is added.
        query: the text of the query.
        about: what is asked for, as a message names it.
        variables: the values of the query's variables.
        bearer: the token, where one is needed.
    """
    body = {"query": query, "variables": variables} if variables else {"query": query}
    return Request(
        service=service,
        about=about,
        method="POST",
        url=f"{base}/query",
        bearer=bearer,
        content=msgspec.json.encode(body),
        content_type="application/json",
        read_seconds=_READ_SECONDS,
    )


def read_reply(response: Response) -> Reply:
    """An answer, where its errors are final.

    Raises:
        UnusableResponseError: it is no GraphQL answer, or tells of an error that may pass.
    """
    reply = decoded(response.body, Reply)
    passing = next((error for error in reply.errors or () if not error.is_final), None)
    if passing is not None:
        raise UnusableResponseError(passing.message)
    return reply
