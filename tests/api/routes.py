"""What stands around the routes under test: developer tokens, the token exchange, and a route with answers lined up."""

from __future__ import annotations

from dimo_etl.config import Secret
from tests.api.server import Received, Reply, Server, ok


class Developer:
    """Developer tokens: dev0, and a next one for each that was refused."""

    def __init__(self) -> None:
        self.renewals = 0

    def current(self) -> Secret:
        return Secret(f"dev{self.renewals}")

    def renew(self, refused: Secret) -> Secret:
        assert refused.reveal() == f"dev{self.renewals}"
        self.renewals += 1
        return self.current()


class Routes:
    """The exchange, which numbers its tokens, and every other route, which answers what was lined up.

    Attributes:
        answers: what comes next; the last one stays.
        asked: the requests to the routes.
        exchanged: the requests to the exchange.
    """

    def __init__(self, server: Server) -> None:
        self.answers: list[Reply] = []
        self.asked: list[Received] = []
        self.exchanged: list[Received] = []
        server.answer = self

    def __call__(self, request: Received) -> Reply:
        if request.path == "/v1/tokens/exchange":
            self.exchanged.append(request)
            return ok({"token": f"vehicle{len(self.exchanged)}"})
        self.asked.append(request)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
