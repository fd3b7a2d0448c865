"""DTLS-SRTP handshakes over pyOpenSSL memory BIOs (RFC 6347, RFC 5763, RFC 5764).

`DtlsEndpoint` takes datagrams and gives datagrams; the caller owns socket and timer. One certificate and one
SSL context serve a whole process. The peer's certificate is checked against the fingerprint of its SDP before
any key leaves this module. Whoever calls `receive` has already checked that the source passed ICE.
"""

import datetime as dt
import enum
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from pylibsrtp import Policy

from media.transport import system_tls
from media.transport.farewell import Farewell, prepare
from media.transport.system_tls import SystemConnection

MTU = 1200
"""Largest DTLS datagram in bytes: fits any path that carries WebRTC media."""

# ECDSA for browsers; RSA because GStreamer makes RSA certificates and may be the DTLS server.
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA"
)
_HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha-256": hashes.SHA256(),
    "sha-384": hashes.SHA384(),
    "sha-512": hashes.SHA512(),
}
_RECORD_HEADER_LENGTH = 13


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A certificate's fingerprint as SDP writes it: `sha-256`, `AB:CD:…`."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """A protection profile of RFC 5764 §4.1.2 or RFC 7714 §14.2, lengths in bytes."""

    openssl_name: bytes
    libsrtp_profile: int
    key_length: int
    salt_length: int


_GCM = cast("int", Policy.SRTP_PROFILE_AEAD_AES_128_GCM)
_CM_SHA1 = cast("int", Policy.SRTP_PROFILE_AES128_CM_SHA1_80)

# In order of our preference, which decides when we are the DTLS server: AES-GCM costs half as much CPU.
PROFILES = (
    SrtpProfile(b"SRTP_AEAD_AES_128_GCM", _GCM, 16, 12),
    SrtpProfile(b"SRTP_AES128_CM_SHA1_80", _CM_SHA1, 16, 14),
)


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """What the handshake yields: the profile and master key with salt for each direction."""

    profile: SrtpProfile
    receive: bytes
    send: bytes


Connection = SSL.Connection | SystemConnection
"""Ours, or the system's (`system_tls`)."""


class Role(enum.Enum):
    """Who starts the handshake. PASSIVE is the DTLS server."""

    ACTIVE = "active"
    PASSIVE = "passive"


class State(enum.Enum):
    """CONNECTING until the keys are there; CLOSED after close_notify; FAILED says why in `failure`."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    CLOSED = "closed"
    FAILED = "failed"


class DtlsContext:
    """The process's certificate (ECDSA P-256, self-signed) and the SSL context made of it."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _self_signed(key)
        self.fingerprint = _fingerprint(certificate, "sha-256")
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)  # AES-128-GCM, the one that `farewell` knows
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        # Any certificate passes here: WebRTC trusts the fingerprint in the SDP, checked in _finish.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _accept_any)
        context.use_certificate(certificate)
        context.use_privatekey(key)
        profiles = b":".join(profile.openssl_name for profile in PROFILES)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(profiles)
        self.ssl = context
        self.system = system_tls.load(
            certificate.public_bytes(serialization.Encoding.DER),
            key.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            ),
            _CIPHERS,
            profiles,
        )

    def connection(self, role: "Role") -> "Connection":
        """A connection that has not begun."""
        if role is Role.ACTIVE and self.system is not None:
            return SystemConnection(self.system)
        made = SSL.Connection(self.ssl, None)
        if role is Role.PASSIVE:
            made.set_accept_state()
        else:
            made.set_connect_state()
        return made


