"""After a purchase: the studio lists it with buyer and money, and exports it; the buyer has a receipt."""

import os

import pytest
from playwright.async_api import Browser, ViewportSize, expect
from support.browser import PHONE, SOON_S
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOON_MS = SOON_S * 1000
DESK = ViewportSize(width=1440, height=900)


async def test_the_studio_lists_orders_and_the_buyer_has_a_receipt(demo: Demo, browser: Browser) -> None:
    async with (
        person(browser, demo.links["studio"], DESK) as studio,
        person(browser, demo.links["watch"], PHONE) as ann,
    ):
        await ann.get_by_test_id("buy").click()
        await ann.get_by_test_id("pay").click()
        await expect(ann.get_by_test_id("result")).to_be_visible(timeout=SOON_MS)
        row = studio.get_by_test_id("order-row").first
        await expect(row).to_contain_text("Paid", timeout=SOON_MS)
        await expect(row).to_contain_text("Buyer ")
        await expect(row).to_contain_text("$")
        if shots := os.environ.get("SCREENSHOTS"):
            await studio.screenshot(path=f"{shots}/studio-orders.png")
        async with studio.expect_download() as download:
            await studio.get_by_test_id("orders-file").click()
        file = await (await download.value).path()
        assert file.read_text().startswith("order,entry,placed_at,state,buyer,")
        async with ann.context.expect_page() as opened:
            await ann.get_by_test_id("receipt").click()
        receipt = await opened.value
        await expect(receipt.get_by_test_id("receipt-state")).to_have_text("Paid", timeout=SOON_MS)
        await expect(receipt.get_by_test_id("receipt-sums")).to_contain_text("Total")
        display = await receipt.evaluate("getComputedStyle(document.querySelector('main')).display")
        assert display == "grid"  # its style sheets were found from the copy that the page made
        if shots:
            await receipt.screenshot(path=f"{shots}/receipt.png")
