"""The composition root of a web worker: the one place where its parts are made and joined."""

import asyncio
import contextlib
import functools
import resource
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from starlette.types import ASGIApp

from server.archiver import Archiver
from server.commerce.auctions import Auctions
from server.commerce.bags import Bags
from server.commerce.catalog import Catalog
from server.commerce.catalog_files import CatalogFiles
from server.commerce.checkout import Checkout
from server.commerce.coupons import Coupons
from server.commerce.ledger import Ledger
from server.commerce.lotteries import Lotteries
from server.commerce.payments.gateway import Gateway
from server.commerce.payments.news import News
from server.commerce.payments.records import StoreRecords
from server.commerce.payments.sandbox import SandboxGateway
from server.commerce.reconciler import Reconciler
from server.commerce.reductions import Reductions
from server.commerce.sweeper import Sweeper
from server.commerce.waitlist import Waitlist
from server.hooks.registry import Hooks
from server.hooks.sender import Sender
from server.ids import new_id
from server.live.door import Door
from server.live.erasure import Erasure
from server.live.hub import Hub
from server.live.limits import Rates
from server.live.moderation import Moderation
from server.live.revocations import Revocations
from server.live.roles import role_table
from server.live.shows import Shows
from server.live.socket_cap import SocketCap
from server.live.tickets import Tickets
from server.live.viewer_socket import viewer_socket_class
from server.log.archive import Archive
from server.log.clock import ServerClock
from server.log.follower import Follower
from server.log.private_entries import TellingSink, read_entries
from server.log.sealer import Sealer
from server.media_client import MediaWorker
from server.media_link import MediaLink
from server.routes.access import Authenticator, Gate
from server.routes.edge import application
from server.routes.headers import Peers
from server.routes.http_protocol import web_protocol_class
from server.routes.purchases import Purchases
from server.routes.services import Services
from server.seal_key import public_pem, seal_key
from server.settings import Settings
from server.store.pids import Pids
from server.store.private_text import PrivateText
from server.store.store import Store
from server.telemetry import start_task

FILES_RESERVED: Final = 200  # store, media, logs, and HTTP requests that are no viewers
RESTART_S: Final = 1.0
RECONNECT_AFTER_MS: Final = 1_000  # told to pages before a planned stop: another worker is there at once


@dataclass(frozen=True, slots=True)
class WebWorker:
    """What a server needs of a web worker.

    The application, its two protocols, and how to say goodbye.
    """

    app: ASGIApp
    http_class: type[asyncio.Protocol]
    socket_class: type[asyncio.Protocol]
    services: Services

    async def drain(self) -> None:
        """Tell all pages that this worker is about to stop."""
        await self.services.hub.drain(RECONNECT_AFTER_MS)


@contextlib.asynccontextmanager
async def web_worker(settings: Settings) -> AsyncGenerator[WebWorker]:
    """Open a web worker: its store, its parts and its background tasks; leaving closes them in reverse order.

    `settings.redis.url` and `settings.auth.secret` must be set. Raises SettingsError when there is no key for
    seals, StoreError when the store does not answer.
    """
    key = seal_key(settings)
    async with contextlib.AsyncExitStack() as stack:
        store = await Store.open(settings.redis.url, role_table(), wait_replicas=settings.redis.wait_replicas)
        stack.push_async_callback(store.close)
        clock = ServerClock(store)
        await clock.start()
        stack.push_async_callback(clock.close)
        limits = settings.limits
        rates = Rates(limits.chat_per_s, limits.chat_burst, limits.reactions_per_s, limits.reactions_burst)
        texts = PrivateText(store, settings.auth.secret)
        hub = Hub(
            store,
            now_ms=clock.now_ms,
            worker=new_id("w"),
            rates=rates,
            read=functools.partial(read_entries, store, texts),
        )
        follower = Follower(store, TellingSink(hub, texts))
        await follower.start()
        stack.push_async_callback(follower.close)
        await hub.start(follower)
        stack.push_async_callback(hub.close)
        services = _services(settings, store, texts, clock, hub, key.public_key())
        await services.revocations.refresh()
        await services.shows.repair_directory()
        stack.push_async_callback(services.checkout.close)  # and the gateway's connections
        await stack.enter_async_context(_background(services, Sealer(store, key), Archiver(store, settings)))
        door = Door(
            hub,
            services.tickets,
            store,
            allowed_origins=(*settings.http.allowed_origins, settings.http.public_url),
            now_ms=clock.now_ms,
            is_revoked=services.revocations.is_revoked,
            cap=SocketCap(
                total_max=min(limits.sockets, _sockets_that_fit()),
                per_address_max=limits.sockets_per_address,
                address_of=services.peers.address,
                exempts=services.gate.exempts,
            ),
        )
        purchases = Purchases(services)
        yield WebWorker(
            application(services, purchases),
            web_protocol_class(purchases),
            viewer_socket_class(door),
            services,
        )


