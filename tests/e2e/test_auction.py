"""An auction as people see it: the studio opens a lot, two viewers bid for it, the winner pays."""

import pytest
from playwright.async_api import Browser, expect
from support.browser import DESKTOP, PHONE, SOON_S
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOON_MS = SOON_S * 1000
OVER_MS = 60_000
"""The shortest lot of the studio, and some seconds that late bids add."""


async def test_two_viewers_bid_and_the_winner_pays(demo: Demo, browser: Browser) -> None:
    async with (
        person(browser, demo.links["watch"], PHONE) as ann,
        person(browser, demo.links["watch"], DESKTOP) as bob,
        person(browser, demo.links["studio"], DESKTOP) as studio,
    ):
        await studio.get_by_test_id("auction-dune").click()
        await studio.get_by_test_id("lot-start").fill("30")
        await studio.get_by_role("button", name="30 s").click()
        await studio.get_by_test_id("lot-open").click()
        await expect(ann.get_by_test_id("bid")).to_have_text("Bid $30", timeout=SOON_MS)
        await ann.get_by_test_id("bid").click()
        await expect(ann.get_by_test_id("lot-note")).to_contain_text("You lead", timeout=SOON_MS)
        await expect(bob.get_by_test_id("bid")).to_have_text("Bid $31", timeout=SOON_MS)
        await bob.get_by_test_id("bid-more").click()
        await bob.get_by_test_id("bid-max").fill("45")
        await bob.get_by_test_id("bid-max-go").click()
        await expect(bob.get_by_test_id("lot-price")).to_have_text("$31", timeout=SOON_MS)
        await expect(ann.get_by_test_id("lot-note")).to_contain_text("Another bidder leads", timeout=SOON_MS)
        await ann.get_by_test_id("bid").click()
        await expect(ann.get_by_test_id("lot-error")).to_contain_text("higher maximum", timeout=SOON_MS)
        await expect(studio.get_by_test_id("lot-row")).to_contain_text("3 bids", timeout=SOON_MS)
        await expect(bob.get_by_test_id("lot-note")).to_contain_text("It is yours for $33", timeout=OVER_MS)
        await expect(ann.get_by_test_id("lot-note")).to_contain_text("Sold for $33", timeout=SOON_MS)
        await bob.get_by_test_id("hold-bar").click()
        await bob.get_by_test_id("pay").click()
        await expect(bob.get_by_test_id("result")).to_have_attribute("data-kind", "paid", timeout=SOON_MS)
