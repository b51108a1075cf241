"""The response cache of the Device Data API: whatever answered 200 answers again for two minutes.

Rules: gofiber's cache middleware (v2.52.5) as the service sets it up. The key is the address as written, so the
order of parameters counts, and the `Authorization` header. `refresh=true` neither reads nor writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from starlette.requests import Request
from starlette.responses import Response

LIFETIME_S = 120
# Answers of a megabyte are common; the sandbox keeps this many.
_ENTRIES = 200


class ResponseCache:
    """Remembers answers."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Start empty.

        Args:
            clock: seconds, from any point in time.
        """
        self._clock = clock
        self._answers: dict[tuple[str, str], tuple[float, bytes, str]] = {}
        self._lock = Lock()

    def around(self, request: Request, answer: Callable[[], Response]) -> Response:
        """The cached answer to a request, or a new one, with `X-Cache` saying which.

        Args:
            request: what is asked.
            answer: makes a new answer; a refusal it raises passes through, for errors are not cached.
        """
        directives = request.headers.get("cache-control", "").lower()
        if "no-store" in directives:
            return answer()
        key = (str(request.url), request.headers.get("authorization", ""))
        held = None if "no-cache" in directives else self._read(key)
        if held is not None:
            left_s, content, content_type = held
            headers = {"X-Cache": "hit", "Cache-Control": f"public, max-age={int(left_s)}"}
            return Response(content, headers=headers | {"Content-Type": content_type})
        response = answer()
        if request.query_params.get("refresh") == "true":
            response.headers["X-Cache"] = "unreachable"
            return response
        self._write(key, bytes(response.body), response.headers["content-type"])
        response.headers["X-Cache"] = "miss"
        return response

    def _read(self, key: tuple[str, str]) -> tuple[float, bytes, str] | None:
        with self._lock:
            if key not in self._answers:
                return None
            until, content, content_type = self._answers[key]
            left_s = until - self._clock()
            return (left_s, content, content_type) if left_s > 0 else None

    def _write(self, key: tuple[str, str], content: bytes, content_type: str) -> None:
        with self._lock:
            self._answers.pop(key, None)
            self._answers[key] = (self._clock() + LIFETIME_S, content, content_type)
            while len(self._answers) > _ENTRIES:
                del self._answers[next(iter(self._answers))]
