"""A coupon as a viewer uses it: typed once, the button says the price with it, and that is what is held."""

import os

import pytest
from playwright.async_api import Browser, expect
from support.browser import DESKTOP, PHONE, SOON_S
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOON_MS = SOON_S * 1000


async def test_a_coupon_is_typed_once_and_counts(demo: Demo, browser: Browser) -> None:
    await demo.put_product("samovar", "Samovar", 5_000, stock=3, pin=True)
    await demo.ask("PUT", "coupons/autumn", {"percent_off": 20, "skus": ["samovar"]}, expected=201)
    async with person(browser, demo.links["watch"], PHONE) as ann:
        await expect(ann.get_by_test_id("buy")).to_contain_text("Buy for $50", timeout=SOON_MS)
        await ann.get_by_test_id("bag").click()
        await ann.get_by_test_id("coupon-code").fill("winter")
        await ann.get_by_test_id("coupon-go").click()
        await expect(ann.get_by_test_id("coupon-error")).to_contain_text("no such coupon", timeout=SOON_MS)
        await ann.get_by_test_id("coupon-code").fill("autumn")
        await ann.get_by_test_id("coupon-go").click()
        await expect(ann.get_by_test_id("coupon-used")).to_contain_text("AUTUMN · 20% off", timeout=SOON_MS)
        if shots := os.environ.get("SCREENSHOTS"):
            await ann.screenshot(path=f"{shots}/coupon-bag.png")
        await ann.keyboard.press("Escape")
        await expect(ann.get_by_test_id("buy")).to_contain_text("Buy for $40", timeout=SOON_MS)
        await expect(ann.get_by_test_id("buy-note")).to_contain_text("With your coupon AUTUMN")
        if shots:
            await ann.screenshot(path=f"{shots}/coupon-pin.png")
        await ann.get_by_test_id("buy").click()
        await expect(ann.get_by_test_id("pay")).to_have_text("Pay $40.00", timeout=SOON_MS)
        await ann.get_by_test_id("pay").click()
        await expect(ann.get_by_test_id("result")).to_have_attribute("data-kind", "paid", timeout=SOON_MS)


async def test_the_studio_makes_a_coupon_sees_its_use_and_ends_it(demo: Demo, browser: Browser) -> None:
    async with person(browser, demo.links["studio"], DESKTOP) as studio:
        await studio.get_by_test_id("coupons").click()
        await studio.get_by_test_id("coupon-name").fill("spring")
        await studio.get_by_test_id("coupon-off").fill("90")
        await studio.get_by_test_id("coupon-each").fill("1")
        await studio.get_by_test_id("coupon-make").click()
        await expect(studio.get_by_test_id("coupon-refused")).to_contain_text("give up $", timeout=SOON_MS)
        await studio.get_by_test_id("coupon-off").fill("15")
        await studio.get_by_test_id("coupon-make").click()
        row = studio.get_by_test_id("coupon-row").filter(has_text="SPRING")
        await expect(row).to_contain_text("−15% · 0 used · 1 each", timeout=SOON_MS)
        if shots := os.environ.get("SCREENSHOTS"):
            await studio.screenshot(path=f"{shots}/coupon-studio.png")
        await studio.get_by_test_id("coupon-end-SPRING").click()
        await expect(row).to_contain_text("over", timeout=SOON_MS)
