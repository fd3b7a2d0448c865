"""The fan-out in Python: the fallback where no compiler was, and the oracle for the C kernel's tests.

What makes it fast: a frame is laid out once per tag length, not per viewer; for each viewer it is copied
into one buffer with one call, ten header bytes of each packet are patched, libsrtp encrypts in place, and
the kernel cuts the run of equal sizes into datagrams (UDP_SEGMENT), so that a viewer costs one system
call a frame.
"""

import errno
import socket
import sys
from struct import Struct
from typing import Any, NamedTuple

from pylibsrtp import Error, Session

from media.kernel import MAX_ACKED, MAX_BURST_PACKETS, MAX_PACKET_BYTES, Acked, Address, Sent, Target
from media.kernel.history import History
from media.kernel.srtp import (
    RTCP_TRAILER_BYTES,
    Protector,
    receiving_session,
    resend_window,
    sending_session,
    tag_bytes,
)
from media.rtp.rtcp import transport_feedback

_UDP_SEGMENT = 103  # linux/udp.h
_MAX_DATAGRAM_BYTES = 65_000  # the kernel refuses a message above 65,507 before it is cut
_PATCH = Struct("!BHII")
RTP_BYTES = 12
EXTENSION_BYTES = 8
MAX_RTCP_BYTES = 1_500
_U16 = Struct("=H")
_NUMBER = Struct("!H")
_NUMBER_AT = 17  # in an RTP packet with one transport-wide number behind its header
_NO_GSO = frozenset({errno.EIO, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOPROTOOPT})


class _Slot:
    """One peer's sending state."""

    __slots__ = ("address", "context", "extension", "history", "inbound", "session", "tag")

    def __init__(
        self, session: Session, tag: int, address: Address, extension: int, inbound: Session | None
    ) -> None:
        self.session = session  # owns `context`
        self.context = Protector.context_of(session)
        self.tag = tag
        self.address = address
        self.extension = extension
        self.history = History() if extension else None
        self.inbound = inbound


class _Patch(NamedTuple):
    """One packet of a layout: where it lies and the header fields that do not depend on the viewer."""

    offset: int
    pointer: object
    size: int
    marker: int
    sequence: int
    timestamp: int


class _Run(NamedTuple):
    """Neighbouring packets that one message can carry: equal sizes, only the last may be smaller."""

    start: int
    end: int
    ancillary: list[tuple[int, int, bytes]]
    packets: int


class _Layout(NamedTuple):
    """A frame as it lies in the buffer for viewers with the same tag length and extension."""

    template: bytes
    patches: list[_Patch]
    runs: list[_Run]


