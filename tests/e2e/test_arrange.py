"""The studio arranges the bag: what viewers see and can buy follows, and a set brings it back."""

import pytest
from playwright.async_api import Browser, Page, expect
from support.browser import DESKTOP, PHONE, SOON_S
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOON_MS = SOON_S * 1000
ROWS = "[data-testid=bag-sheet] [data-testid^=product-]"


async def skus(page: Page, rows: str, prefix: str) -> list[str]:
    found = await page.locator(rows).evaluate_all("rows => rows.map(({dataset}) => dataset.testid)")
    return [name.removeprefix(prefix) for name in found]


async def test_the_bag_follows_the_studio(demo: Demo, browser: Browser) -> None:
    async with (
        person(browser, demo.links["studio"], DESKTOP) as studio,
        person(browser, demo.links["watch"], PHONE) as viewer,
    ):
        await viewer.get_by_test_id("bag").click()
        await expect(viewer.locator(ROWS)).not_to_have_count(0, timeout=SOON_MS)  # once the show is loaded
        before = await skus(viewer, ROWS, "product-")
        assert len(before) >= 3
        await expect(studio.get_by_test_id("on-screen-title")).not_to_be_empty(timeout=SOON_MS)
        pinned_title = await studio.get_by_test_id("on-screen-title").inner_text()
        await studio.get_by_test_id("bag-arrange").click()
        await studio.get_by_test_id("set-title").fill("Everything")
        await studio.get_by_test_id("set-keep").click()
        await expect(studio.get_by_test_id("set-everything")).to_be_visible(timeout=SOON_MS)
        gone, rest = before[-1], before[:-1]
        await studio.get_by_test_id(f"bag-{gone}").uncheck()
        await studio.locator("[data-testid=bag-rows] button", has_text="↓").first.click()
        await studio.get_by_test_id("bag-save").click()
        wanted = [rest[1], rest[0], *rest[2:]]
        await expect(viewer.locator(ROWS)).to_have_count(len(wanted), timeout=SOON_MS)
        assert await skus(viewer, ROWS, "product-") == wanted
        assert pinned_title == await studio.get_by_test_id("on-screen-title").inner_text()
        await studio.get_by_test_id("bag-arrange").click()
        await studio.get_by_test_id("set-everything").click()
        await studio.get_by_test_id("bag-save").click()
        await expect(viewer.locator(ROWS)).to_have_count(len(before), timeout=SOON_MS)
        assert await skus(viewer, ROWS, "product-") == before
