"""Where a webhook may go: names are resolved here, once, and only public addresses are connected to.

Else whoever may name an endpoint could make this server speak to what only it can reach (SSRF): the store,
a cloud's metadata. The connection goes to the address that was checked, so a name cannot change in between.
"""

import asyncio
import socket
from ipaddress import IPv6Network, ip_address
from typing import Final

RESOLVE_S: Final = 5.0
_NAT64: Final = IPv6Network("64:ff9b::/96")  # RFC 6052: an IPv4 address in disguise


class AddressError(Exception):
    """There is no such host, or none that one may speak to."""


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public internet."""
    ip = ip_address(address)
    if ip.version == 6:
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if ip in _NAT64:
            return False
    return ip.is_global and not ip.is_multicast


async def resolve(host: str, port: int, *, allow_private: bool) -> str:
    """An address of `host` to connect to. Raises AddressError, also when one of its addresses is private."""
    loop = asyncio.get_running_loop()
    try:
        found = await asyncio.wait_for(loop.getaddrinfo(host, port, type=socket.SOCK_STREAM), RESOLVE_S)
    except (OSError, TimeoutError, UnicodeError):
        raise AddressError("no such host") from None
    addresses = [str(row[4][0]).partition("%")[0] for row in found]
    if not allow_private and not all(is_public(address) for address in addresses):
        raise AddressError("a private address")
    return addresses[0]
