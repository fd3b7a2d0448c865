"""A real web worker on loopback for tests: uvicorn, the embedded store, every route; and a client for it."""

import asyncio
import contextlib
import inspect
from collections.abc import AsyncGenerator, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from support import store as stores
from support.http_client import NO_TLS

from server import tokens
from server.app import WebWorker, web_worker
from server.listening import tcp_listener
from server.settings import Settings, load
from server.store.store import Store
from server.web import WebServer

SECRET = "a-secret-for-tests-of-32-bytes-or-more"
SHOW = "show1"
TITLE = "Autumn drop"


class _Server(WebServer):
    """Signals belong to the test runner."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@dataclass
class Web:
    """A running web worker. `creator` owns what `open_show` makes."""

    client: httpx.AsyncClient
    worker: WebWorker
    store: Store
    settings: Settings
    server: WebServer

    def begin_stop(self) -> None:
        """What a SIGTERM does."""
        self.server.should_exit = True

    @property
    def url(self) -> str:
        return str(self.client.base_url)

    def bearer(self, subject: str, role: str = "viewer", show: str | None = None, ttl_s: int = 600) -> str:
        return tokens.issue(SECRET, subject=subject, role=role, show=show, ttl_s=ttl_s)

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = None,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        sent = dict(headers or {})
        if token is not None:
            sent["Authorization"] = f"Bearer {token}"
        if key is not None:
            sent["Idempotency-Key"] = key
        path = path if path.startswith("/") else f"/api/v1/shows/{SHOW}/{path}".rstrip("/")
        return await self.client.request(method, path, json=body, headers=sent)

    @property
    def creator(self) -> str:
        return self.bearer("creator", "creator")

    async def open_show(self, show: str = SHOW, *, start: bool = True, **fields: object) -> None:
        """A live show with five mugs for 1000 each, four at most for one viewer."""
        body = {"id": show, "title": TITLE, "currency": "USD", **fields}
        await expect(201, self.call("POST", "/api/v1/shows", body, token=self.creator))
        product = {"title": "Mug", "price_minor": 1000, "stock": 5, "per_viewer_max": 4}
        path = f"/api/v1/shows/{show}"
        await expect(201, self.call("PUT", f"{path}/products/mug", product, token=self.creator))
        if start:
            await expect(200, self.call("POST", f"{path}/start", token=self.creator))

    async def digest(self, show: str = SHOW) -> dict[str, str]:
        """Everything of the show, once no money of an earlier payment moves any more."""
        while self.worker.services.checkout.is_busy:
            await asyncio.sleep(0.01)
        return await stores.digest(self.store, show)


async def expect(status: int, response: Any) -> Any:
    """The decoded body of an answer that must have this status."""
    answer: httpx.Response = await response if inspect.isawaitable(response) else response
    assert answer.status_code == status, (answer.status_code, answer.text)
    return answer.json() if answer.content else None


async def refused(status: int, code: str, response: Any) -> dict[str, Any]:
    """The problem document of an answer that must be this refusal."""
    answer: httpx.Response = await response if inspect.isawaitable(response) else response
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), (
        answer.text
    )
    document = answer.json()
    assert (document["code"], document["status"]) == (code, status), document
    assert document["title"]
    return document


@contextlib.asynccontextmanager
async def running(store: Store, data_dir: Path, **overrides: object) -> AsyncGenerator[Web]:
    """A web worker on a free port, with the given sections of settings."""
    sections: dict[str, Any] = {
        "redis": {"url": "unix://" + store.target.path},
        "auth": {"secret": SECRET},
        "payments": {"test_mode": True},
        "limits": {"exempt_loopback": True},
        "data_dir": str(data_dir),
        **overrides,
    }
    for name, section in overrides.items():
        if name == "auth":
            sections[name] = {"secret": SECRET, **section}  # type: ignore[dict-item]
    settings = load(None, sections, environ={})
    with contextlib.closing(tcp_listener("127.0.0.1", 0)) as listener:
        async with web_worker(settings) as worker:
            server = _Server(worker, 5.0)
            serving = asyncio.create_task(server.serve([listener]))
            async with httpx.AsyncClient(
                verify=NO_TLS, base_url=f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=10.0
            ) as client:
                try:
                    yield Web(client, worker, store, settings, server)
                finally:
                    await client.aclose()
                    server.should_exit = True
                    await serving
