"""Orders: every step in an order's life is one script, and this module is how Python takes it.

It decides nothing about the sale: it derives the order's id from the buyer's idempotency key, refuses what
is out of bounds, asks the script, and turns the reply into a value. No money moves here (checkout.py,
reconciler.py). All methods raise StoreError when the store does not do its part; with `maybe_applied`,
asking again with the same key is always safe.
"""

from collections.abc import Iterable, Sequence
from hashlib import blake2s
from itertools import chain
from typing import Any, cast

import msgspec

from server.commerce.bag import Wanted, merged
from server.commerce.buyer_index import BuyerIndex
from server.commerce.coupons import as_code
from server.commerce.orders import (
    AlreadyPaid,
    Attempt,
    OrderPage,
    OrderState,
    Placed,
    RefundDue,
    Refunds,
    Settled,
    Undone,
)
from server.commerce.sold_out import EMPTY, SoldOut
from server.ids import is_idempotency_key, is_sku, order_id
from server.settings import Settings
from server.store.outcome import Refused, StoreUnavailable
from server.store.private_text import PrivateText
from server.store.resp import Arg
from server.store.store import Store
from server.tokens import Principal

ASK_AFTER_MS = 3000
"""From this age on an attempt without an outcome is the reconciler's: a gateway has usually answered."""
PENDING_MS = 15_000
"""So often one asks about a buyer who is at the bank, whose end a webhook tells sooner. At a gateway's usual
limit (100 requests a second) that is a thousand such buyers."""
SWEEPS_MAX = 64
"""Runs of the sweep (256 due holds each) that one request may wait for before it gives up."""
REASON_MAX_CHARS = 280
LIST_MAX = 100
"""Orders that one page of a show's orders looks at."""
UNDO_BATCHES = 50
"""Batches (of 64 orders) of one call that undoes a flash price: 3,200 orders."""


class Swept(msgspec.Struct, frozen=True):
    """What a sweep wrote, and what it found to do for others.

    `attempts` are (order, number, kept): their outcome is not booked, or their money not yet where it
    belongs; `kept` is false when what it would buy is not kept for it any more. `refunds` are (order,
    paid_by, refunds) still to be given back, `draws` are closed and to be drawn; `quiet`: the show is over
    and nothing is outstanding.
    """

    expired: int
    ended: int
    quiet: bool
    attempts: tuple[tuple[str, int, bool], ...] = ()
    refunds: tuple[tuple[str, int, Refunds], ...] = ()
    draws: tuple[str, ...] = ()


