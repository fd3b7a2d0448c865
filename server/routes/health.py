"""Whether the process runs, whether it can do its work, and its numbers."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from prometheus_client import REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from server.errors import Problem
from server.media_client import MediaUnavailable, MediaWorker
from server.routes.services import Services
from server.store.outcome import StoreError

METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
PART_TIMEOUT_S: Final = 2.0


class Health:
    """Serves `/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def handlers(self) -> dict[str, Callable[[Request], Awaitable[Response]]]:
        """Return the three handlers by their path."""
        return {"/healthz": self._alive, "/readyz": self._ready, "/metrics": self._metrics}

    async def _alive(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, _request: Request) -> Response:
        store, media = await asyncio.gather(self._store_ready(), self._services.media.ready())
        missing = [name for name, is_ready in (("store", store), ("media", media)) if not is_ready]
        if missing:
            detail = f"not ready: {', '.join(missing)}"
            raise Problem("not_ready", detail, {"missing": missing}, retry_after_s=1)
        return JSONResponse({"status": "ready"})

    async def _store_ready(self) -> bool:
        try:
            async with asyncio.timeout(PART_TIMEOUT_S):
                return await self._services.store.ready()
        except (StoreError, TimeoutError):
            return False

    async def _metrics(self, _request: Request) -> Response:
        """Answer with this worker's metrics and those of the media workers, told apart by `worker`."""
        texts = await asyncio.gather(*(_media_metrics(worker) for worker in self._services.media.workers))
        own = f"web-{self._services.settings.process.index}"
        sources = [(own, generate_latest(REGISTRY).decode())]
        sources += [(f"media-{index}", text) for index, text in enumerate(texts)]
        return PlainTextResponse(merged(sources), media_type=METRICS_TYPE)


async def _media_metrics(worker: MediaWorker) -> str:
    try:
        answer = await worker.request("GET", "/metrics", timeout_s=PART_TIMEOUT_S)
    except MediaUnavailable:
        return ""
    return answer.body.decode() if answer.status == 200 else ""


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return what was gathered."""
        return self._families


def merged(sources: Iterable[tuple[str, str]]) -> str:
    """Return several workers' expositions as one, each sample labelled with its worker."""
    families: dict[str, Metric] = {}
    for worker, text in sources:
        for family in text_string_to_metric_families(text):
            target = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            for sample in family.samples:
                target.samples.append(sample._replace(labels={**sample.labels, "worker": worker}))
    registry = CollectorRegistry()
    registry.register(_Families(list(families.values())))
    return generate_latest(registry).decode()
