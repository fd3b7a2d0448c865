"""One peer's transport: where it is, its DTLS handshake and the keys for what it sends.

A peer is CHECKING until a STUN check has proved an address, then its DTLS runs; CONNECTED means keys on both
sides. What it is (publisher or viewer) is not known here, and what is sent to it goes through the fan-out.
"""

from dataclasses import dataclass, field

from pylibsrtp import Session

from media.kernel import Address
from media.kernel.srtp import receiving_session
from media.transport.dtls import DtlsEndpoint, SrtpKeys
from media.transport.ice import IceSession

MAX_ADDRESSES = 8
"""Proved addresses kept for a peer. A browser with two interfaces and two families checks from four."""

CONSENT_TIMEOUT_S = 30.0
"""Without an authenticated check for this long the peer is gone (RFC 7675 §5.1)."""


@dataclass(eq=False, slots=True)
class Peer:
    """State of one transport; `media.transport.mux` is the only writer."""

    key: int
    ice: IceSession
    dtls: DtlsEndpoint
    checked_at: float
    """Monotonic seconds of the last authenticated check; at first, of the creation."""
    created_at: float
    addresses: list[Address] = field(default_factory=list[Address])
    """Proved ones, least recently proved first."""
    address: Address | None = None
    """Where we send: the nominated one, before that the first that was proved."""
    inbound: Session | None = None
    slot: int | None = None
    """The fan-out's number for it once CONNECTED; set by the owner."""
    closed: bool = False

    def prove(self, address: Address, *, moves: bool, now: float) -> list[Address]:
        """A check from `address` was authenticated; `moves`: media goes there. Returns what is given up."""
        self.checked_at = now
        if not self.addresses or self.addresses[-1] != address:
            if address in self.addresses:
                self.addresses.remove(address)
            self.addresses.append(address)
        if moves or self.address is None:
            self.address = address
        dropped: list[Address] = []
        while len(self.addresses) > MAX_ADDRESSES:
            oldest = next(one for one in self.addresses if one != self.address)
            self.addresses.remove(oldest)
            dropped.append(oldest)
        return dropped

    def expired(self, now: float) -> bool:
        """Whether consent has run out, or the peer never finished its handshake in the same time."""
        if now - self.checked_at > CONSENT_TIMEOUT_S:
            return True
        return self.inbound is None and now - self.created_at > CONSENT_TIMEOUT_S

    def open_inbound(self, keys: SrtpKeys) -> None:
        """Start to take SRTP with the peer's key. Its SRTCP is opened by the fan-out."""
        self.inbound = receiving_session(keys.profile.libsrtp_profile, keys.receive)
