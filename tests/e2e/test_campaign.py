"""A campaign from the studio's dialog to the viewer's button, and its end."""

import os
import time

import pytest
from playwright.async_api import Browser, expect
from support.browser import DESKTOP, PHONE, SOON_S
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOON_MS = SOON_S * 1000
LOCAL_MINUTE = "ms => new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 16)"


async def test_a_campaign_is_announced_seen_and_stopped(demo: Demo, browser: Browser) -> None:
    shots = os.environ.get("SCREENSHOTS")
    await demo.put_product("kettle", "Kettle", 5_000, stock=3, pin=True)
    async with (
        person(browser, demo.links["studio"], DESKTOP) as studio,
        person(browser, demo.links["watch"], PHONE) as ann,
    ):
        await expect(ann.get_by_test_id("buy")).to_contain_text("Buy for $50", timeout=SOON_MS)
        await expect(studio.get_by_test_id("on-screen-title")).to_have_text("Kettle", timeout=SOON_MS)
        await studio.get_by_test_id("show-flash").click()
        await studio.get_by_test_id("when-dates").click()
        await studio.get_by_test_id("show-flash-percent").fill("20")
        await studio.get_by_test_id("show-flash-start").click()
        await expect(studio.get_by_test_id("show-flash-error")).to_contain_text("a name")
        await studio.get_by_test_id("campaign-title").fill("Black Friday")
        now_ms = int(time.time() * 1000)
        for field, ms in (("campaign-from", now_ms), ("campaign-to", now_ms + 3 * 86_400_000)):
            await studio.get_by_test_id(field).fill(await studio.evaluate(LOCAL_MINUTE, ms))
        if shots:
            await studio.screenshot(path=f"{shots}/campaign-dialog.png")
        await studio.get_by_test_id("show-flash-start").click()
        await expect(ann.get_by_test_id("buy")).to_contain_text("Buy for $40", timeout=SOON_MS)
        await expect(ann.get_by_test_id("pin-card")).to_contain_text("Black Friday, until")
        await expect(ann.get_by_test_id("pin-card")).to_contain_text("Lowest price in 30 days: $50")
        await expect(studio.get_by_test_id("campaign-row")).to_contain_text("Black Friday −20%")
        if shots:
            await studio.screenshot(path=f"{shots}/campaign-studio.png")
            await ann.screenshot(path=f"{shots}/campaign-watch.png")
            await ann.get_by_test_id("bag").click()
            await ann.screenshot(path=f"{shots}/campaign-bag.png")
            await ann.keyboard.press("Escape")
        await ann.reload()  # out of the snapshot now
        await expect(ann.get_by_test_id("buy")).to_contain_text("Buy for $40", timeout=SOON_MS)
        await expect(ann.get_by_test_id("pin-card")).to_contain_text("Lowest price in 30 days: $50")
        await studio.get_by_test_id("campaign-end").click()
        await expect(ann.get_by_test_id("buy")).to_contain_text("Buy for $50", timeout=SOON_MS)
        await expect(studio.get_by_test_id("campaign-row")).to_be_hidden()
