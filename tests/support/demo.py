"""What `vendue demo` prints, read as a person reads it."""

import re
import time
from typing import Any

from support.http_client import Caller
from support.server_process import ServerProcess

LINK = re.compile(r"http://\S+/(watch|studio|moderate)/[^\s#]+(?:#token=(\S+))?")
LINKS_TIMEOUT_S = 20.0


class Demo:
    """The running demo: its three links, and the API as its creator."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        end = time.monotonic() + LINKS_TIMEOUT_S
        found: list[re.Match[str]] = []
        while len(found) < 3 and time.monotonic() < end:
            time.sleep(0.1)
            found = list(LINK.finditer(server.tail(1_000)))
        assert len(found) >= 3, f"no three links:\n{server.tail()}"
        self.links = {match[1]: match[0] for match in found}
        self.tokens = {match[1]: match[2] for match in found if match[2]}

    async def put_product(
        self, sku: str, title: str, price_minor: int, stock: int, *, pin: bool = False, **more: Any
    ) -> None:
        """One more product, without a floor, and perhaps on screen."""
        product = {"title": title, "price_minor": price_minor, "stock": stock, **more}
        await self.ask("PUT", f"products/{sku}", product, expected=201)
        if pin:
            await self.ask("PUT", "pin", {"sku": sku}, expected=200)

    async def ask(self, method: str, path: str, body: object, *, expected: int) -> None:
        """Something of the show, as its creator."""
        show = self.links["watch"].rpartition("/")[2].partition("#")[0]
        shop = self.creator()
        status, answer = await shop.call(method, f"/api/v1/shows/{show}/{path}", body)
        shop.close()
        assert status == expected, answer

    def creator(self) -> Caller:
        """An API caller with the studio link's token."""
        return Caller(self.server.port, self.tokens["studio"])
