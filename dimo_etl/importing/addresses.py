"""Which addresses a link may lead to: those of the public internet, and none of this machine or its networks.

A link comes by mail, so it is not trusted: it must not make this machine read what only it can reach, such as a
router, a database or a cloud's metadata service.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], list[Address]]
# RFC 4291: the global unicast addresses; whatever else there is in IPv6 is local, multicast, reserved or a wrapping.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# RFC 6052: the well-known prefix under which a network reaches IPv4.
_NAT64 = IPv6Network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[Address]:
    """Every address of a host, each once, in the order the system would try them.

    Raises:
        OSError: the name is not known.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except UnicodeError as error:
        raise OSError("the name is not one that DNS can hold") from error
    return list(dict.fromkeys(ip_address(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found))


def is_public(address: Address) -> bool:
    """Whether an address is on the public internet, and so is each IPv4 address that it wraps."""
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not address.is_reserved
    wrapped = list(_wrapped(address))
    if not all(is_public(inner) for inner in wrapped):
        return False
    is_translated = address.ipv4_mapped is not None or address in _NAT64
    return is_translated or (address in _GLOBAL_UNICAST and (bool(wrapped) or address.is_global))


def _wrapped(address: IPv6Address) -> Iterator[IPv4Address]:
    """The IPv4 addresses that packets to an IPv6 address may end up at."""
    if address.ipv4_mapped is not None:
        yield address.ipv4_mapped
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if address in _NAT64:
        yield IPv4Address(int(address) & 0xFFFF_FFFF)
