"""Stripe's webhooks over HTTP: they hasten what is true; who forges, keeps or repeats one gets nothing."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.stripe_stand_in import SECRET_KEY, WEBHOOK_SECRET, StandIn, stand_in
from support.web import Web, expect, refused, running

from server.store.store import Store

BUY = {"sku": "mug", "quantity": 1, "price_minor": 1000}


@pytest.fixture
async def stripe() -> AsyncIterator[StandIn]:
    async with stand_in() as running_stripe:
        yield running_stripe


@pytest.fixture
async def web(store: Store, stripe: StandIn, tmp_path: Path) -> AsyncIterator[Web]:
    payments = {
        "gateway": "stripe",
        "stripe_secret_key": SECRET_KEY,
        "stripe_webhook_secret": WEBHOOK_SECRET,
        "stripe_api_base": stripe.url,
    }
    http = {"public_url": "https://live.example"}
    async with running(store, tmp_path, payments=payments, http=http) as server:
        await server.open_show()
        yield server


async def at_the_bank(web: Web) -> dict[str, Any]:
    """An order whose buyer is at the bank."""
    placed = await expect(201, web.call("POST", "orders", BUY, token=web.bearer("ann"), key="k1"))
    pay = web.call("POST", f"orders/{placed['id']}/pay", {"payment_token": "pm_3ds"}, token=web.bearer("ann"))
    paying = await expect(202, pay)
    assert (paying["state"], paying["next_action"]) == ("paying", "https://bank.example/3ds")
    return placed


async def post(web: Web, message: tuple[bytes, str | None]) -> httpx.Response:
    body, signature = message
    headers = {"content-type": "application/json"}
    if signature is not None:
        headers["stripe-signature"] = signature
    return await web.client.post("/webhooks/stripe", content=body, headers=headers)


async def counted(web: Web) -> int:
    """Messages refused for their signature since the process began."""
    metrics = (await web.client.get("/metrics")).text
    found = re.findall(r'vendue_stripe_webhooks_total{outcome="bad_signature".*} (\d+)', metrics)
    return sum(int(value) for value in found)


async def state_of(web: Web, order: str) -> str:
    return (await expect(200, web.call("GET", f"orders/{order}", token=web.bearer("ann"))))["state"]


async def test_a_message_ends_the_wait(web: Web, stripe: StandIn) -> None:
    placed = await at_the_bank(web)
    (intent,) = stripe.intents.values()
    stripe.authenticate(intent["id"])
    await expect(204, post(web, stripe.event("payment_intent.amount_capturable_updated", intent)))
    async with asyncio.timeout(3):  # far below the 15 s after which it would have been asked anyway
        while stripe.net(intent["id"]) != 1000:
            await asyncio.sleep(0.02)
    assert await state_of(web, placed["id"]) == "paid"


async def test_a_message_is_never_believed_about_money(web: Web, stripe: StandIn) -> None:
    placed = await at_the_bank(web)
    (intent,) = stripe.intents.values()
    lie = {**intent, "status": "requires_capture"}
    await expect(204, post(web, stripe.event("payment_intent.amount_capturable_updated", lie)))
    await asyncio.sleep(0.3)
    assert await state_of(web, placed["id"]) == "paying"
    assert not stripe.captures


async def test_forged_old_and_broken_messages_change_nothing(web: Web, stripe: StandIn) -> None:
    await at_the_bank(web)
    (intent,) = stripe.intents.values()
    stripe.authenticate(intent["id"])
    kind = "payment_intent.amount_capturable_updated"
    body, signature = stripe.event(kind, intent)
    count = await counted(web)
    before, asked = await web.digest(), len(stripe.requests)
    for message in (
        (body, None),
        (body, ""),
        (body, "t=x,v1=y"),
        (body, signature.replace("v1=", "v0=")),
        (body + b" ", signature),
        (b"\xff" + body, signature),
        stripe.event(kind, intent, secret="whsec_other"),
        stripe.event(kind, intent, age_s=301),
    ):
        await refused(400, "bad_signature", post(web, message))
    await refused(413, "too_large", post(web, (b" " * 65_537, signature)))
    await refused(405, "method_not_allowed", web.client.get("/webhooks/stripe"))
    assert (await web.digest(), len(stripe.requests)) == (before, asked)
    assert not await web.store.redis.keys("ls:stripe:event:*"), "none counts as taken"
    assert await counted(web) == count + 8


async def test_a_message_counts_once(web: Web, stripe: StandIn) -> None:
    await at_the_bank(web)
    (intent,) = stripe.intents.values()
    kind = "payment_intent.processing"
    first = stripe.event(kind, intent, event="evt_once")
    await expect(204, post(web, first))
    await asyncio.sleep(0.2)
    before, asked = await web.digest(), len(stripe.requests)
    await refused(409, "webhook_replayed", post(web, first))
    again = stripe.event(kind, intent, event="evt_once", age_s=10)  # Stripe has missed our answer
    await expect(204, post(web, again))
    await asyncio.sleep(0.2)
    assert (await web.digest(), len(stripe.requests)) == (before, asked)
    assert 0 < await web.store.redis.ttl("ls:stripe:event:evt_once") <= 600


async def test_messages_about_others_are_taken_and_ignored(web: Web, stripe: StandIn) -> None:
    asked = len(stripe.requests)
    for thing in (
        {},
        {"metadata": None},
        {"metadata": {"show": "a{b}", "attempt": "o:1"}},
        {"metadata": {"show": "show1", "attempt": "nonsense"}},
    ):
        await expect(204, post(web, stripe.event("payment_intent.succeeded", thing)))
    await expect(204, post(web, stripe.event("customer.created", {})))
    assert len(stripe.requests) == asked


async def test_without_stripe_there_is_no_such_address(store: Store, tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        plain = await stack.enter_async_context(running(store, tmp_path))
        await refused(404, "not_found", post(plain, (b"{}", "t=1,v1=x")))
