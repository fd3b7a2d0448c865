"""DTLS by the system's OpenSSL 3, for the peers that ours no longer speaks with: certificates on P-224.

FFmpeg with GnuTLS makes itself such a certificate (`whip` muxer, its default), and OpenSSL 4, which is in the
wheels of `cryptography`, has that curve no more. Only peers that are the DTLS server come here, which hardly
anybody but FFmpeg is. `SystemConnection` has those methods of pyOpenSSL's `Connection` that a handshake
needs, and raises its errors. OpenSSL's functions are found by name in `libssl.so.3`; where that is not there,
`load` returns None and such a peer is refused.
"""

import contextlib
import ctypes
from collections.abc import Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_long, c_size_t, c_ubyte, c_ulong, c_void_p
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL

GROUPS: Final = b"X25519:P-256:P-384:P-224"
_READ_BYTES: Final = 65_536
# openssl/ssl.h and openssl/evp.h of version 3
_OP_NO_QUERY_MTU, _OP_NO_TICKET, _OP_NO_RENEGOTIATION = 1 << 12, 1 << 14, 1 << 30
_CTRL_SET_MTU, _CTRL_GET_TIMEOUT, _CTRL_HANDLE_TIMEOUT, _CTRL_SET_GROUPS_LIST = 17, 73, 74, 92
_ERROR_WANT_READ, _ERROR_ZERO_RETURN = 2, 6
_EVP_PKEY_EC = 408
_VERIFY_PEER = 1

_VerifyCallback = ctypes.CFUNCTYPE(c_int, c_int, c_void_p)


class _Profile(ctypes.Structure):
    """SRTP_PROTECTION_PROFILE."""

    _fields_ = (("name", c_char_p), ("id", c_ulong))


class _Time(ctypes.Structure):
    """struct timeval."""

    _fields_ = (("seconds", c_long), ("microseconds", c_long))


_SSL_FUNCTIONS: Final[dict[str, tuple[Any, Sequence[Any]]]] = {
    "DTLS_client_method": (c_void_p, ()),
    "SSL_CTX_new": (c_void_p, (c_void_p,)),
    "SSL_CTX_free": (None, (c_void_p,)),
    "SSL_CTX_ctrl": (c_long, (c_void_p, c_int, c_long, c_char_p)),
    "SSL_CTX_set_options": (ctypes.c_uint64, (c_void_p, ctypes.c_uint64)),
    "SSL_CTX_use_certificate_ASN1": (c_int, (c_void_p, c_int, c_char_p)),
    "SSL_CTX_use_PrivateKey_ASN1": (c_int, (c_int, c_void_p, c_char_p, c_long)),
    "SSL_CTX_set_verify": (None, (c_void_p, c_int, _VerifyCallback)),
    "SSL_CTX_set_cipher_list": (c_int, (c_void_p, c_char_p)),
    "SSL_CTX_set_tlsext_use_srtp": (c_int, (c_void_p, c_char_p)),
    "SSL_new": (c_void_p, (c_void_p,)),
    "SSL_free": (None, (c_void_p,)),
    "SSL_set_bio": (None, (c_void_p, c_void_p, c_void_p)),
    "SSL_set_connect_state": (None, (c_void_p,)),
    "SSL_ctrl": (c_long, (c_void_p, c_int, c_long, c_void_p)),
    "SSL_do_handshake": (c_int, (c_void_p,)),
    "SSL_get_error": (c_int, (c_void_p, c_int)),
    "SSL_read": (c_int, (c_void_p, c_void_p, c_int)),
    "SSL_shutdown": (c_int, (c_void_p,)),
    "SSL_export_keying_material": (
        c_int,
        (c_void_p, c_void_p, c_size_t, c_char_p, c_size_t, c_char_p, c_size_t, c_int),
    ),
    "SSL_get1_peer_certificate": (c_void_p, (c_void_p,)),
    "SSL_get_selected_srtp_profile": (POINTER(_Profile), (c_void_p,)),
}
_CRYPTO_FUNCTIONS: Final[dict[str, tuple[Any, Sequence[Any]]]] = {
    "BIO_s_mem": (c_void_p, ()),
    "BIO_new": (c_void_p, (c_void_p,)),
    "BIO_read": (c_int, (c_void_p, c_void_p, c_int)),
    "BIO_write": (c_int, (c_void_p, c_char_p, c_int)),
    "i2d_X509": (c_int, (c_void_p, POINTER(c_void_p))),
    "X509_free": (None, (c_void_p,)),
    "ERR_get_error": (c_ulong, ()),
    "ERR_reason_error_string": (c_char_p, (c_ulong,)),
    "ERR_clear_error": (None, ()),
}


