"""What stays of DTLS after the handshake: one alert to say and one to understand (RFC 5246 §7.2.1).

OpenSSL keeps 74 KiB for each connection, most of a viewer's memory, and after the handshake it does nothing
but wait for close_notify. So our own is prepared, the key of the peer's is derived (RFC 5246 §6.3, §8.1 and
RFC 5288 §3), and the connection is dropped. An alert is believed only if it decrypts.
"""

import hmac
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from OpenSSL import SSL

_ALERT = 21
_RECORD_HEADER_LENGTH = 13
_EXPLICIT_NONCE_LENGTH = 8
_TAG_LENGTH = 16
_KEY_LENGTH, _SALT_LENGTH = 16, 4
_FATAL, _CLOSE_NOTIFY = 2, 0


@dataclass(frozen=True, slots=True)
class Farewell:
    """`goodbye` is our close_notify, a datagram; key and salt are those of the peer's records."""

    goodbye: bytes
    _key: bytes
    _salt: bytes

    def ends(self, datagram: bytes) -> bool:
        """Whether the datagram's first record is a close_notify or fatal alert that the peer really sent."""
        header, fragment = datagram[:_RECORD_HEADER_LENGTH], datagram[_RECORD_HEADER_LENGTH:]
        size = len(fragment) - _EXPLICIT_NONCE_LENGTH - _TAG_LENGTH
        if len(header) < _RECORD_HEADER_LENGTH or header[0] != _ALERT or size != 2:
            return False
        nonce = self._salt + fragment[:_EXPLICIT_NONCE_LENGTH]
        # epoch and number, type, version, length of the plaintext (RFC 5246 §6.2.3.3, RFC 6347 §4.1.2.1)
        covered = header[3:11] + header[:3] + size.to_bytes(2, "big")
        try:
            level, description = AESGCM(self._key).decrypt(nonce, fragment[_EXPLICIT_NONCE_LENGTH:], covered)
        except InvalidTag:
            return False
        return level == _FATAL or description == _CLOSE_NOTIFY


def prepare(connection: SSL.Connection, *, client: bool) -> Farewell | None:
    """Take what is needed from a finished connection, which is of no use afterwards; `client` is our role.

    None for a cipher other than AES-128-GCM: the connection then stays as it is.
    """
    if not (connection.get_cipher_name() or "").endswith("AES128-GCM-SHA256"):
        return None
    seed = b"key expansion" + (connection.server_random() or b"") + (connection.client_random() or b"")
    block = _p_sha256(connection.master_key() or b"", seed, 2 * (_KEY_LENGTH + _SALT_LENGTH))
    theirs = 1 if client else 0  # the client's halves come first
    key = block[theirs * _KEY_LENGTH :][:_KEY_LENGTH]
    salt = block[2 * _KEY_LENGTH + theirs * _SALT_LENGTH :][:_SALT_LENGTH]
    connection.shutdown()
    return Farewell(connection.bio_read(2048), key, salt)


def _p_sha256(secret: bytes, seed: bytes, length: int) -> bytes:
    """P_hash of RFC 5246 §5."""
    output, chained = b"", seed
    while len(output) < length:
        chained = hmac.digest(secret, chained, "sha256")
        output += hmac.digest(secret, chained + seed, "sha256")
    return output[:length]
