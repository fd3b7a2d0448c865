"""A whole show as people see it: headless Chromium, the real server, a camera and the synthetic creator."""

import asyncio

import pytest
from playwright.async_api import Browser, Page, expect
from support.browser import DESKTOP, PHONE, SOON_S, frames_pass, inbound_video
from support.demo import Demo
from support.people import person

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WATCH_S = 4.0
WINDOWS = 3
FRAMES_IN_WATCH = 80
SOON_MS = SOON_S * 1000


async def watch_for_a_while(*pages: Page) -> None:
    """Every page decodes ≥ 80 frames in 4 s, and none freezes.

    Browsers encode and decode in software here, so a machine that is busy for a moment stalls them by
    itself: one window of three must be whole.
    """
    for page in pages:
        await frames_pass(page, 30)  # past the start
    seen: list[list[dict[str, int]]] = []
    for _ in range(WINDOWS):
        before = [await inbound_video(page) for page in pages]
        await asyncio.sleep(WATCH_S)
        after = [await inbound_video(page) for page in pages]
        seen.append(
            [{key: now[key] - was[key] for key in now} for was, now in zip(before, after, strict=True)]
        )
        if all(page["frames"] >= FRAMES_IN_WATCH and not page["freezes"] for page in seen[-1]):
            return
    raise AssertionError(f"no {WATCH_S} s of smooth video: {seen}")


async def go_live(studio: Page, *viewers: Page) -> None:
    """The studio's camera takes the show over; the viewers keep their connections and see its picture."""
    await expect(studio.get_by_test_id("preview")).to_be_visible()
    await studio.get_by_test_id("go-live").click()
    for viewer in viewers:
        async with asyncio.timeout(SOON_S * 2):
            while (await inbound_video(viewer))["width"] != CAMERA_WIDTH:
                await asyncio.sleep(0.1)


CAMERA_WIDTH = 1280  # what the studio asks of the fake camera; the synthetic creator's clip is 720 wide


async def test_the_synthetic_creator_plays_for_two_viewers_at_once(demo: Demo, browser: Browser) -> None:
    async with (
        person(browser, demo.links["watch"], PHONE, video=True) as ann,
        person(browser, demo.links["watch"], DESKTOP, video=True) as bob,
    ):
        await watch_for_a_while(ann, bob)
        for page in (ann, bob):
            await expect(page.get_by_test_id("pin-title")).to_contain_text("Dune")


async def test_a_camera_takes_over_and_a_reload_brings_the_picture_back(demo: Demo, browser: Browser) -> None:
    async with (
        person(browser, demo.links["watch"], PHONE, video=True) as ann,
        person(browser, demo.links["studio"], DESKTOP, video=True) as studio,
    ):
        await go_live(studio, ann)
        await watch_for_a_while(ann)
        peers = await ann.evaluate("window.vendue.peers.length")
        await studio.reload()
        await go_live(studio, ann)
        await watch_for_a_while(ann)
        assert await ann.evaluate("window.vendue.peers.length") == peers == 1


async def test_pin_and_flash_price_reach_every_viewer(demo: Demo, browser: Browser) -> None:
    async with (
        person(browser, demo.links["watch"], PHONE, video=True) as ann,
        person(browser, demo.links["watch"], DESKTOP, video=True) as bob,
        person(browser, demo.links["studio"], DESKTOP, video=True) as studio,
    ):
        await studio.get_by_test_id("pin-mug").click()
        for page in (ann, bob):
            await expect(page.get_by_test_id("pin-title")).to_contain_text("Tide mug", timeout=SOON_MS)
        await studio.get_by_test_id("flash-mug").click()
        await studio.get_by_test_id("flash-price").fill("12")
        await studio.get_by_test_id("flash-start").click()
        for page in (ann, bob):
            await expect(page.get_by_test_id("pin-price")).to_contain_text("$12", timeout=SOON_MS)
            await expect(page.get_by_test_id("buy")).to_contain_text("$12", timeout=SOON_MS)


