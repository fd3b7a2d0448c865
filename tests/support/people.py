"""People with browsers of their own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, ViewportSize


@asynccontextmanager
async def person(browser: Browser, url: str, viewport: ViewportSize) -> AsyncGenerator[Page]:
    """Somebody with a browser profile, and so an identity, of their own."""
    context = await browser.new_context(viewport=viewport, permissions=["camera", "microphone"])
    page = await context.new_page()
    try:
        await page.goto(url)
        yield page
    finally:
        await context.close()
