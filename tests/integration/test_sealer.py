"""The sealer on a real store: what it seals, how many may run, and what it leaves alone."""

import asyncio
import hashlib
import io
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from support.sale import ANNA, SHOW, Sale
from support.store import advance, show_hash
from support.web import Web

from server.export import Exported, export_show
from server.log import reader, sealer, seals
from server.log.sealer import Sealer, newest_seal_seq, read_seals
from server.seal_key import existing_seal_key, public_pem, seal_key
from server.settings import Settings, SettingsError
from server.store.store import Store

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.fixture
async def sale(store: Store) -> Sale:
    sale = await Sale(store).start()
    await sale.product()
    return sale


async def sealed(store: Store) -> list[seals.Seal]:
    return [seals.decode(raw) for _, raw in await read_seals(store, SHOW, 0)]


async def test_a_seal_covers_the_whole_log(store: Store, sale: Sale) -> None:
    assert await Sealer(store, KEY).seal(SHOW)
    await sale.held()
    assert await Sealer(store, KEY).seal(SHOW)
    first, second = await sealed(store)
    entries = await reader.entries(store, SHOW, 0)
    chained = seals.genesis(SHOW)
    for entry in entries:
        chained = hashlib.sha256(chained + entry.raw).digest()
    assert (second.seq, second.hash) == (entries[-1].seq, chained.hex())
    assert first.seq == second.seq - 1
    assert all(seals.is_signed_by(seal, KEY.public_key()) for seal in (first, second))
    assert second.epoch == (await show_hash(store, SHOW))["epoch"]
    assert first.ts >= entries[-2].ts


async def test_nothing_new_is_no_seal(store: Store, sale: Sale) -> None:
    for _ in range(3):
        assert await Sealer(store, KEY).seal(SHOW)
    assert len(await sealed(store)) == 1


async def test_many_sealers_make_one_chain(store: Store, sale: Sale) -> None:
    sealers = [Sealer(store, KEY) for _ in range(8)]
    for _ in range(5):
        await sale.held()
        await asyncio.gather(*(one.seal(SHOW) for one in sealers))
    covered = [seal.seq for seal in await sealed(store)]
    assert covered == sorted(set(covered))
    assert covered[-1] == (await reader.entries(store, SHOW, 0))[-1].seq


async def test_a_young_seal_is_enough(store: Store, sale: Sale) -> None:
    mine = Sealer(store, KEY)
    await mine.seal_all()
    await sale.held()
    await mine.seal_all()
    assert len(await sealed(store)) == 1
    await advance(store, SHOW, 1_000)
    await mine.seal_all()
    assert len(await sealed(store)) == 2


async def test_the_end_of_a_show_is_sealed_before_it_is_left_alone(store: Store, sale: Sale) -> None:
    mine = Sealer(store, KEY)
    await mine.seal_all()
    order = await sale.held()
    await sale.set(state="ended")
    await mine.seal_all(also_over=False)  # too soon after the first
    await advance(store, SHOW, 1_000)
    await mine.seal_all(also_over=False)
    assert len(await sealed(store)) == 2
    await mine.seal_all(also_over=False)
    await sale.ledger.cancel(SHOW, ANNA, order)
    await advance(store, SHOW, 1_000)
    await mine.seal_all(also_over=False)
    assert len(await sealed(store)) == 2
    await mine.seal_all()
    assert len(await sealed(store)) == 3


async def test_more_entries_than_one_answer_holds(
    store: Store, sale: Sale, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        await sale.held()
    monkeypatch.setattr(sealer, "BATCH", 3)
    assert await Sealer(store, KEY).seal(SHOW)
    monkeypatch.undo()
    made = await sealed(store)
    assert [seal.seq for seal in made] == [3, 6, 8]
    hashes = [seals.genesis(SHOW)]
    for entry in await reader.entries(store, SHOW, 0):
        hashes.append(seals.link(hashes[-1], entry.raw))
    assert [seal.hash for seal in made] == [hashes[seal.seq].hex() for seal in made]
    assert "".join(seal.steps for seal in made) == seals.steps(hashes[1:])


async def test_a_seal_of_what_is_no_longer_there_is_not_kept(store: Store, sale: Sale) -> None:
    other = hashlib.sha1(b"an entry that a failover lost", usedforsecurity=False).hexdigest()
    reply = await store.scripts.run("seal", SHOW, "", "", 0, 2, other, b"seal")
    assert reply == [b"ok", 0]
    assert await newest_seal_seq(store, SHOW) == 0


async def test_a_show_has_one_key(store: Store, sale: Sale) -> None:
    await Sealer(store, KEY).seal(SHOW)
    await sale.held()
    assert not await Sealer(store, Ed25519PrivateKey.generate()).seal(SHOW)
    assert len(await sealed(store)) == 1


async def test_an_export_ends_with_a_seal(store: Store, sale: Sale, tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"data_dir": tmp_path, "redis": {"url": "unix://" + store.target.path}, "auth": {"secret": "s" * 32}}
    )
    key = seal_key(settings)
    await Sealer(store, key).seal(SHOW)
    await sale.held()
    out = io.BytesIO()
    assert await export_show(settings, SHOW, out) == Exported(4, 4)
    lines = out.getvalue().splitlines()
    assert [line.startswith(seals.LINE_START) for line in lines] == [False] * 3 + [True, False, True]
    assert [seals.decode(line).seq for line in lines if line.startswith(seals.LINE_START)] == [3, 4]


async def test_a_web_worker_seals_and_tells_its_key(web: Web) -> None:
    async with asyncio.timeout(10):
        while not (newest := await newest_seal_seq(web.store, "show1")):
            await asyncio.sleep(0.05)
    answer = await web.client.get("/.well-known/vendue-seal-key")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-pem-file")
    key = existing_seal_key(web.settings)
    assert key is not None
    assert answer.content == public_pem(key.public_key())
    rows = await read_seals(web.store, "show1", newest - 1)
    assert seals.is_signed_by(seals.decode(rows[0][1]), key.public_key())


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    assert existing_seal_key(settings) is None
    key = seal_key(settings)
    assert seal_key(settings).private_bytes_raw() == key.private_bytes_raw()
    path = tmp_path / "data" / "seal.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    moved = Settings.model_validate({"seal": {"key_file": path}})
    assert seal_key(moved).private_bytes_raw() == key.private_bytes_raw()


def test_a_wrong_key_file_is_named(tmp_path: Path) -> None:
    wrong = tmp_path / "k.pem"
    for settings in (
        Settings.model_validate({"seal": {"key_file": wrong}}),
        Settings.model_validate({"seal": {"key_file": tmp_path}}),
    ):
        with pytest.raises(SettingsError, match=r"seal\.key_file"):
            seal_key(settings)
    wrong.write_text("no key")
    with pytest.raises(SettingsError, match=r"seal\.key_file"):
        seal_key(Settings.model_validate({"seal": {"key_file": wrong}}))
