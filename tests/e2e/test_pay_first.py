"""What is paid first, as two viewers see it: both may try, nobody reserves it, and who pays has it."""

import os

import pytest
from playwright.async_api import Browser, expect
from support.browser import DESKTOP, PHONE, SOON_S
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOON_MS = SOON_S * 1000


async def test_who_pays_first_has_it(demo: Demo, browser: Browser) -> None:
    shots = os.environ.get("SCREENSHOTS")
    await demo.put_product("print", "Signed print", 9_000, stock=1, hold_policy="lottery")
    await demo.put_product("kiln", "Small kiln", 5_000, stock=1, pin=True, hold_policy="pay_first")
    async with (
        person(browser, demo.links["watch"], PHONE) as ann,
        person(browser, demo.links["watch"], DESKTOP) as bob,
        person(browser, demo.links["studio"], DESKTOP) as studio,
    ):
        for sku, words in (("print", "By lottery"), ("kiln", "Pay first")):
            await expect(studio.get_by_test_id(f"product-row-{sku}")).to_contain_text(words, timeout=SOON_MS)
        if shots:
            await studio.screenshot(path=f"{shots}/policies-studio.png")
        for page in (ann, bob):
            await expect(page.get_by_test_id("buy")).to_contain_text("Buy for $50", timeout=SOON_MS)
            await expect(page.get_by_test_id("buy-note")).to_contain_text("Nobody can reserve this one")
            await page.get_by_test_id("buy").click()
            await expect(page.get_by_test_id("hold-sheet")).to_contain_text(
                "Yours once paid", timeout=SOON_MS
            )
            await expect(page.get_by_test_id("hold-sheet")).to_contain_text(
                "Nothing is reserved until you pay"
            )
        if shots:
            await ann.screenshot(path=f"{shots}/pay-first-phone.png")
            await bob.screenshot(path=f"{shots}/pay-first-desktop.png")
        await ann.get_by_test_id("pay").click()
        await expect(ann.get_by_test_id("result")).to_have_attribute("data-kind", "paid", timeout=SOON_MS)
        await bob.get_by_test_id("pay").click()
        await expect(bob.get_by_test_id("pay-note")).to_contain_text("Others were faster", timeout=SOON_MS)
        if shots:
            await bob.screenshot(path=f"{shots}/pay-first-too-late.png")
        await bob.get_by_test_id("give-back").click()
        await expect(bob.get_by_test_id("result")).to_have_attribute(
            "data-kind", "given_back", timeout=SOON_MS
        )
        await bob.get_by_test_id("result-primary").click()
        row = bob.get_by_test_id("buy-print")
        await expect(row).to_have_text("Lottery", timeout=SOON_MS)
        await expect(row).to_be_disabled()
