"""The web role: a web worker behind a listening socket, until a signal ends it without losing a request."""

import asyncio
import contextlib
import gc
import logging
import math
import signal
import socket
from collections.abc import Generator
from typing import Final

import uvicorn

from server.app import WebWorker, web_worker
from server.listening import BACKLOG, tcp_listener
from server.routes.http_protocol import KEEP_ALIVE_S, WebProtocol
from server.settings import Settings
from server.telemetry import get_logger

OVERDUE_CHECK_TICKS: Final = 50  # of 0.1 s

log = get_logger(__name__)


class WebServer(uvicorn.Server):
    """A uvicorn server that takes leave of its viewers first, and gives the signal back to nobody."""

    def __init__(self, worker: WebWorker, drain_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                worker.app,
                ws=worker.socket_class,
                http=worker.http_class,
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=math.ceil(drain_s),
            )
        )
        self._drain = worker.drain

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """End `serve` on SIGTERM and SIGINT; a second one ends it at once.

        uvicorn's own way raises the signal again afterwards, which would kill us before the store is closed.
        """
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self._on_signal)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    async def on_tick(self, counter: int) -> bool:
        """Look, now and then, at the connections on which nothing happens."""
        if counter % OVERDUE_CHECK_TICKS == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, WebProtocol):
                    connection.end_if_overdue(now)
        return await super().on_tick(counter)

    def _on_signal(self) -> None:
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop accepting, tell the pages, finish the requests under way, close the rest (1012)."""
        for server in self.servers:
            server.close()
        await self._drain()
        await super().shutdown(sockets)


async def run_web(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. Raises StoreError when the store does not answer at the start."""
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # it warns once for each strange client
    with contextlib.closing(listening_socket(settings)) as listener:
        async with web_worker(settings) as worker:
            settle_memory()
            log.info("web_worker_up", port=listener.getsockname()[1])
            await WebServer(worker, settings.workers.drain_s).serve([listener])
    log.info("web_worker_down")


def settle_memory() -> None:
    """Spare the garbage collector what lives as long as the process, and let it look less often.

    A viewer that joins makes some 300 short-lived containers; with the usual threshold of 700 that was a
    fifth of the CPU of a join, and a full collection over thousands of viewers stops the loop for tens of
    milliseconds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


def listening_socket(settings: Settings) -> socket.socket:
    """Return the socket that the supervisor has opened for all web workers, or a new one."""
    if settings.process.listen_fd is not None:
        return socket.socket(fileno=settings.process.listen_fd)
    return tcp_listener(settings.http.host, settings.http.port)
