"""SRTP sending state, and the one place that reaches into pylibsrtp's private names (checked on
pylibsrtp 1.0.0).

pylibsrtp's own `protect` copies every packet twice and allocates per call; `Protector` encrypts a whole
burst in place in one shared buffer instead.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from pylibsrtp import Policy, Session

RESEND_WINDOW_PACKETS = 1024
"""How far back a byte-identical resend may reach: a second at 10 Mbit/s, and few watch that without RTX."""

RTX_WINDOW_PACKETS = 256
"""The same for a peer whose video is resent under numbers of its own (RTX, RFC 4588): seconds of audio.
libsrtp moves the whole window for every packet.
"""

REPLAY_WINDOW_PACKETS = 2048
"""A publisher answers a NACK up to a second late: about 1,200 packets at 12 Mbit/s."""

BUFFER_BYTES = 64 * 2048
RTCP_TRAILER_BYTES = 4 + 16 + 128

_binding: Any = import_module("pylibsrtp._binding")
_ffi: Any = _binding.ffi
_lib: Any = _binding.lib
_CM_SHA1_32: int = _lib.srtp_profile_aes128_cm_sha1_32
_CM_SHA1_80: int = _lib.srtp_profile_aes128_cm_sha1_80


def sending_session(profile: int, key_and_salt: bytes, window: int = RESEND_WINDOW_PACKETS) -> Session:
    """The state that protects everything sent to one peer (all SSRCs); `profile` is one of pylibsrtp's
    `Policy.SRTP_PROFILE_*`.

    Repeats are allowed because a viewer without RTX gets its retransmissions byte-identical (same key,
    same nonce, same bytes); the rewriter guarantees that no sequence number is given to two contents.
    """
    outbound: int = _lib.ssrc_any_outbound
    policy = Policy(key=key_and_salt, ssrc_type=outbound, srtp_profile=profile)
    policy.allow_repeat_tx = True
    policy.window_size = window
    return Session(policy)


def resend_window(transport_cc: int) -> int:
    """How far back resends of a peer may reach: transport-wide numbers are given only beside RTX (0014)."""
    return RTX_WINDOW_PACKETS if transport_cc else RESEND_WINDOW_PACKETS


def receiving_session(profile: int, key_and_salt: bytes) -> Session:
    """The state that opens what one peer sends (all SSRCs), and refuses replays."""
    inbound: int = _lib.ssrc_any_inbound
    policy = Policy(key=key_and_salt, ssrc_type=inbound, srtp_profile=profile)
    policy.window_size = REPLAY_WINDOW_PACKETS
    return Session(policy)


def tag_bytes(profile: int) -> int:
    """How many bytes `srtp_protect` adds to an RTP packet under this profile."""
    if profile == _CM_SHA1_80:
        return 10
    if profile == _CM_SHA1_32:
        return 4
    return 16  # both AEAD profiles, RFC 7714 §12.1


def context_address(session: Session) -> int:
    """Where libsrtp's context of a session lies, for C; keep the session alive as long as it is used."""
    return int(_ffi.cast("uintptr_t", Protector.context_of(session)))


def function_address(name: str) -> int:
    """Where a function of the libsrtp that pylibsrtp carries lies, for C."""
    return int(_ffi.cast("uintptr_t", _ffi.addressof(_lib, name)))


class Protector:
    """One buffer, and libsrtp's calls working in place on it.

    `protect(context, pointer, length)` returns 0 when the packet at `pointer` has been encrypted and
    `length[0]` has grown by the tag; the calls take what `context_of` and `pointer_at` return.
    """

    def __init__(self) -> None:
        self._memory = _ffi.new("unsigned char[]", BUFFER_BYTES)
        self.view = memoryview(_ffi.buffer(self._memory))
        self.length: Any = _ffi.new("int *")
        self.protect: Callable[[Any, Any, Any], int] = _lib.srtp_protect
        self.protect_rtcp: Callable[[Any, Any, Any], int] = _lib.srtp_protect_rtcp

    def pointer_at(self, offset: int) -> object:
        """A C pointer into the buffer, valid as long as this object."""
        return self._memory + offset

    @staticmethod
    def context_of(session: Session) -> object:
        """libsrtp's context of a session; keep the session alive as long as it is used."""
        private: Any = session
        return private._srtp[0]
