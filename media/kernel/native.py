"""The fan-out in C (`table.c` is its Python side): the interface and the bytes of `media.kernel.pure`.

An optional extension: this module cannot be imported where no compiler was at hand at installation.
"""

import socket
import struct
from typing import Any

from pylibsrtp import Error, Session

from media.kernel import Acked, Address, Sent
from media.kernel._native import Table
from media.kernel.pure import has_gso
from media.kernel.srtp import (
    context_address,
    function_address,
    receiving_session,
    resend_window,
    sending_session,
    tag_bytes,
)


class NativeFanout(Table):
    """`media.kernel.Fanout` over a non-blocking UDP socket that the caller owns."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(
            fd=sock.fileno(),
            gso=has_gso(sock),
            protect=function_address("srtp_protect"),
            protect_rtcp=function_address("srtp_protect_rtcp"),
            unprotect_rtcp=function_address("srtp_unprotect_rtcp"),
            sent_type=Sent,
            acked_type=Acked,
            refused_type=Error,
        )
        self._socket = sock  # the table knows its descriptor only
        self._sessions: dict[int, tuple[Session, Session | None]] = {}  # own what the table points to

    def add_slot(
        self,
        profile: int,
        key_and_salt: bytes,
        address: Address,
        transport_cc: int = 0,
        receive_key: bytes = b"",
    ) -> int:
        """See `Fanout.add_slot`. Raises OverflowError when 65,536 peers are connected."""
        session = sending_session(profile, key_and_salt, resend_window(transport_cc))
        inbound = receiving_session(profile, receive_key) if receive_key else None
        taking = 0 if inbound is None else context_address(inbound)
        slot = self.add(context_address(session), taking, tag_bytes(profile), sockaddr(address), transport_cc)
        self._sessions[slot] = session, inbound
        return slot

    def set_address(self, slot: int, address: Address) -> None:
        """See `Fanout.set_address`."""
        self.move(slot, sockaddr(address))

    def remove_slot(self, slot: int) -> None:
        """See `Fanout.remove_slot`."""
        self.remove(slot)
        self._sessions.pop(slot, None)


def sockaddr(address: Address) -> bytes:
    """The address as Linux's sockaddr_in (ip(7)) or sockaddr_in6 (ipv6(7))."""
    rest: Any = address[2:]
    if not rest:
        return struct.pack("=H", socket.AF_INET) + struct.pack(
            "!H4s8x", address[1], socket.inet_aton(address[0])
        )
    flow, scope = rest
    host = socket.inet_pton(socket.AF_INET6, address[0].partition("%")[0])
    return (
        struct.pack("=H", socket.AF_INET6)
        + struct.pack("!HI16s", address[1], flow, host)
        + struct.pack("=I", scope)
    )
