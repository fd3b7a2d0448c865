"""Checkpoints: a signature under the state of the sale that a log has led to at some seal. Pure.

A seal says what was written, a checkpoint what came of it: so a replay can begin there, and a log can be kept
in segments. `state` is the digest of the state as `vendue verify` computes it (server/verify/state.py).
"""

import struct
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from server.log import seals
from server.log.seals import Seal, SealError

STATE_START: Final = b'{"kind":"state",'
"""How the line begins that says the state itself, before the checkpoint that a file begins at."""
CHECKPOINT_START: Final = b'{"kind":"checkpoint",'
CHECKPOINT_DOMAIN: Final = b"vendue-checkpoint-v1\0"
_HASH_DIGITS: Final = 64


class Checkpoint(msgspec.Struct, frozen=True, tag_field="kind", tag="checkpoint", forbid_unknown_fields=True):
    """Stands after the seal with the same show, epoch, seq, ts and hash. `state` is hex, too."""

    show: str
    epoch: str
    seq: int
    ts: int
    hash: str
    state: str
    key: str = ""
    signature: str = ""


_decoder = msgspec.json.Decoder(Checkpoint)


def at(seal: Seal, state: str, key: Ed25519PrivateKey) -> Checkpoint:
    """The signed checkpoint of this seal."""
    unsigned = Checkpoint(seal.show, seal.epoch, seal.seq, seal.ts, seal.hash, state)
    return msgspec.structs.replace(
        unsigned,
        key=seals.encode_key(key.public_key()),
        signature=seals.signature_of(_message(unsigned), key),
    )


def is_signed_by(checkpoint: Checkpoint, key: Ed25519PublicKey) -> bool:
    """Whether this very key has signed it."""
    return checkpoint.key == seals.encode_key(key) and seals.is_signature(
        checkpoint.signature, _message(checkpoint), key
    )


def encode(checkpoint: Checkpoint) -> bytes:
    """The one encoding of a checkpoint."""
    return msgspec.json.encode(checkpoint)


def decode(raw: bytes) -> Checkpoint:
    """Read a checkpoint. Raises SealError, also for another encoding of a right one."""
    try:
        checkpoint = _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SealError(f"not a checkpoint: {error}") from None
    if (
        encode(checkpoint) != raw
        or not 1 <= checkpoint.seq <= seals.SEQ_MAX
        or not 0 <= checkpoint.ts <= seals.TS_MAX
    ):
        raise SealError("not a checkpoint as the server writes it")
    for digits in (checkpoint.hash, checkpoint.state):
        if len(digits) != _HASH_DIGITS or digits.strip("0123456789abcdef"):
            raise SealError("not a checkpoint: its hash or its state is no hash")
    return checkpoint


def _message(checkpoint: Checkpoint) -> bytes:
    show, epoch = checkpoint.show.encode(), checkpoint.epoch.encode()
    sizes = struct.pack(">II", len(show), len(epoch))
    hashes = bytes.fromhex(checkpoint.hash) + bytes.fromhex(checkpoint.state)
    return (
        CHECKPOINT_DOMAIN + sizes + show + epoch + struct.pack(">QQ", checkpoint.seq, checkpoint.ts) + hashes
    )
