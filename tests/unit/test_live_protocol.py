"""Commands: what is taken, what is refused, and how text is cleaned."""

import json

import pytest

from server.live.protocol import (
    Decoded,
    Measured,
    Ping,
    React,
    Rejected,
    Report,
    Say,
    Update,
    clean_text,
    decode_command,
    encode,
    is_only_emotes,
)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ('{"type":"chat","text":"hi"}', Say("hi")),
        ('{"type":"chat","text":"hi","cid":"7"}', Say("hi", "7")),
        ('{"type":"react","kind":"heart"}', React("heart", 1)),
        ('{"type":"react","kind":"fire","n":20}', React("fire", 20)),
        ('{"type":"ping"}', Ping(0)),
        ('{"type":"ping","t":1.5}', Ping(1.5)),
        ('{"type":"report","publication":"p"}', Report("p", None, 0)),
    ],
)
def test_commands(text: str, command: object) -> None:
    assert decode_command(text.encode()) == Decoded(command, 0)  # type: ignore[arg-type]


def test_unknown_fields_are_ignored_and_counted() -> None:
    assert decode_command(b'{"type":"ping","t":1,"new":2,"newer":[]}') == Decoded(Ping(1), 2)


@pytest.mark.parametrize(
    ("text", "code", "cid"),
    [
        (b"", "bad_json", ""),
        (b"{", "bad_json", ""),
        (b"\xff", "bad_json", ""),
        (b'{"type":"chat","text":"\\ud800"}', "bad_json", ""),
        (b"[" * 4096, "bad_json", ""),
        (b"null", "bad_message", ""),
        (b"7", "bad_message", ""),
        (b"[1]", "bad_message", ""),
        (b"{}", "bad_message", ""),
        (b'{"type":7,"cid":"c"}', "bad_message", "c"),
        (b'{"type":"sing","cid":"c"}', "unknown_type", "c"),
        (b'{"type":"sing","cid":["c"]}', "unknown_type", ""),
        (b'{"type":"chat","cid":"c"}', "bad_message", "c"),
        (b'{"type":"chat","text":7,"cid":"c"}', "bad_message", "c"),
        (b'{"type":"chat","text":"hi","cid":"' + b"c" * 65 + b'"}', "bad_message", ""),
        (b'{"type":"chat","text":"' + b"x" * 1200 + b'"}', "bad_message", ""),
        (b'{"type":"react","kind":"heart","n":0}', "bad_message", ""),
        (b'{"type":"react","kind":"heart","n":21}', "bad_message", ""),
        (b'{"type":"react","kind":"heart","n":1.5}', "bad_message", ""),
        (b'{"type":"react","kind":"sneer"}', "bad_message", ""),
        (b'{"type":"report","publication":1}', "bad_message", ""),
        (b'{"type":"ping","t":"now"}', "bad_message", ""),
    ],
)
def test_refusals(text: bytes, code: str, cid: str) -> None:
    rejected = decode_command(text)
    assert isinstance(rejected, Rejected)
    assert (rejected.code, rejected.cid) == (code, cid)


def test_reports_are_clamped() -> None:
    assert Report("p", -1, 1e300).clamped() == Measured("p", 0, 1000)
    assert Report("p", 1e300, -5).clamped() == Measured("p", 60_000, 0)
    assert Report("p", 340.7, 2).clamped() == Measured("p", 340, 2)
    assert Report().clamped() == Measured("", None, 0)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("  a \t b\n\nc ", "a b c"),
        ("a\u202eb\u0000c", "a b c"),
        ("\u200e\ufeff \u2066", ""),
        (" \u200b\u2060 \u3164\u00ad\u034f\ufe0f", ""),
        ("\u2800x", "\u2800x"),
        ("\u0645\u0631\u062d\u0628\u0627", "\u0645\u0631\u062d\u0628\u0627"),
        ("👩‍🚒❤️", "👩‍🚒❤️"),
    ],
)
def test_text_is_cleaned(text: str, cleaned: str) -> None:
    assert clean_text(text) == cleaned


def test_emotes() -> None:
    assert is_only_emotes("🔥 ❤️ :clap: 👩‍🚒")
    assert not is_only_emotes("🔥 wow")
    assert not is_only_emotes(":clap")
    assert not is_only_emotes("7")


def test_the_envelope_leaves_out_what_an_update_does_not_have() -> None:
    plain = Update(type="tick", show="s", epoch="e", ts=5, data={})
    assert json.loads(encode(plain)) == {"type": "tick", "show": "s", "epoch": "e", "ts": 5, "data": {}}
    chained = Update(type="x", show="s", epoch="e", seq=2, prev=1, ts=5, at_ms=4, data={})
    assert list(json.loads(encode(chained))) == [
        "type",
        "show",
        "epoch",
        "seq",
        "prev",
        "ts",
        "at_ms",
        "data",
    ]
