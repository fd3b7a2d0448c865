"""A draw as people see it: the studio opens a giveaway, two viewers enter, one has it and claims it."""

import os

import pytest
from playwright.async_api import Browser, Page, expect
from support.browser import DESKTOP, PHONE, SOON_S
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SOON_MS = SOON_S * 1000
OVER_MS = 30_000
"""The shortest draw of the studio, and what the browsers may take."""


async def test_one_of_two_who_enter_a_giveaway_has_it(demo: Demo, browser: Browser) -> None:
    await demo.put_product("bowl", "Bowl", 3_000, stock=3)
    async with (
        person(browser, demo.links["watch"], PHONE) as ann,
        person(browser, demo.links["watch"], DESKTOP) as bob,
        person(browser, demo.links["studio"], DESKTOP) as studio,
    ):
        await studio.get_by_test_id("auction-bowl").click()
        await studio.get_by_test_id("draw-instead").click()
        await studio.get_by_test_id("draw-amount").fill("0")
        await studio.get_by_role("button", name="10 s").click()
        await studio.get_by_test_id("draw-open").click()
        await expect(studio.get_by_test_id("draw-refused")).to_contain_text("gives up $", timeout=SOON_MS)
        shots = os.environ.get("SCREENSHOTS")
        if shots:
            await studio.screenshot(path=f"{shots}/draw-dialog.png")
        await studio.get_by_test_id("draw-open").click()
        for page in (ann, bob):
            await expect(page.get_by_test_id("enter")).to_have_text("Enter, it is free", timeout=SOON_MS)
            await page.get_by_test_id("enter").click()
            await expect(page.get_by_test_id("enter")).to_have_text("You are in", timeout=SOON_MS)
        await expect(studio.get_by_test_id("draw-row")).to_contain_text("1 × free")
        await bob.reload()
        await expect(bob.get_by_test_id("enter")).to_have_text("You are in", timeout=SOON_MS)
        if shots:
            await ann.screenshot(path=f"{shots}/draw-entered.png")
            await studio.screenshot(path=f"{shots}/draw-studio.png")
        won, lost = ann.get_by_test_id("hold-sheet"), bob.get_by_test_id("hold-sheet")
        await expect(won.or_(ann.get_by_text("Not you this time."))).to_be_visible(timeout=OVER_MS)
        await expect(lost.or_(bob.get_by_text("Not you this time."))).to_be_visible(timeout=SOON_MS)
        winner, other = (ann, bob) if await won.is_visible() else (bob, ann)
        await expect(other.get_by_test_id("draw-note")).to_contain_text("1 of 2 people got one.")
        if shots:
            await winner.screenshot(path=f"{shots}/draw-won.png")
            await other.screenshot(path=f"{shots}/draw-lost.png")
        await claim(winner)


async def claim(page: Page) -> None:
    await expect(page.get_by_test_id("hold-sheet")).to_contain_text("You have one")
    await page.get_by_test_id("pay").click()
    await expect(page.get_by_test_id("result")).to_have_attribute("data-kind", "paid", timeout=SOON_MS)
