"""The viewer WebSocket on a real uvicorn over a real store, in the test's own loop, and viewers that use
it.
"""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from server.live.door import Door
from server.live.hub import Hub
from server.live.protocol import Measured
from server.live.socket_cap import SocketCap
from server.live.tickets import Tickets
from server.live.viewer_socket import viewer_socket_class
from server.log.follower import Follower
from server.store.store import Store

TICKET_SECRET = "a secret of the tests"


def now_ms() -> int:
    """Wall clock in ms."""
    return time.time_ns() // 1_000_000


@dataclass
class LiveServer:
    """What a test may reach into."""

    port: int
    hub: Hub
    tickets: Tickets
    reports: list[Any] = field(default_factory=list[Any])

    def ticket(self, show: str, **holder: Any) -> str:
        """A ticket as the ticket route would issue it."""
        return self.tickets.issue(show=show, now_ms=now_ms(), **holder).ticket

    def url(self, show: str, query: str = "") -> str:
        """The address of a show's WebSocket."""
        return f"ws://127.0.0.1:{self.port}/ws/{show}{query}"

    @contextlib.asynccontextmanager
    async def viewer(
        self, show: str, *, resume: tuple[str, int] | None = None, origin: str | None = None, **holder: Any
    ) -> AsyncGenerator["LiveViewer"]:
        """A connected viewer; `holder` as for `ticket`."""
        query = f"?epoch={resume[0]}&seq={resume[1]}" if resume else ""
        async with self.socket(show, self.ticket(show, **holder), query=query, origin=origin) as socket:
            yield LiveViewer(socket, resume[1] if resume else -1)

    def socket(self, show: str, ticket: str, *, query: str = "", origin: str | None = None) -> connect:
        """A bare client connection."""
        return connect(
            self.url(show, query),
            subprotocols=[Subprotocol("vendue.v1"), Subprotocol(f"ticket.{ticket}")],
            origin=Origin(origin) if origin else None,
            compression=None,
            ping_interval=None,
            open_timeout=10,
            max_size=2**22,
        )


class LiveViewer:
    """A page's side of one connection: it reads updates and checks the chain as it goes."""

    def __init__(self, socket: ClientConnection, last: int = -1) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []
        self.epoch = ""
        self.last = last

    async def next(self) -> dict[str, Any]:
        """The next update. Fails on a loss or a repeat of a public entry."""
        update: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), 10))
        self.take(update)
        return update

    def take(self, update: dict[str, Any]) -> None:
        """Check an update against those before it."""
        self.heard.append(update)
        self.epoch = update["epoch"]
        if update["type"] == "snapshot":
            self.last = update["seq"]
        elif "seq" in update:
            assert update["seq"] > self.last, f"a repeat of {update['seq']} after {self.last}"
            assert update["prev"] <= self.last, f"lost what lies between {self.last} and {update['seq']}"
            self.last = update["seq"]

    async def until(self, type_: str, fits: Callable[[Any], bool] = lambda data: True) -> dict[str, Any]:
        """Read until an update of this type whose data fits."""
        async with asyncio.timeout(10):
            while True:
                update = await self.next()
                if update["type"] == type_ and fits(update["data"]):
                    return update

    async def closed(self) -> int:
        """Read to the end; the close code."""
        async with asyncio.timeout(10):
            with contextlib.suppress(Exception):
                while True:
                    await self.next()
        return self.socket.close_code or 0

    async def say(self, **command: Any) -> None:
        """Send one command."""
        await self.socket.send(json.dumps(command))


async def _no_app(scope: Any, receive: Any, send: Any) -> None:
    """There is no HTTP here."""
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@contextlib.asynccontextmanager
async def live_server(
    store: Store, *, port: int = 0, origins: tuple[str, ...] = (), cap: SocketCap | None = None
) -> AsyncGenerator[LiveServer]:
    """A whole live side on an ephemeral port."""
    reports: list[Any] = []

    def on_report(show: str, pid: str, report: Measured) -> None:
        reports.append((show, pid, report))

    hub = Hub(store, now_ms=now_ms, worker=secrets.token_hex(4), on_report=on_report)
    follower = Follower(store, hub)
    await follower.start()
    await hub.start(follower)
    tickets = Tickets(store, TICKET_SECRET)
    door = Door(
        hub,
        tickets,
        store,
        allowed_origins=origins,
        now_ms=now_ms,
        is_revoked=lambda _jti: False,
        cap=cap,
    )
    config = uvicorn.Config(
        _no_app, ws=viewer_socket_class(door), port=port, lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    bound: int = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield LiveServer(bound, hub, tickets, reports)
    finally:
        await hub.close()
        server.should_exit = True
        await asyncio.wait_for(serving, 10)
        await follower.close()
