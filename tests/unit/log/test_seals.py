"""Seals: what they bind together, and that they have one encoding."""

import hashlib

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from server.log import seals
from server.log.seals import Seal, SealError

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key()
SEAL = seals.sign(Seal("show", "epoch", 7, 1_700_000_000_000, "ab" * 32, "cd" * 16), KEY)


def test_the_chain_is_what_is_documented() -> None:
    start = hashlib.sha256(b"vendue-log-v1\0show").digest()
    assert seals.genesis("show") == start
    assert seals.link(start, b"entry") == hashlib.sha256(start + b"entry").digest()


def test_a_seal_is_signed_and_read_back() -> None:
    assert seals.is_signed_by(SEAL, PUBLIC)
    assert seals.decode(seals.encode(SEAL)) == SEAL
    assert seals.encode(SEAL).startswith(seals.LINE_START)
    assert seals.encode_key(seals.decode_key(SEAL.key)) == SEAL.key


@pytest.mark.parametrize(
    "change",
    [
        {"show": "shoW"},
        {"epoch": "epocha"},
        {"seq": 8},
        {"ts": 1},
        {"hash": "cd" * 32},
        {"steps": "ab"},
        {"signature": ""},
    ],
    ids=str,
)
def test_what_is_signed_cannot_change(change: dict[str, object]) -> None:
    assert not seals.is_signed_by(msgspec.structs.replace(SEAL, **change), PUBLIC)


def test_fields_do_not_run_into_each_other() -> None:
    moved = msgspec.structs.replace(SEAL, show="showe", epoch="poch")
    assert not seals.is_signed_by(moved, PUBLIC)


def test_another_key_has_not_signed_it() -> None:
    other = Ed25519PrivateKey.generate()
    assert not seals.is_signed_by(SEAL, other.public_key())
    assert not seals.is_signed_by(
        msgspec.structs.replace(SEAL, key=seals.encode_key(other.public_key())), PUBLIC
    )


@given(st.integers(0, len(seals.encode(SEAL)) - 1), st.integers(1, 255))
def test_no_byte_of_a_seal_can_change(at: int, by: int) -> None:
    raw = bytearray(seals.encode(SEAL))
    raw[at] ^= by
    try:
        seal = seals.decode(bytes(raw))
    except SealError:
        return
    assert not seals.is_signed_by(seal, PUBLIC)


def test_a_signature_has_one_encoding() -> None:
    """Its last digit has four bits that decoding drops."""
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    said = SEAL.signature
    right = [
        digit
        for digit in digits
        if seals.is_signed_by(msgspec.structs.replace(SEAL, signature=f"{said[:-3]}{digit}=="), PUBLIC)
    ]
    assert right == [said[-3]]


def test_steps_are_the_beginnings_of_hashes() -> None:
    hashes = [seals.link(b"", b"1"), seals.link(b"", b"2")]
    assert seals.steps(hashes) == hashes[0].hex()[:32] + hashes[1].hex()[:32]


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", seals.encode(SEAL) + b" ", b"\xff", b'{"kind":"seal"}'])
def test_what_is_no_seal(raw: bytes) -> None:
    with pytest.raises(SealError):
        seals.decode(raw)


def test_the_epoch_follows_the_log() -> None:
    def entry(seq: int, kind: str, body: str) -> bytes:
        return (
            f'{{"seq":{seq},"prev_public":0,"audience":"staff","ts":1,"at_ms":1,"kind":"{kind}","actor":"",'
            f'"body":{body}}}'
        ).encode()

    first = [entry(1, "show.created", '{"epoch":"e1"}'), entry(2, "x", '{"kind":"epoch","epoch":"no"}')]
    assert seals.epoch_after("", first) == "e1"
    assert seals.epoch_after("e1", [entry(3, "epoch", '{"epoch":"e2"}')]) == "e2"
