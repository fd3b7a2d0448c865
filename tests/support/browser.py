"""Headless Chromium with a fake camera, driven through Playwright, and what the e2e tests ask of a page."""

import asyncio
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from playwright.async_api import Browser, Page, ViewportSize, async_playwright

ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream=fps=30",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    # Loopback has no mDNS responder in a container, and the relay needs no candidate of the browser anyway.
    "--disable-features=WebRtcHideLocalIpsWithMdns",
]
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}

SOON_S = 15.0  # how long a page may take for what should come at once, on a busy machine

INBOUND_VIDEO = """async () => {
  const peers = window.vendue?.peers ?? [];
  for (const peer of peers) {
    for (const report of (await peer.getStats()).values()) {
      if (report.type === 'inbound-rtp' && report.kind === 'video')
        return {
          frames: report.framesDecoded ?? 0,
          received: report.framesReceived ?? 0,
          freezes: report.freezeCount ?? 0,
          width: report.frameWidth ?? 0,
          lost: report.packetsLost ?? 0,
          resent: report.retransmittedPacketsReceived ?? 0,
        };
    }
  }
  return {frames: 0, received: 0, freezes: 0, width: 0, lost: 0, resent: 0};
}"""


def installed() -> str | None:
    """The system's Chromium."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@asynccontextmanager
async def chromium(command: str | None = None) -> AsyncGenerator[Browser]:
    """The system's Chromium when there is one (a Debian package), else Playwright's own; or `command`."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=command or installed(), args=ARGS)
        try:
            yield browser
        finally:
            await browser.close()


async def inbound_video(page: Page) -> dict[str, int]:
    """What the page's receiving peer connection has decoded so far: frames (of those received), freezes,
    width; packets lost, and those that came once more by RTX.
    """
    return await page.evaluate(INBOUND_VIDEO)


async def frames_pass(page: Page, frames: int) -> None:
    """Waits until the page has decoded `frames` more frames than now."""
    start = (await inbound_video(page))["frames"]
    async with asyncio.timeout(SOON_S):
        while (await inbound_video(page))["frames"] < start + frames:
            await asyncio.sleep(0.1)


async def until_width(page: Page, width: int, timeout_s: float = SOON_S) -> None:
    """Waits until the page decodes pictures of this width."""
    async with asyncio.timeout(timeout_s):
        while (await inbound_video(page))["width"] != width:
            await asyncio.sleep(0.02)