class DtlsEndpoint:
    """One peer's handshake and, after it, its alerts."""

    def __init__(self, context: DtlsContext, role: Role, expected: Sequence[Fingerprint]) -> None:
        self.role = role
        self.state = State.CONNECTING
        self.failure = ""
        self.settled = False
        self.keys: SrtpKeys | None = None
        self._expected = expected
        self._farewell: Farewell | None = None
        self._ssl: Connection | None = context.connection(role)
        self._ssl.set_ciphertext_mtu(MTU)

    def start(self) -> list[bytes]:
        """Begin; the ACTIVE role's ClientHello is in what comes back."""
        if self._ssl is None or self.role is not Role.ACTIVE:
            return []
        self._handshake(self._ssl)
        return _outgoing(self._ssl)

    def receive(self, datagram: bytes) -> list[bytes]:
        """Take one datagram; returns the datagrams to send. Bad records are dropped (RFC 6347 §4.1.2.7)."""
        if self.state in (State.CLOSED, State.FAILED):
            return []
        if self._ssl is None:
            if self._farewell is not None and self._farewell.ends(datagram):
                self.state = State.CLOSED
            return []
        self._ssl.bio_write(datagram)
        if self.state is State.CONNECTING:
            self._handshake(self._ssl)
        if self.state is State.CONNECTED:
            self._read_alerts(self._ssl)
        return _outgoing(self._ssl)

    def settle(self) -> None:
        """The peer has shown that it has the keys, so no flight of ours is missing: drop OpenSSL's part."""
        if self._ssl is None or self.settled or self.state is not State.CONNECTED:
            return
        self.settled = True
        if isinstance(self._ssl, SystemConnection):
            return  # few: they keep all of it
        self._farewell = prepare(self._ssl, client=self.role is Role.ACTIVE)
        if self._farewell is not None:
            self._ssl = None

    def timeout_s(self) -> float | None:
        """Seconds until `handle_timeout` is due, or None while nothing waits for an answer."""
        if self._ssl is None or self.state is not State.CONNECTING:
            return None
        return self._ssl.DTLSv1_get_timeout()

    def handle_timeout(self) -> list[bytes]:
        """Retransmit the last flight if its timer ran out; after too many tries the state is FAILED."""
        if self._ssl is None or self.state is not State.CONNECTING:
            return []
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error:
            self._fail("no answer to the handshake")
        return _outgoing(self._ssl)

    def close(self) -> list[bytes]:
        """The close_notify alert, if there is anything to close."""
        was, self.state = self.state, State.CLOSED
        if was is not State.CONNECTED:
            return []
        if self._farewell is not None:
            return [self._farewell.goodbye]
        if self._ssl is None:
            return []
        try:
            self._ssl.shutdown()
        except SSL.Error:
            return []
        return _outgoing(self._ssl)

    def _handshake(self, connection: Connection) -> None:
        try:
            connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self._fail(f"handshake refused: {_reason(error)}")
            return
        self._finish(connection)

    def _finish(self, connection: Connection) -> None:
        certificate = _certificate_of(connection)
        if certificate is None or not any(_matches(certificate, want) for want in self._expected):
            self._fail("certificate does not match the fingerprint")
            return
        name = connection.get_selected_srtp_profile()
        profile = next((profile for profile in PROFILES if profile.openssl_name == name), None)
        if profile is None:
            self._fail("no common SRTP profile")
            return
        client, server = _export(connection, profile)
        passive = self.role is Role.PASSIVE
        self.keys = SrtpKeys(profile, client if passive else server, server if passive else client)
        self.state = State.CONNECTED

    def _read_alerts(self, connection: Connection) -> None:
        """After the handshake only alerts matter: there are no data channels, application data is dropped."""
        try:
            while connection.recv(2048):
                pass
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            self.state = State.CLOSED
        except SSL.Error as error:
            self._fail(f"fatal alert: {_reason(error)}")

    def _fail(self, why: str) -> None:
        self.state, self.failure, self.keys = State.FAILED, why, None


def _certificate_of(connection: Connection) -> x509.Certificate | None:
    if isinstance(connection, SystemConnection):
        return connection.get_peer_certificate()
    return connection.get_peer_certificate(as_cryptography=True)


def _export(connection: Connection, profile: SrtpProfile) -> tuple[bytes, bytes]:
    """Client's and server's master key and salt (RFC 5764 §4.2: keys first, then salts)."""
    key, salt = profile.key_length, profile.salt_length
    material = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
    salts = material[2 * key :]
    return material[:key] + salts[:salt], material[key : 2 * key] + salts[salt:]


def _outgoing(connection: Connection) -> list[bytes]:
    """What OpenSSL wrote, cut between records so that no record straddles two datagrams."""
    try:
        flight = connection.bio_read(65536)
    except SSL.WantReadError:
        return []
    datagrams: list[bytes] = []
    start = offset = 0
    while offset < len(flight):
        end = offset + _RECORD_HEADER_LENGTH + int.from_bytes(flight[offset + 11 : offset + 13], "big")
        if end - start > MTU and offset > start:
            datagrams.append(flight[start:offset])
            start = offset
        offset = end
    datagrams.append(flight[start:])
    return datagrams


def _accept_any(*_: object) -> bool:
    return True


def _self_signed(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WebRTC")])
    now = dt.datetime.now(tz=dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(secrets.token_bytes(8), "big") >> 1 | 1)
        .not_valid_before(now - dt.timedelta(days=1))
        # Nobody checks dates in WebRTC; a year outlives any process.
        .not_valid_after(now + dt.timedelta(days=365))
        .sign(key, hashes.SHA256())
    )


def _fingerprint(certificate: x509.Certificate, algorithm: str) -> Fingerprint:
    digest = certificate.fingerprint(_HASHES[algorithm]).hex(":").upper()
    return Fingerprint(algorithm, digest)


def _matches(certificate: x509.Certificate, expected: Fingerprint) -> bool:
    algorithm = expected.algorithm.lower()
    if algorithm not in _HASHES:
        return False
    return _fingerprint(certificate, algorithm).value == expected.value.upper()


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words without its file names; empty for a bare system error."""
    if error.args and isinstance(error.args[0], list) and error.args[0]:
        said = str(error.args[0][-1][-1])  # pyright: ignore[reportUnknownArgumentType]
        return f"{said}: FFmpeg needs cert_file and key_file" if said == "wrong curve" else said
    return type(error).__name__