class SystemTls:
    """One context for all connections; see `load`."""

    def __init__(
        self, functions: Any, certificate: bytes, key: bytes, ciphers: bytes, profiles: bytes
    ) -> None:
        self.functions = functions
        self.buffer = ctypes.create_string_buffer(_READ_BYTES)  # one loop, one call at a time
        self.context = functions.SSL_CTX_new(functions.DTLS_client_method())
        # Kept here, or it would be gone when OpenSSL calls it. Any certificate passes: see DtlsContext.
        self._accept = _VerifyCallback(_accept_any)
        context = self.context
        functions.SSL_CTX_set_options(context, _OP_NO_QUERY_MTU | _OP_NO_TICKET | _OP_NO_RENEGOTIATION)
        functions.SSL_CTX_set_verify(context, _VERIFY_PEER, self._accept)
        self.usable = (
            functions.SSL_CTX_use_certificate_ASN1(context, len(certificate), certificate) == 1
            and functions.SSL_CTX_use_PrivateKey_ASN1(_EVP_PKEY_EC, context, key, len(key)) == 1
            and functions.SSL_CTX_set_cipher_list(context, ciphers) == 1
            and functions.SSL_CTX_ctrl(context, _CTRL_SET_GROUPS_LIST, 0, GROUPS) == 1
            and functions.SSL_CTX_set_tlsext_use_srtp(context, profiles) == 0
        )
        functions.ERR_clear_error()

    def __del__(self) -> None:
        self.functions.SSL_CTX_free(self.context)


def _accept_any(_preverified: int, _store: int | None) -> int:
    return 1


def load(certificate: bytes, key: bytes, ciphers: bytes, profiles: bytes) -> SystemTls | None:
    """Certificate and key (DER) for connections under these ciphers and SRTP profiles, in OpenSSL's words;
    None where the system has no OpenSSL 3, or one that does not take P-224.
    """
    functions: Any = type("Functions", (), {})()
    try:
        for name, declared in (("libssl.so.3", _SSL_FUNCTIONS), ("libcrypto.so.3", _CRYPTO_FUNCTIONS)):
            library = ctypes.CDLL(name)
            for function, (result, arguments) in declared.items():
                found = getattr(library, function)
                found.restype, found.argtypes = result, tuple(arguments)
                setattr(functions, function, found)
    except (OSError, AttributeError):
        return None
    tls = SystemTls(functions, certificate, key, ciphers, profiles)
    return tls if tls.usable else None


