"""Outgoing webhooks: signed, in order, at least once, whatever dies or does not answer; and never inwards."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from support.receiver import SILENT, Receiver, Taken, receiver
from support.sale import ANNA, BORIS, CREATOR, SECRET, SHOW, Sale, person
from support.store import advance, digest
from support.web import Web, expect, refused

from server.hooks import sender as sending
from server.hooks.message import AGE_MAX_MS, REJECTED_TRIES, RETRY_MAX_MS
from server.hooks.registry import Hooks, HookSpec, HookView
from server.hooks.sender import LEASE_MS, Sender
from server.log import reader
from server.settings import Settings
from server.store.outcome import Refused
from server.store.private_text import PrivateText
from server.store.store import Store

SELLER = person("sam", "seller")


class Desk:
    """A show, its endpoints, and as many senders as a test wants."""

    def __init__(self, store: Store, *, allow_private: bool = True, **webhooks: Any) -> None:
        self.store, self.sale = store, Sale(store)
        sections = {"webhooks": {"allow_private": allow_private, **webhooks}, "auth": {"secret": SECRET}}
        self.texts = PrivateText(store, SECRET)
        self.hooks = Hooks(store, Settings.model_validate(sections), self.texts)
        self.senders: list[Sender] = []

    def sender(self) -> Sender:
        self.senders.append(Sender(self.store, self.hooks, self.texts, f"w{len(self.senders)}"))
        return self.senders[-1]

    async def register(self, url: str, who: Any = CREATOR, name: str = "erp", **spec: Any) -> HookView:
        everything = who is CREATOR
        put = await self.hooks.put(SHOW, who, name, HookSpec(url, **spec), everything=everything)
        assert not isinstance(put, Refused), put
        return put[0]

    async def send(self, sender: Sender | None = None, *, after_ms: int = 0) -> None:
        """One look of a sender (a new one: its process has just begun), and all that follows."""
        if after_ms:
            await advance(self.store, SHOW, after_ms)
        sender = sender or self.sender()
        await sender.look()
        await sender.idle()

    async def state(self, who: Any = CREATOR) -> HookView:
        listed = await self.hooks.listed(SHOW, who)
        assert not isinstance(listed, Refused)
        (view,) = listed
        return view

    async def kinds(self) -> list[str]:
        return [entry.kind for entry in await reader.entries(self.store, SHOW, 0)]


@pytest.fixture
async def endpoint() -> AsyncIterator[Receiver]:
    async with receiver() as running:
        yield running


@pytest.fixture
async def desk(store: Store) -> AsyncIterator[Desk]:
    desk = Desk(store)
    await desk.sale.start()
    await desk.sale.product()
    yield desk
    for sender in desk.senders:
        await sender.close()


async def test_everything_arrives_signed_and_in_order(desk: Desk, endpoint: Receiver) -> None:
    hook = await desk.register(endpoint.url, from_seq=1)
    order = await desk.sale.held()
    await desk.sale.ledger.cancel(SHOW, ANNA, order)
    await desk.send()
    assert hook.secret is not None
    messages = endpoint.verified(hook.secret)
    assert [message["type"] for message in messages] == await desk.kinds()
    assert endpoint.seqs() == list(range(1, len(messages) + 1))
    assert messages[-1]["data"]["body"]["order"]["state"] == "cancelled"
    assert messages[-1]["data"]["subject"] == ANNA.pid
    state = await desk.state()
    assert (state.seq, state.seq, state.secret) == (state.head, len(messages), None)
    await desk.send()
    assert len(endpoint.taken) == len(messages)
    raw = await desk.store.reads.call("HGET", f"ls:{{{SHOW}}}:hooks", "erp")
    assert isinstance(raw, bytes)
    assert hook.secret.encode() not in raw


async def test_a_new_endpoint_begins_now_and_hears_what_it_wants(desk: Desk, endpoint: Receiver) -> None:
    await desk.register(endpoint.url, kinds=("order.*", "product.updated"))
    await desk.sale.product("vase")  # and its stock, which is another kind
    await desk.sale.held(sku="vase")
    await desk.send()
    types = [taken.headers["webhook-id"][:4] for taken in endpoint.taken]
    assert types == ["msg_", "msg_"]
    assert (await desk.state()).seq == (await desk.state()).head


async def test_a_seller_hears_of_own_and_shared_orders_alone(desk: Desk, endpoint: Receiver) -> None:
    await desk.sale.product("sams", seller=SELLER.pid)
    await desk.sale.product("boris", seller=BORIS.pid)
    await desk.register(endpoint.url, SELLER, from_seq=1)
    for sku in ("mug", "sams", "boris"):
        await desk.sale.held(sku=sku)
    await desk.send()
    skus = [taken.data["body"]["order"]["sku"] for taken in endpoint.taken if "order" in taken.data["body"]]
    assert skus == ["mug", "sams"]
    staff = [entry.seq for entry in await reader.entries(desk.store, SHOW, 0) if entry.is_staff]
    assert staff
    assert not set(staff) & set(endpoint.seqs())


async def test_a_failing_endpoint_is_tried_again_later_and_longer(desk: Desk, endpoint: Receiver) -> None:
    endpoint.answer = lambda _: 503
    await desk.register(endpoint.url, from_seq=1)
    await desk.send()
    await desk.send(after_ms=1_000)  # too early
    assert endpoint.seqs() == [1]
    waits: list[int] = []
    for _ in range(8):
        state = await desk.state()
        assert state.retry_at_ms
        waits.append(state.tries)
        await desk.send(after_ms=int(RETRY_MAX_MS * 1.2))
    assert waits == list(range(1, 9))
    assert endpoint.seqs() == [1] * 9  # what fails holds back the rest, and is not given up for days
    ids = {taken.headers["webhook-id"] for taken in endpoint.taken}
    assert len(ids) == 1
    endpoint.answer = lambda _: 200
    await desk.send(after_ms=int(RETRY_MAX_MS * 1.2))
    assert endpoint.seqs(since=9) == list(range(1, len(await desk.kinds()) + 1))
    assert (await desk.state()).dead_letters == ()


@pytest.mark.parametrize("status", [400, 404, 302])
async def test_what_is_rejected_becomes_a_dead_letter(desk: Desk, endpoint: Receiver, status: int) -> None:
    endpoint.answer = lambda taken: status if taken.data["seq"] == 2 else 200
    await desk.register(endpoint.url, from_seq=1)
    for _ in range(REJECTED_TRIES):
        await desk.send(after_ms=int(RETRY_MAX_MS * 1.2))
    head = len(await desk.kinds())
    assert endpoint.seqs() == [1, *[2] * REJECTED_TRIES, *range(3, head + 1)]
    state = await desk.state()
    (dead,) = state.dead_letters
    assert (dead.seq, dead.error, state.seq) == (2, f"answered {status}", head)
    endpoint.answer = lambda _: 200
    before = len(endpoint.taken)
    assert await desk.hooks.replay(SHOW, CREATOR, "erp", 2) is None
    await desk.send()
    assert endpoint.seqs(since=before) == list(range(2, head + 1))


async def test_what_is_days_old_is_given_up(desk: Desk, endpoint: Receiver) -> None:
    endpoint.answer = lambda _: None  # hangs up
    await desk.register(endpoint.url, from_seq=1, kinds=("show.*",))
    await desk.send()
    await desk.send(after_ms=AGE_MAX_MS + 60_000)
    (dead,) = (await desk.state()).dead_letters
    assert (dead.seq, dead.kind) == (1, "show.created")


async def test_gone_is_gone_until_it_is_registered_again(desk: Desk, endpoint: Receiver) -> None:
    endpoint.answer = lambda _: 410
    await desk.register(endpoint.url, from_seq=1)
    await desk.send()
    await desk.send(after_ms=AGE_MAX_MS)
    assert (len(endpoint.taken), (await desk.state()).gone) == (1, True)
    endpoint.answer = lambda _: 200
    assert (await desk.register(endpoint.url)).secret is None
    await desk.send(after_ms=RETRY_MAX_MS)
    assert endpoint.seqs(since=1) == list(range(1, len(await desk.kinds()) + 1))


async def test_many_senders_send_once(desk: Desk, endpoint: Receiver) -> None:
    await desk.register(endpoint.url, from_seq=1)
    for _ in range(9):
        await desk.sale.held(quantity=1)
    senders = [desk.sender() for _ in range(4)]
    await asyncio.gather(*(desk.send(sender) for sender in senders))
    assert endpoint.seqs() == list(range(1, len(await desk.kinds()) + 1))


async def test_a_sender_that_dies_is_followed_by_another(desk: Desk, endpoint: Receiver) -> None:
    """At least once: the message that was taken and not noted comes twice, under one id."""
    await desk.register(endpoint.url, from_seq=1)
    dying = desk.sender()

    def hang(_: Taken) -> int:
        dying._running[SHOW, "erp"].cancel()  # pyright: ignore[reportPrivateUsage] - its process is killed
        return 200

    endpoint.answer = hang
    await desk.send(dying)
    endpoint.answer = lambda _: 200
    await desk.send()  # the dead one's lease holds
    assert endpoint.seqs() == [1]
    await desk.send(after_ms=LEASE_MS)
    assert endpoint.seqs() == [1, *range(1, len(await desk.kinds()) + 1)]
    assert endpoint.taken[0].headers["webhook-id"] == endpoint.taken[1].headers["webhook-id"]


async def test_a_slow_answer_is_no_answer(
    desk: Desk, endpoint: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "POST_S", 0.1)
    endpoint.answer = lambda _: SILENT
    await desk.register(endpoint.url, from_seq=1)
    await desk.send()
    state = await desk.state()
    assert (state.seq, state.tries, state.error) == (0, 1, "no answer in time")


async def test_nothing_goes_to_private_addresses(store: Store, endpoint: Receiver) -> None:
    desk = Desk(store, allow_private=False)
    await desk.sale.start()
    port = endpoint.url.rpartition(":")[2].partition("/")[0]
    put = await desk.hooks.put(SHOW, CREATOR, "plain", HookSpec(endpoint.url), everything=True)
    assert put == Refused("bad_request", {"field": "url"})  # not https
    for name, host in enumerate(("localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254")):
        await desk.register(f"https://{host}:{port}/", name=f"h{name}", from_seq=1)
    sender = desk.sender()
    await desk.send(sender)
    listed = await desk.hooks.listed(SHOW, CREATOR)
    assert not isinstance(listed, Refused)
    assert [(view.tries, view.error) for view in listed] == [(1, "a private address")] * 5
    assert endpoint.taken == []
    await sender.close()


async def test_who_may_not_register_changes_nothing(desk: Desk, endpoint: Receiver) -> None:
    await desk.register(endpoint.url)
    before = await digest(desk.store, SHOW)
    spec = HookSpec(endpoint.url)
    assert await desk.hooks.put(SHOW, ANNA, "x", spec, everything=False) == Refused("forbidden")
    assert await desk.hooks.put(SHOW, SELLER, "erp", spec, everything=False) == Refused("forbidden")
    assert await desk.hooks.delete(SHOW, SELLER, "erp") == Refused("unknown_webhook")
    assert await desk.hooks.replay(SHOW, SELLER, "erp", 1) == Refused("unknown_webhook")
    assert await desk.hooks.replay(SHOW, CREATOR, "none", 1) == Refused("unknown_webhook")
    assert await desk.hooks.listed(SHOW, SELLER) == []
    assert await desk.hooks.listed(SHOW, ANNA) == Refused("forbidden")
    for url in (
        "ftp://x.example/",
        "https://u:p@x.example/",
        "https://x.example:0/",
        "https:///x",
        "x",
        "https://ü.example/",
    ):
        refused = await desk.hooks.put(SHOW, CREATOR, "bad", HookSpec(url), everything=True)
        assert refused == Refused("bad_request", {"field": "url"}), url
    assert await digest(desk.store, SHOW) == before
    for n in range(9):
        await desk.register(endpoint.url, name=f"n{n}")
    full = await desk.hooks.put(SHOW, CREATOR, "eleventh", spec, everything=True)
    assert full == Refused("too_many_webhooks")


async def test_endpoints_of_the_settings_hear_every_show_from_its_first_entry(
    store: Store, endpoint: Receiver
) -> None:
    secret = "whsec_" + "A" * 32
    desk = Desk(store, endpoints=[{"url": endpoint.url, "secret": secret, "kinds": ["order.*"]}])
    await desk.sale.start()
    await desk.sale.product()
    await desk.sale.held()
    sender = desk.sender()
    await desk.send(sender)
    (message,) = endpoint.verified(secret)
    assert message["type"] == "order.held"
    await sender.close()


async def test_over_http(web: Web) -> None:
    """Registering, listing, replaying, deleting; the worker's own sender refuses the private address."""
    body = {"url": "https://127.0.0.1:1/hook", "kinds": ["order.*"], "from_seq": 1}
    made = await expect(201, web.call("PUT", "webhooks/erp", body, token=web.creator))
    assert made["secret"].startswith("whsec_")
    again = await expect(200, web.call("PUT", "webhooks/erp", {"url": body["url"]}, token=web.creator))
    assert (again["secret"], again["kinds"]) == (None, [])
    (listed,) = (await expect(200, web.call("GET", "webhooks", token=web.creator)))["webhooks"]
    assert (listed["name"], listed["url"]) == ("erp", body["url"])
    ann = web.bearer("ann")
    await refused(403, "forbidden", web.call("GET", "webhooks", token=ann))
    await refused(403, "forbidden", web.call("PUT", "webhooks/x", body, token=ann))
    await refused(400, "bad_request", web.call("PUT", "webhooks/A%20b", body, token=web.creator))
    wrong = {"url": body["url"], "kinds": ["order"]}
    await refused(400, "bad_request", web.call("PUT", "webhooks/x", wrong, token=web.creator))
    path = "webhooks/erp/replay"
    replayed = await expect(200, web.call("POST", path, {"from_seq": 1}, token=web.creator))
    assert replayed["seq"] == 0
    async with asyncio.timeout(5):
        while not (await expect(200, web.call("GET", "webhooks", token=web.creator)))["webhooks"][0]["error"]:
            await asyncio.sleep(0.05)
    await expect(204, web.call("DELETE", "webhooks/erp", token=web.creator))
    await refused(404, "unknown_webhook", web.call("DELETE", "webhooks/erp", token=web.creator))
