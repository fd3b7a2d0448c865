"""`vendue verify` as a person runs it: what it makes of damaged, cut, foreign and unsigned files."""

import asyncio
import io
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from support import store as stores
from support.examples import examples
from support.proof import KEY, Story, encoded, sealed

from server.cli import main
from server.log import seals
from server.log.seals import Seal
from server.seal_key import public_pem
from server.verify import rules
from server.verify.chain import Broken, Sound, verify

PUBLIC = KEY.public_key()
places = st.integers(0, 2**24)
BASE64 = seals.encode_key(PUBLIC)


@pytest.fixture(scope="module")
def entries(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    async def tell() -> list[bytes]:
        async with stores.embedded(tmp_path_factory.mktemp("store")) as (_, url), stores.opened(url) as store:
            return encoded(await Story(store).tell())

    return asyncio.run(tell())


@pytest.fixture(scope="module")
def lines(entries: list[bytes]) -> list[bytes]:
    return sealed(entries)


def covered(lines: list[bytes]) -> list[int]:
    """For every line its entry's seq, or that of the newest entry that it seals."""
    return [msgspec.json.decode(line)["seq"] for line in lines]


def broken(lines: list[bytes]) -> Broken:
    verdict = verify(lines, PUBLIC)
    assert isinstance(verdict, Broken), verdict
    return verdict


def at(lines: list[bytes], offset: int) -> int:
    """The index of the line that has this byte."""
    for index, line in enumerate(lines):
        if offset < len(line):
            return index
        offset -= len(line)
    raise AssertionError("beyond the end")


@examples(400)
@given(where=places, by=st.integers(1, 255))
def test_a_flipped_byte_is_named_where_it_is(lines: list[bytes], where: int, by: int) -> None:
    raw = bytearray(b"".join(lines))
    offset = where % len(raw)
    raw[offset] ^= by
    index = at(lines, offset)
    verdict = broken(list(io.BytesIO(raw)))
    seq = covered(lines)[index]
    is_seal = lines[index].startswith(seals.LINE_START)
    named = {seq, seq + 1} if is_seal else {seq}
    if seq == 1 and verdict.rule is rules.PLACE:
        named.add(
            10
        )  # the first entry says which show this is: between it and the first seal it cannot be told
    assert verdict.seq in named, (verdict, seq)


@examples(100)
@given(where=places)
def test_a_truncated_file_is_not_whole(lines: list[bytes], where: int) -> None:
    raw = b"".join(lines)
    cut = list(io.BytesIO(raw[: where % len(raw)]))
    verdict = verify(cut, PUBLIC)
    if cut and cut[-1].endswith(b"\n") and cut[-1].startswith(seals.LINE_START):
        assert isinstance(verdict, Sound)  # a shorter log, sealed: what it was at that time
        assert verdict.newest == seals.decode(cut[-1][:-1])
    else:
        assert isinstance(verdict, Broken)
        assert verdict.rule in (rules.LINES, rules.SEALED)


def test_entries_left_out_doubled_or_exchanged(entries: list[bytes], lines: list[bytes]) -> None:
    for changed in (
        [*lines[:3], *lines[4:]],
        [*lines[:4], *lines[3:]],
        [*lines[:3], lines[4], lines[3], *lines[5:]],
    ):
        verdict = broken(changed)
        assert (verdict.rule, verdict.seq) == (rules.CONTIGUOUS, 5 if changed[3] == lines[3] else 4)
    doubled = [*lines[:11], lines[10], *lines[11:]]
    assert broken(doubled).rule is rules.PLACE


def test_a_log_without_its_last_seal(lines: list[bytes]) -> None:
    verdict = broken(lines[:-1])
    assert verdict.rule is rules.SEALED
    assert verdict.seq == (covered(lines)[-2] - 1) // 10 * 10 + 1


def test_nothing_at_all() -> None:
    assert (broken([]).seq, broken([]).rule) == (1, rules.SEALED)


def test_a_seal_of_another_show(entries: list[bytes], lines: list[bytes]) -> None:
    def moved(seal: Seal) -> Seal:
        return msgspec.structs.replace(seal, show="other") if seal.seq == 20 else seal

    verdict = broken(sealed(entries, change=moved))
    assert (verdict.rule, verdict.seq) == (rules.PLACE, 20)
    other = sealed(entries, show="other")
    verdict = broken([*lines[:10], other[10], *lines[11:]])
    assert (verdict.rule, verdict.seq) == (rules.PLACE, 10)


def test_a_seal_of_another_epoch(entries: list[bytes]) -> None:
    def late(seal: Seal) -> Seal:
        return msgspec.structs.replace(seal, epoch="e_second")

    verdict = broken(sealed(entries, change=late))
    assert (verdict.rule, verdict.seq) == (rules.PLACE, 10)


def test_a_seal_with_another_hash(entries: list[bytes]) -> None:
    def wrong(seal: Seal) -> Seal:
        return msgspec.structs.replace(seal, hash="0" * 64) if seal.seq == 20 else seal

    verdict = broken(sealed(entries, change=wrong))
    assert (verdict.rule, verdict.seq) == (rules.CHAIN, 20)


def test_a_seal_older_than_its_entries(entries: list[bytes]) -> None:
    def early(seal: Seal) -> Seal:
        return msgspec.structs.replace(seal, ts=1)

    verdict = broken(sealed(entries, change=early))
    assert (verdict.rule.number, verdict.seq) == (8, 1)


def test_a_log_signed_by_somebody_else(entries: list[bytes]) -> None:
    other = Ed25519PrivateKey.generate()
    verdict = broken(sealed(entries, key=other))
    assert (verdict.rule, verdict.seq) == (rules.SIGNATURES, 10)
    assert isinstance(verify(sealed(entries, key=other), None), Sound)


def test_a_log_that_changes_its_key(entries: list[bytes], lines: list[bytes]) -> None:
    other = sealed(entries, key=Ed25519PrivateKey.generate())
    for key in (PUBLIC, None):
        verdict = verify([*lines[:11], *other[11:]], key)
        assert isinstance(verdict, Broken)
        assert (verdict.rule, verdict.seq) == (rules.SIGNATURES, 20)


@pytest.fixture
def export(lines: list[bytes], tmp_path: Path) -> Path:
    path = tmp_path / "export.ndjson"
    path.write_bytes(b"".join(lines))
    return path


def test_the_command_with_a_key(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pem = export.with_name("key.pem")
    pem.write_bytes(public_pem(PUBLIC))
    for key in (BASE64, str(pem), pem.read_text()):
        assert main(["verify", str(export), f"--key={key}"]) == 0
        said = capsys.readouterr()
        assert said.out.startswith("show: ")
        assert "every rule holds" in said.out
        assert said.err == ""


def test_the_command_without_a_key(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(export)]) == 3
    assert f"key unverified: signed with {BASE64}" in capsys.readouterr().out


def test_the_command_names_the_first_bad_seq(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    raw = export.read_bytes()
    export.write_bytes(raw.replace(b'"Mug"', b'"Mag"', 1))
    for more in ([], ["--key", BASE64]):
        assert main(["verify", str(export), *more]) == 1
        said = capsys.readouterr()
        assert (
            said.err
            == "vendue: seq 3: rule 3 (The chain of hashes holds): this entry is not what was sealed\n"
        )
        assert said.out == ""


def test_the_command_with_what_it_cannot_use(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(export.with_name("none"))]) == 2
    assert main(["verify", str(export), "--key", "AAAA"]) == 2
    assert main(["verify", str(export), "--key", str(export)]) == 2
    assert capsys.readouterr().out == ""
