"""People with browsers of their own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, ViewportSize


@asynccontextmanager
async def person(
    browser: Browser, url: str, viewport: ViewportSize, *, video: bool = False
) -> AsyncGenerator[Page]:
    """Somebody with a browser profile, and so an identity, of their own.

    Without `video` their page is refused the picture, and sells all the same: decoding and showing it costs
    a software-only Chromium half a core a page.
    """
    context = await browser.new_context(viewport=viewport, permissions=["camera", "microphone"])
    if not video:
        await context.route("**/whep/**", lambda route: route.fulfill(status=503))
    page = await context.new_page()
    try:
        await page.goto(url)
        yield page
    finally:
        await context.close()
