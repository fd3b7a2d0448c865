"""People with browsers of their own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, ViewportSize

NO_CAMERA = """navigator.mediaDevices.getUserMedia = async () => {
  throw new DOMException("there is none", "NotFoundError");
};"""


@asynccontextmanager
async def person(
    browser: Browser, url: str, viewport: ViewportSize, *, video: bool = False
) -> AsyncGenerator[Page]:
    """Somebody with a browser profile, and so an identity, of their own.

    Without `video` they have no camera, are refused the picture and have asked for little motion, and the
    pages sell all the same: what moves costs a software-only Chromium half a core a page.
    """
    context = await browser.new_context(
        viewport=viewport,
        permissions=["camera", "microphone"],
        reduced_motion="no-preference" if video else "reduce",
    )
    if not video:
        await context.add_init_script(NO_CAMERA)
        await context.route("**/whep/**", lambda route: route.fulfill(status=503))
    page = await context.new_page()
    try:
        await page.goto(url)
        yield page
    finally:
        await context.close()