class PureFanout:
    """`media.kernel.Fanout` over a non-blocking UDP socket that the caller owns."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._slots: dict[int, _Slot] = {}
        self._next_slot = 1
        self._acked: list[tuple[int, Acked]] = []
        self._protector = Protector()
        self.gso = sys.platform == "linux" and has_gso(sock)

    def add_slot(
        self,
        profile: int,
        key_and_salt: bytes,
        address: Address,
        transport_cc: int = 0,
        receive_key: bytes = b"",
    ) -> int:
        """See `Fanout.add_slot`."""
        session = sending_session(profile, key_and_salt, resend_window(transport_cc))
        inbound = receiving_session(profile, receive_key) if receive_key else None
        number = self._next_slot
        self._next_slot += 1
        self._slots[number] = _Slot(session, tag_bytes(profile), address, transport_cc, inbound)
        return number

    def set_address(self, slot: int, address: Address) -> None:
        """See `Fanout.set_address`."""
        if (found := self._slots.get(slot)) is not None:
            found.address = address

    def remove_slot(self, slot: int) -> None:
        """See `Fanout.remove_slot`."""
        self._slots.pop(slot, None)

    def send(self, packets: list[bytes], targets: list[Target], now_us: int) -> Sent:
        """See `Fanout.send`."""
        layouts: dict[tuple[int, int], _Layout] = {}
        sent = octets = dropped = 0
        view = self._protector.view
        length = self._protector.length
        protect = self._protector.protect
        patch_into = _PATCH.pack_into
        for number, ssrc, payload_type, seq_offset in targets:
            slot = self._slots.get(number)
            if slot is None:
                continue
            shape = (slot.tag, slot.extension)
            layout = layouts.get(shape)
            if layout is None:
                layout = layouts[shape] = self._lay_out(packets, *shape)
            template, patches, runs = layout
            view[: len(template)] = template
            context, history = slot.context, slot.history
            failed = 0
            for offset, pointer, size, marker, sequence, timestamp in patches:
                patch_into(
                    view, offset, marker | payload_type, (sequence + seq_offset) & 0xFFFF, timestamp, ssrc
                )
                if history is not None:
                    numbered = history.note(size - EXTENSION_BYTES, now_us)
                    _NUMBER.pack_into(view, offset + _NUMBER_AT - 1, numbered)
                length[0] = size
                failed |= protect(context, pointer, length)
            if failed:  # a hole would break the run: let the viewer's NACK bring all of it
                dropped += len(patches)
                continue
            for run in runs:
                if self._send_run(run, slot.address):
                    sent += run.packets
                    octets += run.end - run.start
                else:
                    dropped += run.packets
        return Sent(sent, octets, dropped)

    def send_to(self, slot: int, packets: list[bytes], now_us: int) -> Sent:
        """See `Fanout.send_to`."""
        found = self._slots.get(slot)
        if found is None:
            return Sent(0, 0, 0)
        sent = octets = 0
        for packet in packets:
            if found.history is not None and takes_extension(packet):
                number = found.history.note(len(packet), now_us)
                packet = extended(packet, found.extension, number)  # noqa: PLW2901
            size = self._protect_one(found, packet, self._protector.protect)
            if size and self._send_bytes(size, found.address):
                sent += 1
                octets += size
        return Sent(sent, octets, len(packets) - sent)

    def send_rtcp(self, slot: int, packet: bytes) -> Sent:
        """See `Fanout.send_rtcp`."""
        found = self._slots.get(slot)
        if found is None:
            return Sent(0, 0, 0)
        size = self._protect_one(found, packet, self._protector.protect_rtcp)
        if size and self._send_bytes(size, found.address):
            return Sent(1, size, 0)
        return Sent(0, 0, 1)

    def open_rtcp(self, slot: int, datagram: bytes, now_us: int) -> bytes | None:
        """See `Fanout.open_rtcp`."""
        found = self._slots.get(slot)
        if found is None or found.inbound is None:
            return None
        if len(datagram) > MAX_RTCP_BYTES:
            raise Error("too long")
        compound = found.inbound.unprotect_rtcp(datagram)
        messages, others = transport_feedback(compound)
        if found.history is not None:
            for fci in messages:
                told = found.history.acknowledge(fci, now_us)
                if len(self._acked) + len(told) <= MAX_ACKED:
                    self._acked += [(slot, acked) for acked in told]
        return compound if others else None

    def acknowledged(self) -> list[tuple[int, Acked]]:
        """See `Fanout.acknowledged`."""
        acked, self._acked = self._acked, []
        return acked

    def _protect_one(self, slot: _Slot, packet: bytes, protect: Any) -> int:
        """Encrypted size at the start of the buffer, 0 when libsrtp refused (a repeat out of its window)."""
        if len(packet) > MAX_PACKET_BYTES + EXTENSION_BYTES + RTCP_TRAILER_BYTES:
            return 0
        protector = self._protector
        protector.view[: len(packet)] = packet
        protector.length[0] = len(packet)
        if protect(slot.context, protector.pointer_at(0), protector.length):
            return 0
        return protector.length[0]

    def _lay_out(self, packets: list[bytes], tag: int, extension: int) -> _Layout:
        if len(packets) > MAX_BURST_PACKETS:
            raise ValueError("a burst has at most MAX_BURST_PACKETS packets")
        gap = bytes(tag)
        if extension:
            packets = [extended(packet, extension, 0) for packet in packets]
        patches: list[_Patch] = []
        offset = 0
        for packet in packets:
            _, second, sequence, timestamp = _FIELDS.unpack_from(packet)
            patches.append(
                _Patch(
                    offset + 1,
                    self._protector.pointer_at(offset),
                    len(packet),
                    second & 0x80,
                    sequence,
                    timestamp,
                )
            )
            offset += len(packet) + tag
        sizes = [len(packet) + tag for packet in packets]
        return _Layout(gap.join(packets) + gap, patches, group_runs(sizes, gso=self.gso))

    def _send_run(self, run: _Run, address: Address) -> bool:
        try:
            self._socket.sendmsg([self._protector.view[run.start : run.end]], run.ancillary, 0, address)
        except OSError as error:
            if run.packets > 1 and error.errno in _NO_GSO:
                self.gso = False  # the device or the kernel cannot cut; remember it
                return self._send_cut(run, address)
            return False
        return True

    def _send_cut(self, run: _Run, address: Address) -> bool:
        """The run one datagram at a time, for the message that taught us that there is no GSO."""
        (segment,) = _U16.unpack(run.ancillary[0][2])
        whole = True
        for start in range(run.start, run.end, segment):
            whole &= self._send_slice(start, min(start + segment, run.end), address)
        return whole

    def _send_bytes(self, size: int, address: Address) -> bool:
        return self._send_slice(0, size, address)

    def _send_slice(self, start: int, end: int, address: Address) -> bool:
        try:
            self._socket.sendto(self._protector.view[start:end], address)
        except OSError:
            return False
        return True


_FIELDS = Struct("!BBHI")


def takes_extension(packet: bytes) -> bool:
    """Whether an extension can be put behind the header: it has none yet, and no CSRC."""
    return len(packet) >= RTP_BYTES and packet[0] & 0xDF == 0x80


def extended(packet: bytes, extension: int, number: int) -> bytes:
    """The packet with a transport-wide number behind its header (RFC 8285 §4.2)."""
    head = bytes((packet[0] | 0x10,)) + packet[1:RTP_BYTES]
    block = b"\xbe\xde\0\1" + bytes((extension << 4 | 1,)) + _NUMBER.pack(number) + b"\0"
    return head + block + packet[RTP_BYTES:]


def group_runs(sizes: list[int], *, gso: bool) -> list[_Run]:
    """Cut a frame's protected sizes into runs of equal ones with only the last smaller; without GSO every
    packet is its own run.
    """
    runs: list[_Run] = []
    index = start = 0
    while index < len(sizes):
        segment = sizes[index]
        end = start + segment
        count = 1
        while gso and index + count < len(sizes):
            size = sizes[index + count]
            if size > segment or end + size - start > _MAX_DATAGRAM_BYTES:
                break
            count += 1
            end += size
            if size < segment:
                break
        ancillary = [(socket.SOL_UDP, _UDP_SEGMENT, _U16.pack(segment))] if count > 1 else []
        runs.append(_Run(start, end, ancillary, count))
        index += count
        start = end
    return runs


def has_gso(sock: socket.socket) -> bool:
    """Whether the system knows UDP_SEGMENT (Linux 4.18); setting 0 leaves the socket as it was."""
    try:
        sock.setsockopt(socket.SOL_UDP, _UDP_SEGMENT, 0)
    except OSError:
        return False
    return True
