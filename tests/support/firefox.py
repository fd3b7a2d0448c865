"""Headless Firefox over WebDriver BiDi, which it speaks itself: no driver beside it."""

import asyncio
import contextlib
import itertools
import json
import shutil
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from support.outside import missing, program
from websockets.asyncio.client import ClientConnection, connect

PREFERENCES: dict[str, object] = {
    "media.navigator.streams.fake": True,
    "media.navigator.permission.disabled": True,
    "media.peerconnection.ice.loopback": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.enabled": False,
}
ANSWER_TIMEOUT_S = 30.0


class Tab:
    """The one tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self.context = ""

    async def send(self, method: str, **params: object) -> Any:
        """One command and its result."""
        number = next(self._ids)
        await self._socket.send(json.dumps({"id": number, "method": method, "params": params}))
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while True:
                said = json.loads(await self._socket.recv())
                if said.get("id") == number:
                    assert said["type"] == "success", said
                    return said["result"]

    async def goto(self, url: str) -> None:
        await self.send("browsingContext.navigate", context=self.context, url=url, wait="complete")

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression, awaited when it is a promise. Numbers, strings and booleans only."""
        result = await self.send(
            "script.evaluate", expression=expression, target={"context": self.context}, awaitPromise=True
        )
        assert result["type"] == "success", result
        return result["result"].get("value")


@contextlib.asynccontextmanager
async def firefox(profile: Path) -> AsyncGenerator[Tab]:
    """A Firefox with a fake camera and a profile of its own; skips the test where there is none."""
    found = shutil.which("firefox-esr") or shutil.which("firefox")
    if found is None:
        missing("Firefox", "Debian: firefox-esr")
    lines = [f"user_pref({json.dumps(key)}, {json.dumps(value)});\n" for key, value in PREFERENCES.items()]
    (profile / "user.js").write_text("".join(lines))
    options = ("--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0")
    async with program(found or "", *options, "about:blank") as browser:
        said = await browser.says("WebDriver BiDi listening on ", 60)
        url = said.split("listening on ")[1].strip() + "/session"
        async with connect(url, max_size=2**24, ping_interval=None) as socket:
            tab = Tab(socket)
            await tab.send("session.new", capabilities={})
            tab.context = (await tab.send("browsingContext.getTree"))["contexts"][0]["context"]
            yield tab
            with contextlib.suppress(Exception):
                await tab.send("browser.close")
