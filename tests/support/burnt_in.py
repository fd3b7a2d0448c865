"""A real show with a frame counter burnt into its picture: the studio films it, watch pages read it."""

import contextlib
import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect
from support.browser import PHONE, SOON_S
from support.http_client import Caller
from support.server_process import ServerProcess

from server import tokens

SHOW = "frames"
SECRET = "a-secret-of-at-least-thirty-two-bytes!"
SETTINGS = {
    "VENDUE_AUTH__SECRET": SECRET,
    "VENDUE_PAYMENTS__GATEWAY": "test",
    "VENDUE_PAYMENTS__TEST_MODE": "true",
    "VENDUE_LIMITS__EXEMPT_LOOPBACK": "true",
}
SCRIPT = Path(__file__).with_suffix(".js").read_text()
PIN_CARD = ("pin-title", "pin-price")
KEEP_BEHIND = """(() => {
  const own = Object.getOwnPropertyDescriptor(RTCRtpReceiver.prototype, "jitterBufferTarget");
  const set = function (ms) { own.set.call(this, ms && %d); };
  Object.defineProperty(RTCRtpReceiver.prototype, "jitterBufferTarget", {...own, set});
})();"""


@dataclass
class BurntIn:
    """A running server with one show, and pages in a browser."""

    server: ServerProcess
    browser: Browser
    token: str

    @contextlib.asynccontextmanager
    async def studio(
        self, uplink_ms: Iterable[float] = (), *, noise: bool = False, codec: str = ""
    ) -> AsyncGenerator[Page]:
        """The studio's page, on air; its commands with a press leave so much later than they were pressed.
        With `noise` its video takes all the bits that it may; `codec`, where named, is the only one.
        """
        url = f"{self.server.url}/studio/{SHOW}#token={self.token}"
        script = f"burnIn({json.dumps(list(uplink_ms))}, {json.dumps(noise)});"
        script += f"sendOnly({json.dumps(codec)});" if codec else ""
        async with self._page(url, script, self.browser, ["camera", "microphone"]) as page:
            await page.get_by_test_id("go-live").click()
            await expect(page.locator("#on")).to_have_text("LIVE", timeout=SOON_S * 1000)
            yield page

    @contextlib.asynccontextmanager
    async def viewer(
        self, behind_ms: int | None = None, *, browser: Browser | None = None, host: str = "127.0.0.1"
    ) -> AsyncGenerator[Page]:
        """The watch page of somebody who has let nobody use a camera; `behind_ms` replaces the playout
        delay that it asks for. `browser` may be elsewhere and know the server as `host`.
        """
        script = f"readBack({json.dumps(PIN_CARD)});" + ("" if behind_ms is None else KEEP_BEHIND % behind_ms)
        url = f"http://{host}:{self.server.port}/watch/{SHOW}"
        async with self._page(url, script, browser or self.browser, []) as page:
            yield page

    @contextlib.asynccontextmanager
    async def _page(
        self, url: str, script: str, browser: Browser, permissions: list[str]
    ) -> AsyncGenerator[Page]:
        context = await browser.new_context(viewport=PHONE, permissions=permissions, reduced_motion="reduce")
        try:
            await context.add_init_script(f"{{{SCRIPT}\n{script}}}")
            page = await context.new_page()
            await page.goto(url)
            yield page
        finally:
            await context.close()


@contextlib.asynccontextmanager
async def burnt_in(
    scratch: Path, browser: Browser, products: Iterable[Any] = (), settings: Mapping[str, str] = {}
) -> AsyncGenerator[BurntIn]:
    """`vendue serve` with a show of these products, each (sku, body)."""
    token = tokens.issue(SECRET, subject="creator", role="creator", show=None, ttl_s=3_600)
    with ServerProcess(scratch / "data", ["serve"], {**SETTINGS, **settings}) as server:
        creator = Caller(server.port, token)
        path = f"/api/v1/shows/{SHOW}"
        calls: list[tuple[str, str, Any]] = [
            ("POST", "/api/v1/shows", {"id": SHOW, "title": "Frames", "currency": "USD"})
        ]
        calls += [("PUT", f"{path}/products/{sku}", body) for sku, body in products]
        for method, where, body in calls:
            status, answer = await creator.call(method, where, body, f"{where}")
            assert status == 201, answer
        creator.close()
        yield BurntIn(server, browser, token)


async def delays_ms(studio: Page, viewer: Page, since_ms: float = 0) -> list[float]:
    """From drawing to screen, of every frame that the viewer has seen since a moment."""
    drawn = dict(await studio.evaluate("burnt.drawn"))
    frames = await viewer.evaluate("seen.frames")
    return [at - drawn[number] for number, at in frames if at >= since_ms and number in drawn]