class SystemConnection:
    """A DTLS client over memory. The methods are those of pyOpenSSL's `Connection`."""

    def __init__(self, tls: SystemTls) -> None:
        self._tls = tls  # outlives the connection
        self._functions = functions = tls.functions
        self._incoming = functions.BIO_new(functions.BIO_s_mem())
        self._outgoing = functions.BIO_new(functions.BIO_s_mem())
        self._ssl = functions.SSL_new(tls.context)
        functions.SSL_set_bio(self._ssl, self._incoming, self._outgoing)  # which owns them now
        functions.SSL_set_connect_state(self._ssl)
        self._buffer = tls.buffer

    def __del__(self) -> None:
        with contextlib.suppress(AttributeError):  # it was not made
            self._functions.SSL_free(self._ssl)

    def set_ciphertext_mtu(self, mtu: int) -> None:
        """Longest datagram in bytes."""
        self._functions.SSL_ctrl(self._ssl, _CTRL_SET_MTU, mtu, None)

    def bio_write(self, data: bytes) -> int:
        """A datagram has come."""
        return self._functions.BIO_write(self._incoming, data, len(data))

    def bio_read(self, size: int) -> bytes:
        """What is to be sent. Raises WantReadError when there is nothing."""
        got = self._functions.BIO_read(self._outgoing, self._buffer, min(size, _READ_BYTES))
        if got <= 0:
            raise SSL.WantReadError
        return self._buffer.raw[:got]

    def do_handshake(self) -> None:
        """Raises WantReadError until it is done, Error when it failed."""
        self._check(self._functions.SSL_do_handshake(self._ssl))

    def recv(self, size: int) -> bytes:
        """Application data. Raises ZeroReturnError after close_notify, WantReadError, Error."""
        self._functions.ERR_clear_error()  # hashlib and ssl leave theirs in the queue that `_check` reads
        got = self._functions.SSL_read(self._ssl, self._buffer, min(size, _READ_BYTES))
        self._check(got)
        return self._buffer.raw[:got]

    def shutdown(self) -> None:
        """Say close_notify."""
        self._functions.SSL_shutdown(self._ssl)
        self._functions.ERR_clear_error()

    def DTLSv1_get_timeout(self) -> float | None:  # noqa: N802 - pyOpenSSL's name
        """Seconds until `DTLSv1_handle_timeout` is due."""
        left = _Time()
        if self._functions.SSL_ctrl(self._ssl, _CTRL_GET_TIMEOUT, 0, byref(left)) != 1:
            return None
        return float(left.seconds) + float(left.microseconds) / 1e6

    def DTLSv1_handle_timeout(self) -> None:  # noqa: N802
        """Send the last flight again. Raises Error after too many times."""
        if self._functions.SSL_ctrl(self._ssl, _CTRL_HANDLE_TIMEOUT, 0, None) < 0:
            raise self._error()

    def get_peer_certificate(self) -> x509.Certificate | None:
        """The peer's, once the handshake is done."""
        functions = self._functions
        found = functions.SSL_get1_peer_certificate(self._ssl)
        if not found:
            return None
        try:
            der = (c_ubyte * functions.i2d_X509(found, None))()
            functions.i2d_X509(found, byref(c_void_p(ctypes.addressof(der))))
            return x509.load_der_x509_certificate(bytes(der))
        finally:
            functions.X509_free(found)

    def get_selected_srtp_profile(self) -> bytes:
        """OpenSSL's name of it, empty when there is none."""
        found = self._functions.SSL_get_selected_srtp_profile(self._ssl)
        return found.contents.name if found else b""

    def export_keying_material(self, label: bytes, size: int) -> bytes:
        """RFC 5705, without a context."""
        out = ctypes.create_string_buffer(size)
        exported = self._functions.SSL_export_keying_material(
            self._ssl, out, size, label, len(label), None, 0, 0
        )
        if exported != 1:
            raise self._error()
        return out.raw

    def _check(self, result: int) -> None:
        if result > 0:
            return
        match self._functions.SSL_get_error(self._ssl, result):
            case code if code == _ERROR_WANT_READ:
                raise SSL.WantReadError
            case code if code == _ERROR_ZERO_RETURN:
                raise SSL.ZeroReturnError
            case _:
                raise self._error()

    def _error(self) -> SSL.Error:
        code = self._functions.ERR_get_error()
        said = self._functions.ERR_reason_error_string(code) or b"unknown"
        self._functions.ERR_clear_error()
        return SSL.Error([("", "", said.decode())])
