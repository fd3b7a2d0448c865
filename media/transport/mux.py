"""The UDP port of a media worker: one socket for all peers (RFC 7983 demultiplexing) behind one gate.

STUN finds its peer by user name fragment and proves it by MESSAGE-INTEGRITY; only then does the source
address lead anywhere. Datagrams from other addresses are counted and forgotten: they allocate nothing that
stays. What a peer does, however broken, ends that peer at most, never the port.
"""

import asyncio
import socket
from collections import Counter, deque
from collections.abc import Sequence
from itertools import count
from time import monotonic
from typing import Protocol

from pylibsrtp import Error as SrtpError

from media.errors import ParseError
from media.kernel import Address
from media.transport.dtls import DtlsContext, DtlsEndpoint, Fingerprint, Role, State
from media.transport.guard import Guard
from media.transport.ice import IceAgent
from media.transport.peer import Peer

BATCH_DATAGRAMS = 128
"""Read in one go before timers and other sockets get their turn: at 3 µs each, under half a millisecond."""

HANDSHAKES_A_TURN = 4
"""DTLS datagrams worked on in one turn of the loop: each may cost 0.2 ms of public-key cryptography."""

MAX_HANDSHAKE_QUEUE = 1024
"""Waiting DTLS datagrams; beyond it new ones are dropped and their senders' timers repeat them."""

TICK_S = 0.1
"""How often handshake timers are looked at; the shortest of OpenSSL's is one second."""

TICKS_PER_SWEEP = 10
"""Consent is counted in tens of seconds: looking at every peer once a second is enough."""

_MAX_DATAGRAM = 1500
_RECEIVE_BYTES = 2048


class MuxOwner(Protocol):
    """What the mux tells its owner; all calls come from the event loop, and only `on_srtcp` may raise."""

    def on_connected(self, peer: Peer) -> None:
        """The handshake is done; `peer.dtls.keys` are there."""

    def on_moved(self, peer: Peer) -> None:
        """ICE nominated another address for a connected peer."""

    def on_closed(self, peer: Peer, why: str) -> None:
        """The peer left, failed or fell silent. The mux has already forgotten it."""

    def on_rtp(self, peer: Peer, packet: bytes, now: float) -> None:
        """An authenticated, decrypted RTP packet."""

    def on_srtcp(self, peer: Peer, datagram: bytes, now: float) -> None:
        """An encrypted compound RTCP packet of a connected peer. Raises pylibsrtp's Error for a bad one."""

    def on_batch_end(self) -> None:
        """Everything that was waiting on the socket has been delivered."""


