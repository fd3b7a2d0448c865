"""Erasing a person: nothing in the store or its files tells of them any more, and the log still verifies."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest
import websockets
from support import store as stores
from support.web import SHOW, Web, expect, refused, running

from server.export import export_show
from server.log import reader
from server.seal_key import seal_key
from server.store.private_text import ERASED, PrivateText
from server.store.resp import Reply
from server.store.store import Store
from server.verify.chain import Sound, verify

ANNA = "anna.karenina@example.org"
TEXT = "Anna Karenina of Saint Petersburg asked for it"
SAID = "my name is Anna Arkadyevna"
NEEDLES = [needle.encode() for needle in (ANNA, TEXT, SAID)]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[tuple[Web, Path]]:
    """A web worker on a store of its own, whose files can be looked through."""
    data = tmp_path / "store"
    async with (
        stores.embedded(data) as (_, url),
        stores.opened(url) as store,
        running(store, tmp_path / "web") as web,
    ):
        await web.open_show(guests="buy")
        yield web, data


async def dump(store: Store) -> bytes:
    """All that the store tells of itself: every key with its content."""
    found: list[bytes] = []
    for key in sorted(cast("list[bytes]", await store.reads.call("KEYS", "*"))):
        kind = cast("bytes", await store.reads.call("TYPE", key)).decode()
        read = {
            "string": ("GET", key),
            "hash": ("HGETALL", key),
            "set": ("SMEMBERS", key),
            "zset": ("ZRANGE", key, 0, -1),
            "stream": ("XRANGE", key, "-", "+"),
            "list": ("LRANGE", key, 0, -1),
        }[kind]
        found += [key, flat(await store.reads.call(*read))]
    return b"\n".join(found)


def flat(reply: Reply) -> bytes:
    if isinstance(reply, list):
        return b"\n".join(flat(part) for part in reply)
    return reply if isinstance(reply, bytes) else str(reply).encode()


def files(data: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file())


async def everything_about_anna(web: Web) -> str:
    """She buys, talks, is refunded and banned; her order."""
    anna = web.bearer(ANNA)
    body = {"sku": "mug", "quantity": 1, "price_minor": 1000}
    order = str((await expect(201, web.call("POST", "orders", body, token=anna, key="k1")))["id"])
    await expect(
        200, web.call("POST", f"orders/{order}/pay", {"payment_token": "tok_ok"}, token=anna, key="p")
    )
    pid = await web.worker.services.pids.resolve(ANNA)
    said = await web.store.scripts.run("chat", SHOW, pid, "viewer", SAID, "Guest", "")
    await web.store.scripts.run("chat", SHOW, "p_" + "x" * 22, "viewer", "hello", "Guest", "")
    pin = {"action": "pin_message", "message_id": cast("list[bytes]", said)[1].decode()}
    await expect(200, web.call("POST", "moderation", pin, token=web.creator))
    refund: dict[str, Any] = {}
    back = {"restock": True, "reason": TEXT}
    for _ in range(2):  # a repeat encrypts to the same bytes, or it would be a conflict
        refund = await expect(
            200, web.call("POST", f"orders/{order}/refund", back, token=web.creator, key="r")
        )
    assert refund["refunds"][0]["reason"] == TEXT
    ban = {"action": "ban", "subject": ANNA, "reason": TEXT}
    first = await expect(200, web.call("POST", "moderation", ban, token=web.creator, key="b"))
    assert await expect(200, web.call("POST", "moderation", ban, token=web.creator, key="b")) == first
    other = {**ban, "reason": "another"}
    await refused(
        422, "idempotency_conflict", web.call("POST", "moderation", other, token=web.creator, key="b")
    )
    return order


async def reasons(web: Web) -> list[str | None]:
    audit = await expect(200, web.call("GET", "audit", token=web.creator))
    return [entry["reason"] for entry in audit["entries"] if entry["action"] == "ban"]


async def verdict(web: Web) -> object:
    out = io.BytesIO()
    assert await export_show(web.settings, SHOW, out)
    assert not [needle for needle in NEEDLES if needle in out.getvalue()]
    return verify(io.BytesIO(out.getvalue()), seal_key(web.settings).public_key())


async def test_nothing_is_left_of_a_person_who_was_erased(place: tuple[Web, Path]) -> None:
    web, data = place
    anna = web.bearer(ANNA)
    order = await everything_about_anna(web)
    before = await reader.head(web.store, SHOW)
    assert [needle in await dump(web.store) for needle in NEEDLES] == [True, False, True]
    assert [needle in files(data) for needle in NEEDLES] == [True, False, True]
    assert await reasons(web) == [TEXT]
    assert (await expect(200, web.call("GET", f"orders/{order}", token=anna)))["refunds"][0]["reason"] == TEXT
    assert isinstance(await verdict(web), Sound)

    path, another = f"/api/v1/subjects/{ANNA}", web.bearer(ANNA)
    await expect(204, web.call("DELETE", path, token=anna))
    assert before is not None
    await refused(401, "invalid_token", web.call("GET", "/api/v1/me/orders", token=anna))
    await refused(401, "invalid_token", web.call("GET", "/api/v1/me/orders", token=another))
    assert await reasons(web) == [ERASED]
    seen = await expect(200, web.call("GET", f"orders/{order}", token=web.creator))
    assert seen["refunds"][0]["reason"] == ERASED
    assert [needle for needle in NEEDLES if needle in await dump(web.store)] == []
    assert b"hello" in await dump(web.store)
    async with asyncio.timeout(15):  # until the append-only file has been rewritten
        while any(needle in files(data) for needle in NEEDLES):
            await asyncio.sleep(0.05)
    assert before.epoch.encode() in files(data)  # one can look into these files at all
    sound = await verdict(web)
    assert isinstance(sound, Sound)
    assert sound.newest.seq == before.seq + 1  # her chat lines were deleted
    await expect(204, web.call("DELETE", path, token=web.bearer("root", "admin")))


async def test_she_may_come_back_as_somebody_new(place: tuple[Web, Path]) -> None:
    web, _ = place
    pids, revocations = web.worker.services.pids, web.worker.services.revocations
    first = await pids.resolve(ANNA)
    await expect(204, web.call("DELETE", f"/api/v1/subjects/{ANNA}", token=web.bearer("root", "admin")))
    assert revocations.is_erased(ANNA, 0)
    await asyncio.sleep(1.1)  # a token says the second of its issue
    await expect(200, web.call("GET", "/api/v1/me/orders", token=web.bearer(ANNA)))
    assert await pids.resolve(ANNA) != first


async def test_others_may_not(place: tuple[Web, Path]) -> None:
    web, _ = place
    pid = await web.worker.services.pids.resolve(ANNA)
    before = await dump(web.store)
    for token in (web.bearer("boris"), web.creator, web.bearer("root", "admin", SHOW)):
        for name in (ANNA, pid):
            await refused(403, "forbidden", web.call("DELETE", f"/api/v1/subjects/{name}", token=token))
    await refused(401, "token_required", web.call("DELETE", f"/api/v1/subjects/{ANNA}"))
    assert await web.worker.services.pids.find(ANNA) == pid
    assert {ANNA.encode(), pid.encode()} <= set(before.split(b"\n"))


async def test_an_admin_erases_by_the_pid_of_the_audit(place: tuple[Web, Path]) -> None:
    web, _ = place
    pid = await web.worker.services.pids.resolve(ANNA)
    await expect(204, web.call("DELETE", f"/api/v1/subjects/{pid}", token=web.bearer("root", "admin")))
    assert await web.worker.services.pids.find(ANNA) is None


async def test_another_worker_forgets_too_and_a_guest_ends(place: tuple[Web, Path], tmp_path: Path) -> None:
    web, _ = place
    guest = await expect(201, web.call("POST", "/api/v1/guests"))
    async with running(web.store, tmp_path / "second") as other:
        await expect(200, other.call("GET", "/api/v1/me/orders", token=guest["token"]))
        ticket = (await expect(201, other.call("POST", "ticket", token=guest["token"])))["ticket"]
        spare = (await expect(201, other.call("POST", "ticket", token=guest["token"])))["ticket"]
        ws = f"{other.url.replace('http', 'ws')}/ws/{SHOW}"
        async with websockets.connect(ws, subprotocols=protocols(ticket)) as socket:
            await socket.recv()
            await expect(
                204, web.call("DELETE", f"/api/v1/subjects/{guest['subject']}", token=guest["token"])
            )
            with contextlib.suppress(websockets.ConnectionClosed):
                async with asyncio.timeout(2):
                    while True:
                        await socket.recv()
            assert socket.close_code == 4001
        await refused(401, "invalid_token", other.call("GET", "/api/v1/me/orders", token=guest["token"]))
        with pytest.raises(websockets.InvalidStatus, match="403"):
            await websockets.connect(ws, subprotocols=protocols(spare))


def protocols(ticket: str) -> list[websockets.Subprotocol]:
    return [websockets.Subprotocol("vendue.v1"), websockets.Subprotocol(f"ticket.{ticket}")]


async def test_viewers_are_told_what_was_written_by_whichever_worker_serves_them(
    place: tuple[Web, Path], tmp_path: Path
) -> None:
    web, _ = place
    async with running(web.store, tmp_path / "second") as other:
        ticket = (await expect(201, other.call("POST", "ticket", token=other.creator)))["ticket"]
        ws = f"{other.url.replace('http', 'ws')}/ws/{SHOW}"
        async with websockets.connect(ws, subprotocols=protocols(ticket)) as socket:
            while "snapshot" not in str(await socket.recv()):
                pass
            pause = {"action": "pause_sales", "reason": TEXT}
            await expect(200, web.call("POST", "moderation", pause, token=web.creator))
            heard: list[str] = []
            async with asyncio.timeout(5):
                while len(heard) < 2:
                    frame = str(await socket.recv())
                    if '"type":"moderation"' in frame or '"type":"show.state"' in frame:
                        heard.append(frame)
            assert all(TEXT in frame for frame in heard)


async def test_a_text_belongs_where_it_was_written(store: Store) -> None:
    texts = PrivateText(store, "s" * 32)
    pid, other = "p_" + "a" * 22, "p_" + "b" * 22
    box = await texts.encrypt("s1", pid, "reason", "why")
    await texts.encrypt("s1", other, "reason", "x")
    assert texts.tell("s1", {"reason": box, "list": [{"reason": box}], "n": 1}) == {
        "reason": "why",
        "list": [{"reason": "why"}],
        "n": 1,
    }
    moved = {"title": box, "reason": box.replace(pid, other)}
    assert texts.tell("s1", moved) == dict.fromkeys(moved, ERASED)
    assert texts.tell("s2", {"reason": box}) == {"reason": ERASED}
    assert texts.tell("s1", {"reason": box[:-5]}) == {"reason": ERASED}
    assert await texts.encrypt("s1", pid, "reason", "why") != box
    again = await texts.encrypt("s1", pid, "reason", "why", once="k")
    assert await PrivateText(store, "s" * 32).encrypt("s1", pid, "reason", "why", once="k") == again
    assert await texts.encrypt("s1", pid, "reason", "why not", once="k") != again
    assert await texts.encrypt("s1", pid, "reason", "", once="k") == ""
