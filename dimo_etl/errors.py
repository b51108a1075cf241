"""Every error a user can meet, in one hierarchy; each message is one sentence that says what to do."""


class DimoError(Exception):
    """Something a user can cause or must know; the message is all that is shown."""


class ConfigError(DimoError):
    """A setting is missing or unusable."""


class InputError(DimoError):
    """An argument or a file that was given cannot be used."""


class AuthError(DimoError):
    """The credentials were refused; trying again will not help."""


class VehicleRefusedError(DimoError):
    """The service knows no such vehicle, or does not share its history with this licence."""


class NotSharedError(VehicleRefusedError):
    """The vehicle's owner has not granted this licence a privilege that is needed."""


class NothingSharedError(NotSharedError):
    """The vehicle grants this licence no privilege of use."""


class RequestRefusedError(DimoError):
    """The service answered that the request itself is wrong (4xx); trying again will not help."""


class ServiceError(DimoError):
    """A service could not be reached or did not answer properly after every retry.

    Attributes:
        requests: the requests it took to learn that.
    """

    def __init__(self, message: str, requests: int = 0) -> None:
        super().__init__(message)
        self.requests = requests


class TooMuchAskedError(ServiceError):
    """A service does not answer for so much at once; it may for less."""


class ServiceDownError(DimoError):
    """A service failed so often in a row that asking on would only harm; nothing more is asked of it."""


class WarehouseError(DimoError):
    """The warehouse cannot be read or written."""


class QueryError(DimoError):
    """A query is not valid SQL over the views, or tries to write."""