class Mux:
    """All peers of one UDP socket. `owner` must be set before `start`."""

    def __init__(self, sock: socket.socket, context: DtlsContext, owner: MuxOwner) -> None:
        self.counters: Counter[str] = Counter()
        self.peers: dict[int, Peer] = {}
        self.guard = Guard(self.counters)
        self._sock = sock
        self._context = context
        self._owner = owner
        self._agent = IceAgent()
        self._by_address: dict[Address, Peer] = {}
        self._handshakes: deque[tuple[Peer, bytes]] = deque()
        self._handshake_budget = HANDSHAKES_A_TURN
        self._turn_scheduled = False
        self._connecting: dict[int, Peer] = {}
        self._ticks = 0
        self._keys = count(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ticker: asyncio.TimerHandle | None = None

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read from the socket until `stop`."""
        self._loop = loop
        loop.add_reader(self._sock.fileno(), self._readable)
        self._ticker = loop.call_later(TICK_S, self._tick)

    def stop(self) -> None:
        """Stop reading and say goodbye to everybody. The socket is left to its owner."""
        if self._loop is None:
            return
        self._loop.remove_reader(self._sock.fileno())
        if self._ticker is not None:
            self._ticker.cancel()
        for peer in list(self.peers.values()):
            self.remove(peer)
        self._loop = None

    def add(self, role: Role, fingerprints: Sequence[Fingerprint]) -> Peer:
        """Expect a peer; its ICE credentials are in `peer.ice`."""
        key, now = next(self._keys), monotonic()
        dtls = DtlsEndpoint(self._context, role, fingerprints)
        peer = Peer(key=key, ice=self._agent.add(key), dtls=dtls, checked_at=now, created_at=now)
        self.peers[key] = self._connecting[key] = peer
        return peer

    def restart_ice(self, peer: Peer) -> None:
        """Give the peer new ICE credentials, and leave it the old ones for a while (`IceSession`)."""
        self._agent.restart(peer.ice)

    def remove(self, peer: Peer) -> None:
        """Forget a peer after telling it so (close_notify). `on_closed` is not called for it."""
        if peer.closed:
            return
        self._send_all(peer, peer.dtls.close())
        peer.closed = True
        self.peers.pop(peer.key, None)
        self._connecting.pop(peer.key, None)
        self._agent.remove(peer.ice)
        for address in peer.addresses:
            if self._by_address.get(address) is peer:
                del self._by_address[address]

    # --- receiving ----------------------------------------------------------------------------------------

    def _readable(self) -> None:
        self.guard.run(self._read_batch)
        self.guard.run(self._owner.on_batch_end)

    def _read_batch(self) -> None:
        receive, by_address = self._sock.recvfrom, self._by_address
        now = monotonic()
        for _ in range(BATCH_DATAGRAMS):
            try:
                data, source = receive(_RECEIVE_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                self.counters["receive_errors"] += 1
                break
            if not 0 < len(data) <= _MAX_DATAGRAM:
                self.counters["junk"] += 1
                continue
            first = data[0]
            if first < 4:
                self._stun(data, source, now)
                continue
            peer = by_address.get(source)
            if peer is None:
                self.counters["strangers"] += 1
            elif 127 < first < 192:
                self._srtp(peer, data, now)
            elif 19 < first < 64:
                self._dtls(peer, data)
            else:
                self.counters["junk"] += 1

    def _stun(self, data: bytes, source: Address, now: float) -> None:
        try:
            checked = self._agent.receive(data, source)
        except ParseError:
            self.counters["junk"] += 1
            return
        if checked is None:
            self.counters["stun_refused"] += 1
            return
        self._send(checked.answer, source)
        if not checked.accepted:
            return
        peer = self.peers[checked.key]
        before = peer.address
        for address in peer.prove(source, moves=checked.moves, now=now):
            if self._by_address.get(address) is peer:
                del self._by_address[address]
        self._by_address[source] = peer
        if before is None:
            self._send_all(peer, peer.dtls.start())
        elif peer.address != before:
            self.counters["moved"] += 1
            self._owner.on_moved(peer)

    def _srtp(self, peer: Peer, data: bytes, now: float) -> None:
        """RTCP has 64 to 95 in the seven bits of RTP's payload type (RFC 5761 §4)."""
        inbound = peer.inbound
        if inbound is None or len(data) < 12:
            self.counters["srtp_early"] += 1
            return
        try:
            if 191 < data[1] < 224:
                self._owner.on_srtcp(peer, data, now)
            else:
                self._owner.on_rtp(peer, inbound.unprotect(data), now)
        except SrtpError:
            self.counters["srtp_refused"] += 1
            return
        if not peer.dtls.settled:
            peer.dtls.settle()
            self.counters["settled"] += 1

    # --- DTLS ---------------------------------------------------------------------------------------------

    def _dtls(self, peer: Peer, data: bytes) -> None:
        """At once while the turn's budget lasts, else queued so that media does not wait for handshakes."""
        if self._handshake_budget > 0 and not self._handshakes:
            self._handshake_budget -= 1
            self._handshake(peer, data)
        elif len(self._handshakes) < MAX_HANDSHAKE_QUEUE:
            self._handshakes.append((peer, data))
        else:
            self.counters["handshake_queue_full"] += 1
        if not self._turn_scheduled and self._loop is not None:
            self._turn_scheduled = True
            self._loop.call_soon(self._handshake_turn)

    def _handshake_turn(self) -> None:
        self._turn_scheduled = False
        self._handshake_budget = HANDSHAKES_A_TURN
        while self._handshakes and self._handshake_budget > 0:
            self._handshake_budget -= 1
            peer, data = self._handshakes.popleft()
            self.guard.run(lambda peer=peer, data=data: self._handshake(peer, data))
        if self._handshakes and self._loop is not None:
            self._turn_scheduled = True
            self._loop.call_soon(self._handshake_turn)
        self.guard.run(self._owner.on_batch_end)

    def _handshake(self, peer: Peer, data: bytes) -> None:
        if peer.closed:
            return
        self._send_all(peer, peer.dtls.receive(data))
        self._after_dtls(peer)

    def _after_dtls(self, peer: Peer) -> None:
        match peer.dtls.state:
            case State.CONNECTED if peer.inbound is None and peer.dtls.keys is not None:
                peer.open_inbound(peer.dtls.keys)
                self._connecting.pop(peer.key, None)
                self.counters["connected"] += 1
                self._owner.on_connected(peer)
            case State.CLOSED:
                self._lose(peer, "closed by the peer")
            case State.FAILED:
                self.counters["handshake_failed"] += 1
                self._lose(peer, peer.dtls.failure)
            case _:
                pass

    # --- time ---------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._loop is None:
            return
        self._ticker = self._loop.call_later(TICK_S, self._tick)
        self.guard.run(self._look_at_timers)

    def _look_at_timers(self) -> None:
        for peer in list(self._connecting.values()):
            timeout = peer.dtls.timeout_s()
            if timeout is not None and timeout <= 0:
                self._send_all(peer, peer.dtls.handle_timeout())
                self._after_dtls(peer)
        self._ticks += 1
        if self._ticks % TICKS_PER_SWEEP == 0:
            now = monotonic()
            for peer in [peer for peer in self.peers.values() if peer.expired(now)]:
                self.counters["expired"] += 1
                self._lose(peer, "silent for 30 s")

    def _lose(self, peer: Peer, why: str) -> None:
        self.remove(peer)
        self._owner.on_closed(peer, why)

    # --- sending ------------------------------------------------------------------------------------------

    def _send_all(self, peer: Peer, datagrams: list[bytes]) -> None:
        if peer.address is not None:
            for datagram in datagrams:
                self._send(datagram, peer.address)

    def _send(self, datagram: bytes, address: Address) -> None:
        try:
            self._sock.sendto(datagram, address)
        except OSError:  # a full buffer or a dead address: STUN and DTLS repeat themselves
            self.counters["send_dropped"] += 1
