"""Codecs that our own studio does not choose, from Chromium to Chromium: OBS and others may send them."""

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page
from support.browser import SOON_S, inbound_video
from support.burnt_in import burnt_in

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PRODUCT = ("thing", {"title": "Thing", "price_minor": 1_000, "stock": 5})
FRAMES = 60
CODEC = """async () => {
  const reports = await vendue.peers[0].getStats();
  const video = [...reports.values()].find(({type, kind}) => type === 'inbound-rtp' && kind === 'video');
  return reports.get(video.codecId).mimeType;
}"""


@pytest.mark.parametrize("codec", ["VP9", "AV1"])
async def test_a_codec_that_both_have_is_relayed_and_seen(
    browser: Browser, tmp_path: Path, codec: str
) -> None:
    async with (
        burnt_in(tmp_path, browser, [PRODUCT]) as live,
        live.studio(codec=codec) as studio,
        live.viewer() as viewer,
    ):
        await seen(viewer, FRAMES)
        assert await viewer.evaluate(CODEC) == f"video/{codec}"
        async with live.viewer() as late:  # in the middle of the stream
            await seen(late, FRAMES // 3)
        frames = await viewer.evaluate("seen.frames")
        drawn = {number for number, _ in await studio.evaluate("burnt.drawn")}
        numbers = [number for number, _ in frames]
        print(f"{codec}: {len(numbers)} of {numbers[-1] - numbers[0] + 1} frames seen")
        assert drawn.issuperset(numbers)
        video = await inbound_video(viewer)
        assert video["width"] == 640
        # What came before its first keyframe it cannot decode.
        assert video["frames"] >= 0.8 * video["received"]


async def seen(viewer: Page, frames: int) -> None:
    """Read the number from so many frames."""
    async with asyncio.timeout(SOON_S):
        while await viewer.evaluate("seen.frames.length") < frames:
            await asyncio.sleep(0.1)
