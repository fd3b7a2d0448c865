"""Takes the README's picture from the running demo: a phone and a desktop that watch the same show.

python scripts/screenshots.py docs/images/watch.png
"""

import asyncio
import base64
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent.parent / part) for part in ("", "tests")]

from playwright.async_api import Browser, Page, ViewportSize  # noqa: E402
from support.browser import DESKTOP, PHONE, chromium, frames_pass  # noqa: E402
from support.demo import Demo  # noqa: E402
from support.server_process import ServerProcess  # noqa: E402

SAID = ("How tall is it?", "The glaze is lovely", "Does it fit a gas stove?")
FRAMES_BEFORE = 120
SHEET = """<body style="margin:0;background:#0d0e0b;display:flex;gap:28px;padding:28px;width:1574px">
<img style="height:760px;border-radius:22px" src="data:image/png;base64,{phone}">
<img style="height:760px;border-radius:14px" src="data:image/png;base64,{desktop}"></body>"""


async def visitor(browser: Browser, url: str, viewport: ViewportSize) -> Page:
    context = await browser.new_context(viewport=viewport, color_scheme="dark")
    page = await context.new_page()
    await page.goto(url)
    return page


async def say(page: Page, text: str) -> None:
    await page.get_by_test_id("chat-input").fill(text)
    await page.get_by_test_id("chat-input").press("Enter")


async def buy_one(page: Page) -> None:
    await page.get_by_test_id("buy").click()
    await page.get_by_test_id("pay").click()
    await page.get_by_test_id("result").wait_for()


async def take(demo: Demo, out: Path) -> None:
    creator = demo.creator()
    flash = {"sku": "dune", "price_minor": 2_900, "duration_s": 120, "quantity": 40}
    await creator.call("POST", "/api/v1/shows/demo/flash", flash, "picture")
    creator.close()
    async with chromium() as browser:
        phone = await visitor(browser, demo.links["watch"], PHONE)
        desktop = await visitor(browser, demo.links["watch"], DESKTOP)
        buyer = await visitor(browser, demo.links["watch"], PHONE)
        for page, text in zip((phone, desktop, buyer), SAID, strict=True):
            await say(page, text)
        await buy_one(buyer)
        await frames_pass(desktop, FRAMES_BEFORE)
        shots = [base64.b64encode(await page.screenshot()).decode() for page in (phone, desktop)]
        sheet = await visitor(browser, "about:blank", {"width": 1_630, "height": 816})
        await sheet.set_content(SHEET.format(phone=shots[0], desktop=shots[1]))
        await sheet.screenshot(path=out)


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        data_dir = Path(scratch) / "data"
        server = ServerProcess(data_dir, ["demo", "--data-dir", str(data_dir)])
        server.args += ["--port", str(server.port)]
        with server:
            asyncio.run(take(Demo(server), Path(sys.argv[1])))


if __name__ == "__main__":
    main()
