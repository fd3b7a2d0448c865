"""What the handlers call: the parts of a web worker, wired once by `server.app`."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from server.commerce.auctions import Auctions
from server.commerce.bags import Bags
from server.commerce.catalog import Catalog
from server.commerce.catalog_files import CatalogFiles
from server.commerce.checkout import Checkout
from server.commerce.coupons import Coupons
from server.commerce.ledger import Ledger
from server.commerce.lotteries import Lotteries
from server.commerce.payments.news import News
from server.commerce.reconciler import Reconciler
from server.commerce.reductions import Reductions
from server.commerce.waitlist import Waitlist
from server.errors import Problem
from server.hooks.registry import Hooks
from server.live.erasure import Erasure
from server.live.hub import Hub
from server.live.moderation import Moderation
from server.live.revocations import Revocations
from server.live.roles import Action, permits, roles_on
from server.live.shows import Shows
from server.live.tickets import Tickets
from server.log import reader
from server.log.archive import Archive
from server.log.reader import Standing
from server.log.state import ShowSnapshot
from server.media_link import MediaLink
from server.routes.access import Authenticator, Gate
from server.routes.headers import Peers
from server.settings import Settings
from server.store.pids import Pids
from server.store.private_text import PrivateText
from server.store.store import Store
from server.tokens import Principal


@dataclass(frozen=True, slots=True)
class Services:
    """One web worker's parts. Everything in it lives as long as the worker."""

    settings: Settings
    store: Store
    shows: Shows
    moderation: Moderation
    catalog: Catalog
    catalog_files: CatalogFiles
    reductions: Reductions
    bags: Bags
    auctions: Auctions
    coupons: Coupons
    lotteries: Lotteries
    waitlist: Waitlist
    ledger: Ledger
    checkout: Checkout
    reconciler: Reconciler
    news: News | None
    hooks: Hooks
    hub: Hub
    tickets: Tickets
    media: MediaLink
    revocations: Revocations
    authenticator: Authenticator
    pids: Pids
    texts: PrivateText
    erasure: Erasure
    archive: Archive | None
    gate: Gate
    peers: Peers
    seal_key_pem: bytes
    now_ms: Callable[[], int]

    async def snapshot(self, show: str, principal: Principal) -> ShowSnapshot:
        """Return the show as ``principal`` may see it; raises Problem ``unknown_show``."""
        snapshot = await reader.snapshot(self.store, show)
        if snapshot is None:
            raise Problem("unknown_show")
        if not (principal.pid and await self.may(principal, show, Action.READ_STAFF)):
            snapshot = snapshot.for_public()
        return msgspec.structs.replace(snapshot, viewers=self.hub.viewers(show))

    async def standing(self, show: str, principal: Principal) -> Standing:
        """Return what the show says about ``principal``; raises Problem ``unknown_show``."""
        standing = await reader.standing(self.store, show, principal.pid)
        if standing is None:
            raise Problem("unknown_show")
        return standing

    async def may(self, principal: Principal, show: str, action: Action) -> bool:
        """Tell whether ``principal`` may do ``action`` on ``show``; raises Problem ``unknown_show``.

        For reading and signalling. What changes the show is judged inside its script, in the same instant.
        """
        return permitted(principal, show, await self.standing(show, principal), action)

    async def demand(self, principal: Principal, show: str, action: Action) -> None:
        """Raise Problem ``forbidden`` unless `may`."""
        if not await self.may(principal, show, action):
            raise Problem("forbidden")


def permitted(principal: Principal, show: str, standing: Standing, action: Action) -> bool:
    """Tell whether the roles of ``principal`` (token, member list, ownership) allow ``action``."""
    roles = roles_on(
        principal.role_on(show), guests=standing.guests, is_owner=standing.is_owner, members=standing.members
    )
    return permits(action, roles)
