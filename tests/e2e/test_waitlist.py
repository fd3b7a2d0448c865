"""The waitlist as people see it: what comes back is held for the first in line."""

import os

import pytest
from playwright.async_api import Browser, expect
from support.browser import DESKTOP, PHONE, SOON_S
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOON_MS = SOON_S * 1000


async def test_what_comes_back_goes_to_the_first_in_line(demo: Demo, browser: Browser) -> None:
    await demo.put_product("last-lamp", "Last lamp", 4_000, stock=1, pin=True)
    async with (
        person(browser, demo.links["watch"], PHONE) as ann,
        person(browser, demo.links["watch"], PHONE) as bob,
        person(browser, demo.links["watch"], DESKTOP) as eve,
    ):
        await ann.get_by_role("button", name="Buy for $40").click()
        await expect(ann.get_by_test_id("hold-sheet")).to_be_visible(timeout=SOON_MS)
        for page, place in ((bob, "1st"), (eve, "2nd")):
            await expect(page.get_by_test_id("buy")).to_contain_text("Join the waitlist", timeout=SOON_MS)
            await expect(page.get_by_test_id("buy-note")).to_contain_text(
                f"You’d be {place}", timeout=SOON_MS
            )
            await page.get_by_test_id("buy").click()
            await expect(page.get_by_test_id("buy")).to_contain_text(
                f"You are {place} in line", timeout=SOON_MS
            )
        if shots := os.environ.get("SCREENSHOTS"):
            await bob.screenshot(path=f"{shots}/in-line.png")
            await eve.screenshot(path=f"{shots}/in-line-desktop.png")
        await ann.get_by_test_id("give-back").click()
        sheet = bob.get_by_test_id("hold-sheet")
        await expect(sheet).to_contain_text("One came back", timeout=SOON_MS)
        await expect(sheet).to_contain_text("If you pass, the next person gets it.")
        await expect(eve.get_by_test_id("buy")).to_contain_text("You are 1st in line", timeout=SOON_MS)
        if shots:
            await bob.screenshot(path=f"{shots}/turn.png")
        await bob.get_by_test_id("give-back").click()
        await expect(eve.get_by_test_id("hold-sheet")).to_contain_text("One came back", timeout=SOON_MS)
        await eve.get_by_test_id("pay").click()
        await expect(eve.get_by_test_id("result")).to_have_attribute("data-kind", "paid", timeout=SOON_MS)
        await bob.get_by_test_id("result-primary").click()
        await bob.get_by_test_id("buy").click()
        await expect(bob.get_by_test_id("buy")).to_contain_text("You are 1st in line", timeout=SOON_MS)
        await bob.get_by_test_id("leave-line").click()
        await expect(bob.get_by_test_id("buy")).to_contain_text("Join the waitlist", timeout=SOON_MS)
