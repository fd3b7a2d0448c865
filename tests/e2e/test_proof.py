"""The proof of a purchase as its buyer sees it: true after buying, false once a byte is another."""

import pytest
from playwright.async_api import Browser, Route, expect
from support.browser import PHONE, SOON_S
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOON_MS = SOON_S * 1000


async def one_letter_else(route: Route) -> None:
    answer = await route.fetch()
    await route.fulfill(response=answer, body=(await answer.text()).replace("paid", "pajd", 1))


async def test_a_buyer_sees_the_proof_and_a_changed_byte_breaks_it(demo: Demo, browser: Browser) -> None:
    async with person(browser, demo.links["watch"], PHONE) as ann:
        await ann.get_by_test_id("buy").click()
        await ann.get_by_test_id("pay").click()
        link = ann.get_by_test_id("see-proof")
        href = await link.get_attribute("href", timeout=SOON_MS)
        page = await ann.context.new_page()
        url = f"{demo.server.url}{href}"
        await page.goto(url)
        proof = page.get_by_test_id("proof")
        await expect(proof).to_have_attribute("data-verdict", "holds", timeout=SOON_MS)
        await expect(page.get_by_test_id("order-state")).to_have_text("Paid")
        await expect(page.get_by_test_id("check-fair")).to_be_visible()
        await page.route("**/proof", one_letter_else)
        await page.reload()
        await expect(proof).to_have_attribute("data-verdict", "broken", timeout=SOON_MS)
        await expect(page.get_by_test_id("order-state")).to_have_text("Not proven")
        await expect(page.get_by_test_id("check-fair")).to_have_count(0)
