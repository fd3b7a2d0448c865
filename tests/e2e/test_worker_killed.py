"""A media worker that dies under a show: studio and watch pages come back to the next one by themselves."""

import asyncio
import itertools
from pathlib import Path

import pytest
from playwright.async_api import Browser
from support.browser import SOON_S
from support.burnt_in import burnt_in

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PRODUCT = ("thing", {"title": "Thing", "price_minor": 1_000, "stock": 5})
FRAMES = 15


async def test_pictures_come_back_after_kill_9(browser: Browser, tmp_path: Path) -> None:
    async with (
        burnt_in(tmp_path, browser, [PRODUCT]) as live,
        live.studio() as studio,
        live.viewer() as viewer,
    ):

        async def plays(since: int) -> None:
            async with asyncio.timeout(SOON_S):
                while await viewer.evaluate("seen.frames.length") < since + FRAMES:
                    await asyncio.sleep(0.05)

        await plays(0)
        live.server.kill_worker("server media")
        killed_ms = await viewer.evaluate("performance.timeOrigin + performance.now()")
        await asyncio.sleep(1)
        await plays(await viewer.evaluate("seen.frames.length"))
        frames = [at for _, at in await viewer.evaluate("seen.frames") if at > killed_ms - 500]
        gap_s = max(after - before for before, after in itertools.pairwise(frames)) / 1000
        print(f"a killed media worker: no frame for {gap_s:.1f} s")
        assert gap_s < 8, "the pages look for a new worker at once, not after a timeout"
        assert await studio.evaluate("performance.getEntriesByType('navigation').length") == 1
