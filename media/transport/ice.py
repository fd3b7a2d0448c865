"""ICE-lite: STUN messages and what a lite agent answers (RFC 8489, RFC 8445 section 2.5).

A lite agent has host candidates only, sends no checks and is always controlled. What this module adds to
the protocol is the gate: `IceAgent.receive` tells which session a datagram proved to belong to, and nothing
else on the UDP port may trust a source address that has not come through it. No sockets, no clocks here.
"""

import base64
import hmac
import secrets
import socket
import struct
import zlib
from dataclasses import dataclass, field

from media.errors import ParseError
from media.kernel import Address

MAGIC_COOKIE = 0x2112A442
_COOKIE_BYTES = MAGIC_COOKIE.to_bytes(4, "big")
_FINGERPRINT_XOR = 0x5354554E

BINDING_REQUEST = 0x0001
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111

USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
XOR_MAPPED_ADDRESS = 0x0020
USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_INTEGRITY_LENGTH = 24  # attribute header and a SHA-1
_FINGERPRINT_LENGTH = 8
MAX_ATTRIBUTES = 32  # a browser's check has 6 to 8


@dataclass(frozen=True, slots=True)
class StunMessage:
    """A parsed message; what follows MESSAGE-INTEGRITY is ignored but for FINGERPRINT (RFC 8489 §14.5)."""

    kind: int
    transaction_id: bytes
    attributes: dict[int, bytes]
    integrity_offset: int | None


@dataclass(frozen=True, slots=True)
class Credentials:
    """An ICE user name fragment and its password (RFC 8839 §5.4: ice-char only)."""

    ufrag: str
    pwd: str


def new_credentials() -> Credentials:
    """Random credentials: 48 bits to find the session, 144 bits to prove it."""
    ufrag = base64.b64encode(secrets.token_bytes(6)).decode()
    pwd = base64.b64encode(secrets.token_bytes(18)).decode()
    return Credentials(ufrag, pwd)


def parse(data: bytes) -> StunMessage:
    """Parse one STUN message and check its FINGERPRINT, which ICE requires; ParseError when it is none."""
    if len(data) < 20:
        raise ParseError("short STUN header")
    kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if kind & 0xC000 or cookie != MAGIC_COOKIE or length & 3 or length + 20 != len(data):
        raise ParseError("not a STUN message")
    attributes: dict[int, bytes] = {}
    integrity_offset: int | None = None
    fingerprinted = False
    offset = 20
    while offset < len(data):
        attribute, size = _ATTRIBUTE.unpack_from(data, offset)
        start, end = offset + 4, offset + 4 + size
        if end > len(data) or len(attributes) >= MAX_ATTRIBUTES:
            raise ParseError("STUN attribute too long or too many")
        if attribute == FINGERPRINT:
            _check_fingerprint(data, offset, size)
            fingerprinted = True
        elif integrity_offset is None:
            attributes.setdefault(attribute, data[start:end])
            if attribute == MESSAGE_INTEGRITY:
                integrity_offset = offset
        offset = end + (-size & 3)
    if not fingerprinted:
        raise ParseError("STUN message without FINGERPRINT")
    return StunMessage(kind, transaction_id, attributes, integrity_offset)


def _check_fingerprint(data: bytes, offset: int, size: int) -> None:
    if size != 4 or offset + _FINGERPRINT_LENGTH != len(data):
        raise ParseError("FINGERPRINT is not the last STUN attribute")
    expected = zlib.crc32(data[:offset]) ^ _FINGERPRINT_XOR
    if int.from_bytes(data[offset + 4 :], "big") != expected:
        raise ParseError("wrong STUN FINGERPRINT")


def verify_integrity(message: StunMessage, data: bytes, pwd: bytes) -> bool:
    """Whether MESSAGE-INTEGRITY was made with `pwd` (RFC 8489 §14.5, short-term credentials)."""
    offset = message.integrity_offset
    if offset is None or len(message.attributes[MESSAGE_INTEGRITY]) != 20:
        return False
    covered = data[:2] + (offset + _INTEGRITY_LENGTH - 20).to_bytes(2, "big") + data[4:offset]
    return hmac.compare_digest(hmac.digest(pwd, covered, "sha1"), message.attributes[MESSAGE_INTEGRITY])


def build(kind: int, transaction_id: bytes, attributes: list[tuple[int, bytes]], pwd: bytes | None) -> bytes:
    """Serialise a message; with `pwd` it gets MESSAGE-INTEGRITY, and always FINGERPRINT."""
    body = b"".join(
        _ATTRIBUTE.pack(attribute, len(value)) + value + bytes(-len(value) & 3)
        for attribute, value in attributes
    )
    if pwd is not None:
        covered = _HEADER.pack(kind, len(body) + _INTEGRITY_LENGTH, MAGIC_COOKIE, transaction_id) + body
        body += _ATTRIBUTE.pack(MESSAGE_INTEGRITY, 20) + hmac.digest(pwd, covered, "sha1")
    message = _HEADER.pack(kind, len(body) + _FINGERPRINT_LENGTH, MAGIC_COOKIE, transaction_id) + body
    crc = zlib.crc32(message) ^ _FINGERPRINT_XOR
    return message + _ATTRIBUTE.pack(FINGERPRINT, 4) + crc.to_bytes(4, "big")


