"""The fan-out interface: the one door through which media leaves the process.

A frame of a track is prepared once (header extensions removed, timestamp on the outgoing timeline) and
then patched, encrypted and sent once per viewer. `media.kernel.pure` does it in Python; a C extension
can take its place behind `Fanout` without a change elsewhere. This module holds types only: it opens
no socket and touches no key.
"""

from typing import NamedTuple, Protocol

Address = tuple[str, int] | tuple[str, int, int, int]
"""A socket address as the `socket` module writes it for the family of the worker's UDP socket."""

MAX_BURST_PACKETS = 64
"""Linux takes at most 64 segments in one UDP_SEGMENT message (UDP_MAX_SEGMENTS before 6.9, 128 since)."""

MAX_PACKET_BYTES = 1428
"""Longest plain RTP packet that is sent: with a transport-wide number (8 bytes), the SRTP tag (16), UDP (8)
and IPv6 (40) it fits a 1,500-byte link.
"""

HISTORY_PACKETS = 1_024
"""Packets of a viewer that its feedback may speak about: two seconds at 500 a second."""

MAX_ACKED = 1_024
"""Digests of feedback that wait to be asked for: four a datagram of a batch, and more."""


class Target(NamedTuple):
    """One viewer of one layer: what differs between its copy of a packet and everybody else's.

    The copy has `ssrc`, `payload_type` and sequence number `(prepared + seq_offset) mod 2^16`;
    timestamp, marker and payload are the prepared packet's own. A target changes only when its viewer
    joins, leaves or changes layer.
    """

    slot: int
    ssrc: int
    payload_type: int
    seq_offset: int


class Sent(NamedTuple):
    """What a call really handed to the system; `dropped` packets met a full socket buffer or a dead
    address.
    """

    packets: int
    octets: int
    dropped: int


class Acked(NamedTuple):
    """What transport-wide feedback says that was not known before.

    A packet that was reported as lost and comes after all is taken off `lost`, which may be below 0.
    `octets` are those of the packets received (as prepared). `queue_us` is the least time that one of them
    took above the least of the last 10 to 20 s: the queue that stood before it, as the two clocks'
    difference is unknown and the quickest stands for an empty path. `arrived_us` is the last arrival on the
    viewer's clock. Both are 0 when none was received. `unknown` packets were never sent or are forgotten.
    """

    received: int
    lost: int
    octets: int
    unknown: int
    queue_us: int
    arrived_us: int


class Fanout(Protocol):
    """A table of slots (one per connected peer: SRTP sending state and address) and the calls that
    send to them.

    All calls are made from one thread, and every packet of a slot goes through them: its SRTP state
    belongs to the fan-out (libsrtp is not thread-safe, and two owners could use one nonce twice). An
    unknown slot is skipped, since a burst may have been prepared before its viewer left. Nothing here
    blocks: what the socket does not take at once is dropped and counted, and the viewer's NACK brings
    it back.
    """

    def add_slot(
        self,
        profile: int,
        key_and_salt: bytes,
        address: Address,
        transport_cc: int = 0,
        receive_key: bytes = b"",
    ) -> int:
        """Register a peer whose DTLS handshake is done, with what it is to be sent under: `profile` is
        pylibsrtp's `Policy.SRTP_PROFILE_*`, the key our writing key from the exporter (RFC 5764 §4.2).
        `receive_key`, its writing key, opens its RTCP (`open_rtcp`); without one it is not listened to.

        With `transport_cc`, the id of the header extension (1 to 14), every RTP packet gets a transport-wide
        number, retransmissions too, and `acknowledged` tells what became of them.

        Returns the slot's number, which is never used again in this process: the `PeerId` of
        `media.router`. Raises ValueError when the key does not fit the profile.
        """
        ...

    def set_address(self, slot: int, address: Address) -> None:
        """Send to another address from now on (ICE chose another pair). An unknown slot is ignored."""
        ...

    def remove_slot(self, slot: int) -> None:
        """Forget the peer and its SRTP state. An unknown slot is ignored."""
        ...

    def send(self, packets: list[bytes], targets: list[Target], now_us: int) -> Sent:
        """Send a frame (1 to `MAX_BURST_PACKETS` prepared RTP packets) to every target.

        `now_us` is monotonic. A prepared packet has a 12-byte header (no CSRC, no extension).
        """
        ...

    def send_to(self, slot: int, packets: list[bytes], now_us: int) -> Sent:
        """Protect and send complete RTP packets (retransmissions, a paced replay) to one peer, in order."""
        ...

    def send_rtcp(self, slot: int, packet: bytes) -> Sent:
        """Protect and send one compound RTCP packet to one peer."""
        ...

    def open_rtcp(self, slot: int, datagram: bytes, now_us: int) -> bytes | None:
        """Decrypt an SRTCP datagram of a peer. Transport-wide feedback in it (draft-holmer-rmcat-transport-
        wide-cc-extensions-01 §3.1) is taken in here; what is malformed changes nothing.

        Returns the plain compound for the router, None when there was only such feedback, or no such slot.
        Raises pylibsrtp's Error for what is not authentic, replayed or too long.
        """
        ...

    def acknowledged(self) -> list[tuple[int, Acked]]:
        """What feedback has told about the packets of which slots since the last call, in order: news at
        once, that all is well four times a second, at most 100 times a second and peer. Of more than
        `MAX_ACKED` the rest is dropped: a caller asks after every batch of datagrams.
        """
        ...
