"""After a purchase: the studio lists it with buyer and money, and exports it; the buyer has a receipt."""

import os
from pathlib import Path

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


async def test_a_bag_is_held_as_one_order_or_not_at_all(demo: Demo, browser: Browser) -> None:
    async with (
        person(browser, demo.links["studio"], DESK) as studio,
        person(browser, demo.links["watch"], PHONE) as ben,
    ):
        await ben.get_by_test_id("bag").click()
        sheet = ben.get_by_test_id("bag-sheet")
        plus = sheet.locator("[data-testid^=pick-]")
        await expect(ben.get_by_test_id("hold-bag")).to_be_hidden()
        for at in (1, 1, 2):
            await plus.nth(at).click()
        if shots := os.environ.get("SCREENSHOTS"):
            await ben.screenshot(path=f"{shots}/bag.png")
        await expect(ben.get_by_test_id("hold-bag")).to_contain_text("Hold 3 items for $")
        sums = (await ben.get_by_test_id("hold-bag").inner_text()).rpartition(" ")[2]
        await ben.get_by_test_id("hold-bag").click()
        await expect(ben.get_by_test_id("hold-line")).to_have_count(2, timeout=SOON_MS)
        await expect(ben.get_by_test_id("hold-line").first).to_contain_text("× 2")
        await expect(ben.get_by_test_id("pay")).to_contain_text(sums)
        if shots:
            await ben.screenshot(path=f"{shots}/bag-held.png")
        await ben.get_by_test_id("pay").click()
        await expect(ben.get_by_test_id("result")).to_be_visible(timeout=SOON_MS)
        await expect(studio.get_by_test_id("order-row").first).to_contain_text("+ 1 more", timeout=SOON_MS)
        await ben.get_by_test_id("result-primary").click()
        await ben.get_by_test_id("bag").click()
        await expect(ben.get_by_test_id("hold-bag")).to_be_hidden()


async def test_products_come_from_a_file_and_its_bad_rows_are_shown(
    demo: Demo, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "new.csv"
    async with person(browser, demo.links["studio"], DESK) as studio:
        rows = studio.locator("[data-testid^=product-row-]")
        await expect(rows.first).to_be_visible(timeout=SOON_MS)
        had = await rows.count()
        file.write_text("sku,title,price_minor,stock\nnew-jar,Jar,1200,4\nnew-cup,Cup,free,4\n")
        await studio.get_by_test_id("products-input").set_input_files(file)
        wrong = studio.get_by_test_id("bad-rows")
        await expect(wrong).to_contain_text("price_minor", timeout=SOON_MS)
        await expect(wrong).to_contain_text("Nothing of the file was taken")
        if shots := os.environ.get("SCREENSHOTS"):
            await studio.screenshot(path=f"{shots}/bad-rows.png")
        await wrong.get_by_role("button").click()
        assert await rows.count() == had
        file.write_text("sku,title,price_minor,stock\nnew-jar,Jar,1200,4\nnew-cup,Cup,900,4\n")
        await studio.get_by_test_id("products-input").set_input_files(file)
        await expect(studio.get_by_test_id("product-row-new-cup")).to_be_visible(timeout=SOON_MS)
        await expect(rows).to_have_count(had + 2)
        async with studio.expect_download() as download:
            await studio.get_by_test_id("products-file").click()
        assert "new-jar,Jar,1200" in (await (await download.value).path()).read_text()


async def test_a_variant_is_chosen_on_the_pinned_product(
    demo: Demo, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "tees.csv"
    rows = "tee-m,Linen tee,2000,4,tee,Size=M\ntee-l,Linen tee,2200,4,tee,Size=L\n"
    file.write_text("sku,title,price_minor,stock,group,options\n" + rows)
    async with (
        person(browser, demo.links["studio"], DESK) as studio,
        person(browser, demo.links["watch"], PHONE) as eve,
    ):
        await studio.get_by_test_id("products-input").set_input_files(file)
        await studio.get_by_test_id("pin-tee-m").click()
        choice = eve.get_by_test_id("variant")
        await expect(choice).to_have_value("tee-m", timeout=SOON_MS)
        await expect(choice.locator("option")).to_have_text(["Size M · $20", "Size L · $22"])
        await choice.select_option("tee-l")
        await expect(eve.get_by_test_id("pin-price")).to_have_text("$22")
        if shots := os.environ.get("SCREENSHOTS"):
            await eve.screenshot(path=f"{shots}/variant.png")
        await eve.get_by_test_id("buy").click()
        await expect(eve.get_by_test_id("pay")).to_contain_text("$22", timeout=SOON_MS)
        await studio.keyboard.press("1")  # pins the first product
        await eve.get_by_test_id("give-back").click()
        await eve.get_by_test_id("result-primary").click()
        await expect(choice).to_be_hidden(timeout=SOON_MS)