def xor_mapped_address(address: Address, transaction_id: bytes) -> bytes:
    """The value of XOR-MAPPED-ADDRESS (RFC 8489 §14.2)."""
    # IPv4 on a socket for both families looks like ::ffff:192.0.2.1; link-local has %scope
    host, port = address[0].removeprefix("::ffff:").partition("%")[0], address[1]
    v6 = ":" in host
    family, packed = 1 + v6, socket.inet_pton(socket.AF_INET6 if v6 else socket.AF_INET, host)
    mask = (_COOKIE_BYTES + transaction_id)[: len(packed)]
    masked = int.from_bytes(packed, "big") ^ int.from_bytes(mask, "big")
    return struct.pack("!xBH", family, port ^ (MAGIC_COOKIE >> 16)) + masked.to_bytes(len(packed), "big")


@dataclass(slots=True)
class IceSession:
    """One peer's credentials.

    `previous` is there between an ICE restart and the first nomination under the new credentials, and works
    so long: media goes the old way until then (RFC 8445 §9), and Chromium may nominate a pair only seconds
    after its checks came through. `is_new`: nobody has used a restart's credentials yet.
    """

    key: int
    credentials: Credentials
    previous: Credentials | None = None
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A connectivity check that proved knowledge of the session's password.

    `answer` goes back to the source. `moves`: media goes there from now on, because the pair is nominated, or
    is the first that works after a restart (RFC 8445 §12.1 lets media go any way that was checked). A role
    conflict (487) proves the password too but moves nothing: not `accepted`.
    """

    key: int
    answer: bytes
    moves: bool
    accepted: bool = True


@dataclass(slots=True)
class IceAgent:
    """Every ICE-lite session of one UDP port, found by the user name fragment that we made up."""

    _by_ufrag: dict[bytes, tuple[IceSession, bytes]] = field(
        default_factory=dict[bytes, tuple[IceSession, bytes]]
    )

    def add(self, key: int) -> IceSession:
        """A new session with fresh credentials; `key` is the caller's own name for it."""
        session = IceSession(key, new_credentials())
        self._register(session, session.credentials)
        return session

    def restart(self, session: IceSession) -> Credentials:
        """New credentials for an ICE restart (RFC 8445 §9); `IceSession` says how long the old ones work."""
        if session.previous is not None:
            self._by_ufrag.pop(session.previous.ufrag.encode(), None)
        session.previous = session.credentials
        session.credentials, session.is_new = new_credentials(), True
        self._register(session, session.credentials)
        return session.credentials

    def remove(self, session: IceSession) -> None:
        """Forget the session: its checks become a stranger's."""
        self._by_ufrag.pop(session.credentials.ufrag.encode(), None)
        if session.previous is not None:
            self._by_ufrag.pop(session.previous.ufrag.encode(), None)

    def receive(self, data: bytes, source: Address) -> Checked | None:
        """Judge one STUN datagram. None: a stranger's, answered with silence so that nobody can probe us.

        Raises ParseError for bytes that are no STUN message.
        """
        message = parse(data)
        if message.kind != BINDING_REQUEST:
            return None
        ufrag = message.attributes.get(USERNAME, b"").partition(b":")[0]
        found = self._by_ufrag.get(ufrag)
        if found is None:
            return None
        session, pwd = found
        if not verify_integrity(message, data, pwd):
            return None
        if ICE_CONTROLLED in message.attributes:
            answer = build(
                BINDING_ERROR, message.transaction_id, [(ERROR_CODE, b"\x00\x00\x04\x57Role Conflict")], pwd
            )
            return Checked(session.key, answer, moves=False, accepted=False)
        moves = USE_CANDIDATE in message.attributes
        if ufrag == session.credentials.ufrag.encode():
            if moves and session.previous is not None:
                self._by_ufrag.pop(session.previous.ufrag.encode(), None)
                session.previous = None
            moves, session.is_new = moves or session.is_new, False
        mapped = xor_mapped_address(source, message.transaction_id)
        answer = build(BINDING_SUCCESS, message.transaction_id, [(XOR_MAPPED_ADDRESS, mapped)], pwd)
        return Checked(session.key, answer, moves)

    def _register(self, session: IceSession, credentials: Credentials) -> None:
        self._by_ufrag[credentials.ufrag.encode()] = (session, credentials.pwd.encode())
