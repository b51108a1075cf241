"""The way the REST services refuse: a status and a sentence, which the caller gets as JSON."""

from __future__ import annotations

from starlette.responses import JSONResponse


class RefusedError(Exception):
    """A request that is answered with an error status."""

    def __init__(self, status: int, message: str, *, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self._headers = None if retry_after is None else {"Retry-After": retry_after}

    def response(self) -> JSONResponse:
        """The refusal as the services write it."""
        return JSONResponse({"code": self.status, "message": self.message}, self.status, self._headers)
