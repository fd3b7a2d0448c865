"""Request headers that mean the same on every route: who the peer is, its key, its moment of pressing."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

from server.errors import Problem
from server.ids import is_idempotency_key

_Network = IPv4Network | IPv6Network
CUSTOMER_BITS: Final = 64


class Press(NamedTuple):
    """``Vendue-Press``.

    The page's wall clock when the command was pressed, and the publication it belongs to.
    """

    wall_ms: float
    publication: str


class Peers:
    """Tells a request's real address: ``X-Forwarded-For`` counts only where a trusted proxy wrote it."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        self._trusted: tuple[_Network, ...] = tuple(
            ip_network(proxy, strict=False) for proxy in trusted_proxies
        )

    def address(self, client: tuple[str, int] | None, forwarded: str | None) -> str:
        """Return what limits count the peer under: the nearest address that is not a trusted proxy.

        Of an IPv6 address its /64, which is one customer's (RFC 6177) to choose addresses in; '' when the
        peer has none (a unix socket).
        """
        address = client[0] if client else ""
        if not self._trusted or not forwarded:
            return _counted(address)
        for hop in reversed(forwarded.split(",")):
            if not self._is_trusted(address):
                break
            candidate = _plain(hop)
            if candidate is None:
                break
            address = candidate
        return _counted(address)

    def _is_trusted(self, address: str) -> bool:
        parsed = _parse(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def is_loopback(address: str) -> bool:
    """Tell whether ``address`` is this machine's own."""
    parsed = _parse(address)
    return parsed is not None and parsed.is_loopback


@lru_cache(maxsize=4096)
def _counted(address: str) -> str:
    parsed = _parse(address)
    if not isinstance(parsed, IPv6Address) or parsed.is_loopback:
        return str(parsed or address)
    return str(IPv6Network((int(parsed), CUSTOMER_BITS), strict=False))


def _plain(hop: str) -> str | None:
    parsed = _parse(hop.strip().strip("[]"))
    return None if parsed is None else str(parsed)


def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return mapped or parsed


def idempotency_key(value: str | None, *, required: bool) -> str:
    """Return the ``Idempotency-Key``, '' when there is none.

    Raises Problem when it is missing or malformed.
    """
    if not value:
        if required:
            raise Problem("idempotency_key_required")
        return ""
    if not is_idempotency_key(value):
        raise Problem(
            "bad_request", "Idempotency-Key: 1-255 visible ASCII characters", {"field": "Idempotency-Key"}
        )
    return value


def parse_press(value: str | None) -> Press | None:
    """Read ``Vendue-Press: <wall_ms>;<publication>``; anything else is as if it were not there."""
    if not value or len(value) > 200:
        return None
    wall, separator, publication = value.partition(";")
    try:
        wall_ms = float(wall)
    except ValueError:
        return None
    if not separator or not publication.strip() or not 0 < wall_ms < 2**53:
        return None
    return Press(wall_ms, publication.strip())