class Ledger:
    """See the module. One per process; it keeps no state of its own."""

    def __init__(self, store: Store, settings: Settings, texts: PrivateText | None = None) -> None:
        self._store = store
        self._texts = texts or PrivateText(store, settings.auth.secret)
        self._secret = settings.auth.secret.encode()
        self._hold_ms = settings.hold.seconds * 1000
        self._extension_ms = settings.hold.extension_seconds * 1000
        self._sold_out = SoldOut(self._exist)
        self.buyers = BuyerIndex(store)

    def order_id(self, show: str, pid: str, idempotency_key: str) -> str:
        """The id that this buyer's order with this key has, or will have."""
        return order_id(show, pid, idempotency_key, self._secret)

    async def hold(
        self,
        show: str,
        principal: Principal,
        lines: Sequence[Wanted],
        *,
        idempotency_key: str,
        coupon: str = "",
    ) -> Placed | Refused:
        """Reserve every line at the price in force, at most the one seen, or none of them.

        With a product that is paid first (`hold_policy`) nothing is reserved until `begin_payment`: the order
        is open. A `coupon` takes something off that price. Refusals in the contract's order:
        idempotency_key_required, unknown_sku, banned, (guests_closed, forbidden,) show_closed, sales_paused,
        not_for_sale, lottery_only, mixed_sellers, price_changed, (unknown_coupon, coupon_over,
        coupon_not_for,) limit_reached, (coupon_used_up,) sold_out; of several lines they name the `sku`. Once
        a key has its order it always yields that order; idempotency_conflict when the body differs.
        """
        if refused := _bad_key(idempotency_key):
            return refused
        wanted = merged(lines)
        if isinstance(wanted, Refused):
            return wanted
        for line in wanted:
            if not is_sku(line.sku):
                return Refused("unknown_sku", {"sku": line.sku} if len(wanted) > 1 else {})
        order = self.order_id(show, principal.pid, idempotency_key)
        code = as_code(coupon) or "-" if coupon else ""  # no coupon has a code of one character
        only = (wanted[0], code) if len(wanted) == 1 else None
        asked = (order, self._hold_ms, code, *(chain.from_iterable(wanted) if only is None else wanted[0]))
        if only is not None and self._sold_out.knows(show, only):
            reply = await self._sold_out.ask(
                show,
                only,
                order,
                lambda: self._run("hold", show, principal, *asked, idempotency_key=idempotency_key),
            )
        else:
            reply = await self._run("hold", show, principal, *asked, idempotency_key=idempotency_key)
            if only is not None and reply == EMPTY:
                self._sold_out.note(show, only)
        if isinstance(reply, Refused):
            return reply
        if is_new := reply[1] == 1:
            self.buyers.note(principal.pid, show, reply[3])
        return Placed(OrderState(reply[2]), is_new)

    async def begin_payment(
        self, show: str, principal: Principal, order: str, payment_token: str
    ) -> Attempt | AlreadyPaid | Refused:
        """Begin an attempt to pay, or join the running one when the token is the same.

        An open order's units are reserved now. Refusals: unknown_order (also somebody else's), hold_expired,
        payment_in_progress, illegal_transition; of an open order also those of `hold` from banned to
        not_for_sale and of its caps, quotas and stock, and it stays open.
        """
        token_print = blake2s(payment_token.encode(), key=self._secret[:32], person=b"paytoken").hexdigest()
        asked = (order, token_print, self._extension_ms, ASK_AFTER_MS)
        reply = await self._run("pay_begin", show, principal, *asked)
        if isinstance(reply, Refused):
            return reply
        _, how, number, amount_minor, currency, json = reply
        if how == b"paid":
            return AlreadyPaid(OrderState(json))
        return Attempt(OrderState(json), number, amount_minor, currency.decode())

    async def settle(self, show: str, order: str, number: int, *, approved: bool) -> Settled | Refused:
        """Book how attempt `number` ended; a repeat changes nothing. Refusal: unknown_order.

        One that was approved stays the reconciler's until `money_settled`. Declined after it had paid: the
        gateway has lost it, and the sale is taken back.
        """
        outcome = "approved" if approved else "declined"
        reply = await self._run("settle", show, None, order, number, outcome, ASK_AFTER_MS)
        if isinstance(reply, Refused):
            return reply
        _, state, json, paid_by, refunds = reply
        return Settled(OrderState(json), state.decode(), paid_by, _refunds(refunds))

    async def money_settled(self, show: str, order: str, number: int) -> None:
        """The gateway has taken what attempt `number` reserved, or has let it go."""
        await self._run("settle", show, None, order, number, "done")

    async def still_pending(self, show: str, order: str, number: int) -> None:
        """The gateway cannot say yet; ask again in PENDING_MS, or when the hold is over."""
        await self._run("settle", show, None, order, number, "pending", PENDING_MS)

    async def cancel(
        self, show: str, principal: Principal, order: str, *, idempotency_key: str = ""
    ) -> OrderState | Refused:
        """The buyer lets a hold go. Refusals: unknown_order, payment_in_progress, illegal_transition."""
        reply = await self._run("cancel", show, principal, order, idempotency_key=idempotency_key)
        return reply if isinstance(reply, Refused) else OrderState(reply[1])

    async def refund(
        self,
        show: str,
        principal: Principal,
        order: str,
        *,
        restock: bool,
        reason: str,
        idempotency_key: str,
        amount_minor: int | None = None,
        quantity: int | None = None,
        sku: str = "",
    ) -> RefundDue | Refused:
        """Take a paid order back; its units return to the shelf or are written off.

        Or a part of it: `quantity` units at their price (all that are left of the line of `sku`, which says
        of which line they are), or `amount_minor` alone, for which no units come back (so without
        `restock`) unless it is all that is left. The reason is encrypted with the buyer's key. Refusals:
        idempotency_key_required, bad_request, forbidden, unknown_order, unknown_sku, illegal_transition,
        refund_too_large.
        """
        if refused := _bad_key(idempotency_key):
            return refused
        if amount_minor is not None and (quantity is not None or sku):
            return Refused("bad_request", {"field": "amount_minor"})
        if len(reason) > REASON_MAX_CHARS:
            return Refused("bad_request", {"field": "reason"})
        buyer = await self._store.read_scripts.run("order_pid", show, "", "", order)
        if isinstance(buyer, Refused):
            return buyer
        pid = cast("bytes", buyer[1]).decode()
        reason = await self._texts.encrypt(show, pid, "reason", reason, once=idempotency_key)
        part = ("" if amount_minor is None else amount_minor, "" if quantity is None else quantity, sku)
        asked = (order, "1" if restock else "0", reason, principal.subject, *part)
        reply = await self._run("refund", show, principal, *asked, idempotency_key=idempotency_key)
        if isinstance(reply, Refused):
            return reply
        return RefundDue(OrderState(reply[1]), reply[2], _refunds(reply[3]))

    async def refunded(self, show: str, order: str, refunds: Iterable[str]) -> OrderState | Refused:
        """The gateway has given the money of these refunds back; a repeat changes nothing.

        It is booked when that is all the open ones of the order. Refusal: unknown_order.
        """
        reply = await self._run("refunded", show, None, order, *refunds)
        return reply if isinstance(reply, Refused) else OrderState(reply[1])

    async def undo_flash(self, show: str, principal: Principal, flash: str, reason: str) -> Undone | Refused:
        """Take back everything that was sold at a flash price: holds are cancelled, paid orders refunded.

        It goes on in batches until nothing but running payments remains, or UNDO_BATCHES are done: a repeat
        goes on, and so do the sweepers. The first call's reason counts; it is encrypted with its writer's
        key. Refusals: bad_request, forbidden, unknown_flash.
        """
        if not 1 <= len(reason) <= REASON_MAX_CHARS:
            return Refused("bad_request", {"field": "reason"})
        reason = await self._texts.encrypt(show, principal.pid, "reason", reason)
        undone, idle = Undone(flash, 0, 0, 0, 0, done=False), 0
        for _ in range(UNDO_BATCHES):
            reply = await self._run("undo_flash", show, principal, flash, reason, principal.subject)
            if isinstance(reply, Refused):
                return reply
            _, looked, waiting, cancelled, refunds, remaining = reply
            undone = Undone(flash, cancelled, refunds, waiting, remaining, done=remaining == 0)
            idle = idle + waiting if looked == waiting else 0
            if idle >= remaining:
                break
        return undone

    async def order(
        self, show: str, principal: Principal, order: str, *, own: bool = False
    ) -> OrderState | Refused:
        """An order for its buyer and (unless `own`) its own seller, a creator or an admin; the owner's
        products are every seller's.

        For everybody else it does not exist (unknown_order).
        """
        asked = (order, "" if own else principal.subject)
        role = principal.role_on(show)
        reply = await self._store.read_scripts.run("order_get", show, principal.pid, role, *asked)
        return reply if isinstance(reply, Refused) else OrderState(cast("bytes", reply[1]))

    async def orders_in(
        self, show: str, principal: Principal, *, after: int = 0, before: int = 0, limit: int = LIST_MAX
    ) -> OrderPage | Refused:
        """Orders of a show that `principal` is in charge of, with their buyers, as they stand now.

        `after` a seq (an order's `entry`), oldest first, or when `before` is given, below it, newest first.
        It looks at `limit` orders at most, so a page may have fewer and still have a next one. Refusal:
        forbidden.
        """
        way, seq = ("before", before) if before else ("after", after)
        role = principal.role_on(show)
        asked = (way, seq, min(limit, LIST_MAX), principal.subject)
        reply = await self._store.read_scripts.run("order_list", show, principal.pid, role, *asked)
        if isinstance(reply, Refused):
            return reply
        _, following, *found = cast("list[Any]", reply)
        return OrderPage(tuple(found), following or None)

    async def orders_of(self, principal: Principal) -> list[OrderState]:
        """The buyer's own newest orders over all shows, newest first."""
        found = [
            await self.order(show, principal, order)
            for show, order in await self.buyers.orders_of(principal.pid)
        ]
        return [order for order in found if isinstance(order, OrderState)]

    async def expire_due(self, show: str) -> Swept | Refused:
        """Write what time has brought about in one show. Refusal: unknown_show."""
        expired = ended = 0
        for _ in range(SWEEPS_MAX):
            reply = await self._store.scripts.run("sweep", show, "", "")
            if isinstance(reply, Refused):
                return reply
            _, holds, flashes, more, quiet, attempts, refunds, draws = cast("list[Any]", reply)
            expired, ended = expired + holds, ended + flashes
            if not more:
                found = _attempts(attempts), _due(refunds), tuple(draw.decode() for draw in draws)
                return Swept(expired, ended, quiet == 1, *found)
        return Swept(expired, ended, quiet=False)

    async def _exist(self, show: str, orders: Sequence[str]) -> bool:
        keys = [f"ls:{{{show}}}:o:{order}" for order in orders]
        return await self._store.reads.call("EXISTS", *keys) != 0

    async def _run(
        self, script: str, show: str, principal: Principal | None, *args: Arg, idempotency_key: str = ""
    ) -> "list[Any] | Refused":
        """Run a script that may first want due holds written off (many of them at once.

        See DUE_MAX there).
        """
        pid, role = (principal.pid, principal.role_on(show)) if principal else ("", "")
        for _ in range(SWEEPS_MAX):
            reply = await self._store.scripts.run(
                script, show, pid, role, *args, idempotency_key=idempotency_key
            )
            if isinstance(reply, Refused) or reply[0] != b"sweep":
                return reply
            await self.expire_due(show)
        raise StoreUnavailable(f"{script}: too many due holds at once", maybe_applied=False)


def _bad_key(idempotency_key: str) -> Refused | None:
    if not idempotency_key:
        return Refused("idempotency_key_required")
    return (
        None if is_idempotency_key(idempotency_key) else Refused("bad_request", {"field": "Idempotency-Key"})
    )


def _attempts(rows: list[Any]) -> tuple[tuple[str, int, bool], ...]:
    return tuple((order.decode(), number, kept == 1) for order, number, kept in rows)


def _due(rows: list[Any]) -> tuple[tuple[str, int, Refunds], ...]:
    return tuple((order.decode(), paid_by, _refunds(refunds)) for order, paid_by, refunds in rows)


def _refunds(flat: list[Any]) -> Refunds:
    return tuple((flat[i].decode(), flat[i + 1]) for i in range(0, len(flat), 2))