def _sockets_that_fit() -> int:
    """How many sockets this process may open and still serve requests: beyond that accepting would fail."""
    files_max = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if files_max == resource.RLIM_INFINITY else max(files_max - FILES_RESERVED, 1)


def _services(  # noqa: PLR0917 - the parts that are made before
    settings: Settings,
    store: Store,
    texts: PrivateText,
    clock: ServerClock,
    hub: Hub,
    public_key: Ed25519PublicKey,
) -> Services:
    pids = Pids(store)
    shows = Shows(store, pids)
    ledger = Ledger(store, settings, texts)
    gateway = _gateway(settings, store)
    reconciler = Reconciler(ledger, gateway)
    workers = [MediaWorker(index, settings.media_socket(index)) for index in range(settings.workers.media)]
    media = MediaLink(workers, hub, shows, clock.exact_ms)

    def on_revoked(jti: str) -> None:
        hub.on_revoked(jti)
        media.on_revoked(jti)

    def on_erased(pid: str) -> None:
        pids.forget(pid)
        texts.forget(pid)
        hub.on_erased(pid)
        media.on_erased(pid)

    revocations = Revocations(store, settings.auth.secret, on_revoked, on_erased)
    archive = Archive(settings.archive_dir) if settings.archive_dir else None
    return Services(
        settings=settings,
        store=store,
        shows=shows,
        moderation=Moderation(store, texts, pids, archive),
        archive=archive,
        catalog=Catalog(store),
        catalog_files=CatalogFiles(store),
        reductions=Reductions(store),
        bags=Bags(store),
        auctions=Auctions(store, settings, ledger.buyers, texts),
        coupons=Coupons(store),
        lotteries=Lotteries(store, settings, ledger.buyers, texts),
        waitlist=Waitlist(store, settings, ledger.buyers),
        ledger=ledger,
        checkout=Checkout(ledger, gateway),
        reconciler=reconciler,
        news=_news(settings, store, reconciler),
        hooks=Hooks(store, settings, texts),
        hub=hub,
        tickets=Tickets(store, settings.auth.secret),
        media=media,
        revocations=revocations,
        authenticator=Authenticator(settings.auth.secret, pids, revocations, clock.now_ms),
        pids=pids,
        texts=texts,
        erasure=Erasure(store, pids, revocations, clock.now_ms),
        gate=Gate(settings.limits),
        peers=Peers(settings.http.trusted_proxies),
        seal_key_pem=public_pem(public_key),
        now_ms=clock.now_ms,
    )


def _gateway(settings: Settings, store: Store) -> Gateway:
    records = StoreRecords(store)
    if settings.payments.gateway == "test":
        return SandboxGateway(records)
    from server.commerce.payments.stripe_gateway import StripeGateway  # noqa: PLC0415 - 30 MB that few need

    return StripeGateway(
        records,
        secret_key=settings.payments.stripe_secret_key,
        api_base=settings.payments.stripe_api_base,
        public_url=settings.http.public_url,
    )


def _news(settings: Settings, store: Store, reconciler: Reconciler) -> News | None:
    if settings.payments.gateway == "test":
        return None
    from server.commerce.payments.stripe_news import StripeNews  # noqa: PLC0415 - see _gateway

    return StripeNews(store, settings.payments.stripe_webhook_secret, reconciler.on_news)


@contextlib.asynccontextmanager
async def _background(services: Services, sealer: Sealer, archiver: Archiver) -> AsyncGenerator[None]:
    """Run what a web worker does beside answering; each of these may run in any number of workers at once."""
    reconciler = services.reconciler
    sender = Sender(services.store, services.hooks, services.texts, new_id("s"))
    sweeper = Sweeper(services.store, services.ledger, reconciler.take, services.lotteries.award)
    jobs: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
        "sweeper": sweeper.run,
        "sealer": sealer.run,
        "webhooks": sender.run,
        "archiver": archiver.run,
        "revocations": services.revocations.run,
        "erasure": services.erasure.run,
        "media_link": services.media.run,
    }
    tasks = [asyncio.create_task(_keep(job, name), name=name) for name, job in jobs.items()]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await reconciler.close()
        await sender.close()


async def _keep(job: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
    """Run a job that never ends by itself; one that an unexpected exception ended is begun again."""
    while True:
        task = start_task(job(), name)
        try:
            await task
        finally:
            task.cancel()
        await asyncio.sleep(RESTART_S)
