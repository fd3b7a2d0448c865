"""Seals: the chain of hashes over a show's log, and the signature that stands for it. Pure.

`hash_0 = SHA-256("vendue-log-v1" ‖ 0 ‖ show)` and `hash_n = SHA-256(hash_{n-1} ‖ bytes of entry n)`, over the
bytes that the store keeps and `vendue export` prints. A seal says hash_n for some n and signs it with Ed25519
(RFC 8032), together with the show, its epoch at entry n and the time: a seal fits one place in one log.
A seal has one encoding only, so that no byte of it can change unnoticed. Its `steps`, the beginnings of the
hashes on the way, say which entry was changed when one was, and let one entry be shown without the others.
"""

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Iterable
from typing import Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.log import entries

LOG_DOMAIN: Final = b"vendue-log-v1\0"
SEAL_DOMAIN: Final = b"vendue-seal-v1\0"
LINE_START: Final = b'{"kind":"seal",'
EXCERPT_START: Final = b'{"kind":"excerpt",'
_TELLS_EPOCH: Final = re.compile(rb'"kind":"(?:show\.created|epoch)"').search
SEQ_MAX: Final = 2**53 - 1
TS_MAX: Final = 253_402_300_799_999  # the end of the year 9999
STEP_DIGITS: Final = 32  # 128 bits: nobody finds other bytes with the same beginning
COVERED_MAX: Final = 250
"""Entries under one seal at most: a few ms of the process that seals."""
_HASH_BYTES: Final = 32


class SealError(ValueError):
    """These bytes are not a seal."""


class Seal(msgspec.Struct, frozen=True, tag_field="kind", tag="seal", forbid_unknown_fields=True):
    """Covers every entry up to `seq`. `hash` is hex; `key` (public) and `signature` are base64, raw.

    `steps` has the first STEP_DIGITS hex digits of the hash after each entry since the seal before.
    """

    show: str
    epoch: str
    seq: int
    ts: int
    hash: str
    steps: str = ""
    key: str = ""
    signature: str = ""


class Excerpt(msgspec.Struct, frozen=True, tag_field="kind", tag="excerpt", forbid_unknown_fields=True):
    """One entry with its seal, as text, and the hash (hex) before it.

    The hash after the entry begins with the digits that the seal's `steps` have for it. `before` and `seal`
    are null for the moment, a second at most, that a new entry waits for its seal.
    """

    entry: str
    before: str | None
    seal: str | None


_decoder = msgspec.json.Decoder(Seal)


def genesis(show: str) -> bytes:
    """The hash before a show's first entry."""
    return hashlib.sha256(LOG_DOMAIN + show.encode()).digest()


def link(before: bytes, raw: bytes) -> bytes:
    """The hash after the entry whose bytes are `raw`."""
    return hashlib.sha256(before + raw).digest()


def steps(hashes: Iterable[bytes]) -> str:
    """The `steps` of a seal that covers entries with these hashes."""
    return "".join(chained.hex()[:STEP_DIGITS] for chained in hashes)


def epoch_after(epoch: str, raws: Iterable[bytes]) -> str:
    """The show's epoch after entries with these bytes, when it was `epoch` before. Raises EntryError."""
    for raw in raws:
        if _TELLS_EPOCH(raw):  # few: the others need no decoding
            entry = entries.decode(raw)
            if entry.kind in ("show.created", "epoch"):
                epoch = str(entry.body.get("epoch", ""))
    return epoch


def sign(unsigned: Seal, key: Ed25519PrivateKey) -> Seal:
    """The same seal with `key` and `signature` filled in."""
    seal = msgspec.structs.replace(unsigned, key=encode_key(key.public_key()))
    return msgspec.structs.replace(seal, signature=signature_of(_message(seal), key))


def is_signed_by(seal: Seal, key: Ed25519PublicKey) -> bool:
    """Whether this very key has signed it."""
    return seal.key == encode_key(key) and is_signature(seal.signature, _message(seal), key)


def signature_of(message: bytes, key: Ed25519PrivateKey) -> str:
    """A signature in base64."""
    return _base64(key.sign(message))


def is_signature(signature: str, message: bytes, key: Ed25519PublicKey) -> bool:
    """Whether `signature` is what `signature_of` makes of this message, in its one encoding."""
    try:
        raw = base64.b64decode(signature, validate=True)
        key.verify(raw, message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return _base64(raw) == signature  # the last digit has bits that decoding does not look at


def encode(seal: Seal) -> bytes:
    """The one encoding of a seal: what the store keeps and an export's line says."""
    return msgspec.json.encode(seal)


def decode(raw: bytes) -> Seal:
    """Read a seal. Raises SealError, also for another encoding of a right one."""
    try:
        seal = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SealError(f"not a seal: {error}") from None
    if encode(seal) != raw or not 1 <= seal.seq <= SEQ_MAX or not 0 <= seal.ts <= TS_MAX:
        raise SealError("not a seal as the server writes it")
    if len(seal.hash) != 2 * _HASH_BYTES or seal.hash.strip("0123456789abcdef"):
        raise SealError("not a seal: its hash is no hash")
    return seal


def encode_key(key: Ed25519PublicKey) -> str:
    """The 32 bytes of a public key in base64."""
    return _base64(key.public_bytes_raw())


def decode_key(text: str) -> Ed25519PublicKey:
    """Read `encode_key`'s answer. Raises SealError."""
    try:
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise SealError("not an Ed25519 public key: 32 bytes in base64 are") from None


def _message(seal: Seal) -> bytes:
    show, epoch = seal.show.encode(), seal.epoch.encode()
    sizes = struct.pack(">II", len(show), len(epoch))
    hashes = bytes.fromhex(seal.hash) + hashlib.sha256(seal.steps.encode()).digest()
    return SEAL_DOMAIN + sizes + show + epoch + struct.pack(">QQ", seal.seq, seal.ts) + hashes


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