async def test_a_flash_price_that_repeats_says_which_window_it_is(demo: Demo, browser: Browser) -> None:
    creator = demo.creator()
    body = {"title": "Again and again", "price_minor": 2_500, "stock": 9}
    status, _ = await creator.call("PUT", "/api/v1/shows/demo/products/again", body)
    assert status == 201
    async with (
        person(browser, demo.links["watch"], PHONE) as ann,
        person(browser, demo.links["studio"], DESKTOP) as studio,
    ):
        await studio.get_by_test_id("pin-again").click()
        await studio.get_by_test_id("flash-again").click()
        start = studio.get_by_test_id("flash-start")
        for name, value in (("price", "20"), ("quantity", "1"), ("times", "3"), ("every", "3")):
            await studio.get_by_test_id(f"flash-{name}").fill(value)
        await expect(start).to_be_disabled()  # three minutes every three minutes: they would meet
        await studio.get_by_test_id("flash-every").fill("15")
        await start.click()
        now = studio.locator("#now")
        await expect(now).to_contain_text("Flash running · 1 of 3", timeout=SOON_MS)
        await expect(ann.get_by_test_id("buy")).to_contain_text("$20", timeout=SOON_MS)
        await ann.get_by_test_id("buy").click()
        await expect(ann.get_by_test_id("hold-sheet")).to_be_visible(timeout=SOON_MS)
        await expect(now).to_contain_text("· 2 of 3", timeout=SOON_MS)  # the first is used up
        await expect(now).to_contain_text("Flash starts in 1")
        await expect(studio.get_by_test_id("product-row-again")).to_contain_text("2/3")
        await studio.get_by_test_id("end-flash").click()
        await expect(now).to_contain_text("On screen now", timeout=SOON_MS)
    _, snapshot = await creator.call("GET", "/api/v1/shows/demo")
    creator.close()
    assert next(each for each in snapshot["products"] if each["sku"] == "again")["flash"] is None


async def test_the_last_unit_goes_to_one_and_the_other_sees_sold_out(demo: Demo, browser: Browser) -> None:
    creator = demo.creator()
    show = "/api/v1/shows/demo"
    status, _ = await creator.call(
        "PUT", f"{show}/products/last", {"title": "Last one", "price_minor": 2_500, "stock": 1}
    )
    assert status == 201
    status, _ = await creator.call("PUT", f"{show}/pin", {"sku": "last"})
    assert status == 200
    async with (
        person(browser, demo.links["watch"], PHONE) as ann,
        person(browser, demo.links["watch"], PHONE) as bob,
    ):
        for page in (ann, bob):
            await expect(page.get_by_test_id("pin-title")).to_contain_text("Last one", timeout=SOON_MS)
        await ann.get_by_test_id("buy").click()
        await expect(ann.get_by_test_id("hold-sheet")).to_be_visible(timeout=SOON_MS)
        await expect(bob.get_by_test_id("sold-out")).to_be_visible(timeout=SOON_MS)
        await ann.get_by_test_id("pay").click()
        await expect(ann.get_by_test_id("result")).to_be_visible(timeout=SOON_MS)
    _, snapshot = await creator.call("GET", show)
    creator.close()
    product = next(product for product in snapshot["products"] if product["sku"] == "last")
    assert (product["left"], product["held"], product["sold"]) == (0, 0, 1)


async def test_a_ban_takes_chat_and_video_from_one_viewer_only(demo: Demo, browser: Browser) -> None:
    async with (
        person(browser, demo.links["watch"], PHONE, video=True) as ann,
        person(browser, demo.links["watch"], PHONE, video=True) as bob,
        person(browser, demo.links["moderate"], DESKTOP, video=True) as moderator,
    ):
        await frames_pass(ann, 30)
        await frames_pass(bob, 30)
        await bob.get_by_test_id("chat-input").fill("buy elsewhere")
        await bob.get_by_test_id("chat-input").press("Enter")
        message = moderator.get_by_test_id("chat-list").get_by_text("buy elsewhere")
        await message.click(timeout=SOON_MS)
        await moderator.get_by_test_id("ban").first.click()
        await expect(bob.get_by_test_id("banned")).to_be_visible(timeout=SOON_MS)
        await expect(bob.get_by_test_id("chat-input")).to_be_disabled()
        await asyncio.sleep(1)
        stopped = (await inbound_video(bob))["frames"]
        await watch_for_a_while(ann)
        assert (await inbound_video(bob))["frames"] in (0, stopped)
        await ann.get_by_test_id("chat-input").fill("still here")
        await ann.get_by_test_id("chat-input").press("Enter")
        await moderator.keyboard.press("Escape")  # the list stands still while a message is selected
        await expect(moderator.get_by_test_id("chat-list").get_by_text("still here")).to_be_visible()
