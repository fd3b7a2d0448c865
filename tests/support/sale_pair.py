"""The model and the real scripts side by side: each step is taken by both."""

from typing import Any

from support.sale import CREATOR, SHOW, decoded
from support.sale_looks import Picked, SaleLooks, told_reason

from server.commerce import price_record
from server.commerce.bag import Wanted
from server.commerce.catalog import (
    FlashSpec,
    FlashStarted,
    FlashStopped,
    Part,
    Pinned,
    ProductPut,
    ProductSpec,
    RepeatSpec,
    Unpinned,
)
from server.commerce.coupons import CouponSpec, CouponView
from server.commerce.model_coupons import Coupon
from server.commerce.model_records import FlashTerms, HoldPolicy
from server.commerce.orders import AlreadyPaid, Attempt, OrderState, Placed, RefundDue, Settled
from server.commerce.pricing import Kind, Repeat
from server.commerce.reductions import (
    CampaignPrice,
    CampaignSpec,
    CampaignStarted,
    CampaignStopped,
    ShowFlashSpec,
    ShowFlashStarted,
)
from server.commerce.waitlist import Place
from server.store.outcome import Refused
from server.tokens import Principal


class SalePair(SaleLooks):
    """See the module."""

    def put(
        self,
        sku: str,
        price: int,
        *,
        stock: int | None = None,
        cap: int | None = None,
        floor: int | None = None,
        cost: int | None = None,
        parts: dict[str, int] | None = None,
        policy: HoldPolicy | None = None,
    ) -> None:
        """`policy`: None keeps what it has."""
        known = self.model.products.get(sku)
        policy = policy or (known.policy if known else "hold")
        spec = ProductSpec(
            title="T",
            price_minor=price,
            stock=stock,
            per_viewer_max=cap,
            floor_minor=floor,
            cost_minor=cost,
            parts=[Part(sku=part, quantity=n) for part, n in parts.items()] if parts else None,
            hold_policy=policy,
        )
        real = self._run(self.sale.catalog.put_product(SHOW, CREATOR, sku, spec))
        said = self.model.put_product(
            self.ts,
            sku,
            price,
            stock=stock,
            per_viewer_max=cap,
            floor=floor,
            cost=cost,
            parts=parts,
            earlier=self.earlier(sku),
            policy=policy,
        )
        self.agree("ok" if isinstance(real, ProductPut) else real, said)
        if isinstance(real, ProductPut):
            assert decoded(real.json)["reference_price_minor"] == self.model.reference_price(self.ts, sku)

    def put_pin(self, sku: str) -> None:
        """`""`: take it away."""
        catalog = self.sale.catalog
        real = self._run(catalog.pin(SHOW, CREATOR, sku) if sku else catalog.unpin(SHOW, CREATOR))
        if isinstance(real, Pinned):
            assert decoded(real.json)["hold_policy"] == self.model.products[sku].policy
        self.agree("ok" if isinstance(real, Pinned | Unpinned) else real, self.model.put_pin(sku))

    def sold_elsewhere(self, sku: str, price: int, days_ago: int) -> None:
        """A show that is over and asked no more had this price."""
        day = price_record.day_of(self.ts) - days_ago
        self.elsewhere[sku] = (*self.elsewhere.get(sku, ()), (price, day))
        key = f"ls:{{seller:{CREATOR.pid}}}:low:EUR:{sku}"
        self._run(self.store.writes.call("ZADD", key, "GT", day, price))

    def announce(
        self,
        sku: str,
        price: int | None,
        window_s: tuple[int, int],
        limits: tuple[int | None, int | None],
        *,
        percent: int | None = None,
        confirm: bool = True,
        windows: tuple[int, int] | None = None,
    ) -> None:
        """`windows`: how many in all, and seconds from the end of one to the announcement of the next."""
        (in_s, for_s), (quantity, cap) = window_s, limits
        every_s, times = (in_s + for_s + windows[1], windows[0]) if windows else (0, 1)
        spec = FlashSpec(
            sku=sku,
            price_minor=price,
            percent_off=percent,
            confirm=confirm,
            duration_s=for_s,
            starts_in_s=in_s,
            quantity=quantity,
            per_viewer_max=cap,
            repeat=RepeatSpec(every_s=every_s, times=times) if windows else None,
        )
        real = self._run(self.sale.catalog.flash(SHOW, CREATOR, spec))
        flash_id = self.flash_of(sku) if isinstance(real, FlashStarted) else "none"
        repeat = Repeat(flash_id, 1, times, every_s * 1000) if windows else None
        terms = FlashTerms(sku, quantity, cap, repeat)
        said = self.model.start_flash(
            self.ts,
            terms,
            flash_id=flash_id,
            price=price,
            percent=percent,
            in_ms=in_s * 1000,
            for_ms=for_s * 1000,
            confirm=confirm,
            earlier=self.earlier(sku),
        )
        self.agree("ok" if isinstance(real, FlashStarted) else real, said)
        if isinstance(real, FlashStarted):
            told = decoded(real.json)["reference_price_minor"]
            assert told == self.model.products[sku].reference_minor

    def announce_show_flash(
        self, percent: int, skus: list[str], window_s: tuple[int, int], *, confirm: bool
    ) -> None:
        in_s, for_s = window_s
        spec = ShowFlashSpec(
            percent_off=percent, skus=skus or None, duration_s=for_s, starts_in_s=in_s, confirm=confirm
        )
        real = self._run(self.reductions.start_show_flash(SHOW, CREATOR, spec))
        told: dict[str, Any] = {"id": "none", "prices": []}
        if isinstance(real, ShowFlashStarted):
            told = decoded(real.json)
        said = self.model.start_show_flash(
            self.ts,
            told["id"],
            percent,
            skus,
            in_ms=in_s * 1000,
            for_ms=for_s * 1000,
            confirm=confirm,
            earlier={sku: self.earlier(sku) for sku in self.model.products},
        )
        self.agree("ok" if isinstance(real, ShowFlashStarted) else real, said)
        if isinstance(real, ShowFlashStarted):
            self.reduction_agrees("show_flash", told)

    def announce_campaign(
        self, off: int | dict[str, int], skus: list[str], window_ms: tuple[int, int], *, confirm: bool
    ) -> None:
        """A percentage, or prices; `window_ms`: from now."""
        starts, ends = (self.ts + ms for ms in window_ms)
        prices = [] if isinstance(off, int) else [CampaignPrice(sku, price) for sku, price in off.items()]
        spec = CampaignSpec(
            title="C",
            percent_off=off if isinstance(off, int) else None,
            prices=prices or None,
            skus=skus or None,
            starts_at_ms=starts,
            ends_at_ms=ends,
            confirm=confirm,
        )
        real = self._run(self.reductions.start_campaign(SHOW, CREATOR, spec))
        told: dict[str, Any] = {"id": "none", "prices": []}
        if isinstance(real, CampaignStarted):
            told = decoded(real.json)
        said = self.model.start_campaign(
            self.ts,
            told["id"],
            off,
            skus,
            window_ms=(starts, ends),
            confirm=confirm,
            earlier={sku: self.earlier(sku) for sku in self.model.products},
        )
        self.agree("ok" if isinstance(real, CampaignStarted) else real, said)
        if isinstance(real, CampaignStarted):
            self.reduction_agrees("campaign", told)

    def reduction_agrees(self, kind: Kind, told: dict[str, Any]) -> None:
        """What was announced is what the model has."""
        terms = next(each for each in self.model.of_show if each.kind == kind)
        assert {each["sku"]: each["price_minor"] for each in told["prices"]} == terms.prices
        references = {each["sku"]: each["reference_price_minor"] for each in told["prices"]}
        assert references == {sku: self.model.reference_price(self.ts, sku) for sku in references}

    def reach_the_campaigns_next(self) -> None:
        """To its start, or to its end; `days_pass` alone gets to another day."""
        terms = self.model.campaign
        ahead = [at for at in (terms.window if terms else ()) if self.ts < at < self.ts + price_record.DAY_MS]
        if ahead:
            self.move_clock_to(min(ahead))

    def stop_reduction(self, kind: Kind, name: str) -> None:
        stop = self.reductions.stop_campaign if kind == "campaign" else self.reductions.stop_show_flash
        real = self._run(stop(SHOW, CREATOR, name))
        said = self.model.stop_reduction(self.ts, kind, name)
        self.agree("ok" if isinstance(real, FlashStopped | CampaignStopped) else real, said)

    def place(self, who: Principal, key: str, sku: str, quantity: int, seen: int) -> None:
        self.place_bag(who, key, [Wanted(sku, quantity, seen)])

    def place_bag(self, who: Principal, key: str, wanted: list[Wanted], coupon: str = "") -> None:
        asked = self.sale.ledger.hold(SHOW, who, wanted, idempotency_key=key, coupon=coupon)
        real = self._run(asked)
        said = self.model.hold(self.ts, who.pid, key, wanted, coupon)
        if isinstance(real, Placed):
            view = real.order.view()
            self.agree(self.seen_state(view.state, view.expires_sale_ms), said)
            order = self.model.orders[who.pid, key]
            told = [
                (line.unit_price_minor, line.price_version, told_reason(line.price_reason))
                for line in view.lines
            ]
            reasons = [("coupon", line.coupon) if line.coupon else line.price.reason for line in order.lines]
            assert told == [
                (line.unit_minor, line.price.version, reason)
                for line, reason in zip(order.lines, reasons, strict=True)
            ]
            assert [line.flash for line in view.lines] == [line.price.flash_id for line in order.lines]
            assert view.total_minor == order.price_of([line.quantity for line in order.lines])
            self.ids[who.pid, key] = view.id
        else:
            self.agree(real, said)

    def try_to_pay(self, pick: int, token: str) -> None:
        who, order_id, order = self.pick_order(pick)
        real = self._run(self.sale.ledger.begin_payment(SHOW, who, order_id, token))
        said = self.model.begin_payment(self.ts, order, token)
        if isinstance(real, Attempt):
            assert real.number == len(order.attempts)
        paid = "paid" if isinstance(real, AlreadyPaid) else real
        self.agree("paying" if isinstance(real, Attempt) else paid, said)

    def book(self, picked: Picked, number: int, *, approved: bool) -> None:
        _, order_id, order = picked
        real = self._run(self.sale.ledger.settle(SHOW, order_id, number, approved=approved))
        assert isinstance(real, Settled)
        said = self.model.settle(self.ts, order, number, approved=approved)
        state = "surplus" if real.surplus else self.seen_state(real.state, real.order.view().expires_sale_ms)
        self.agree(state, said)

    def let_go(self, picked: Picked) -> None:
        who, order_id, order = picked
        real = self._run(self.sale.ledger.cancel(SHOW, who, order_id))
        said = self.model.cancel(self.ts, order)
        self.agree("cancelled" if isinstance(real, OrderState) else real, said)

    def take_back(
        self,
        picked: Picked,
        *,
        restock: bool,
        amount: int | None = None,
        units: int | None = None,
        sku: str = "",
    ) -> None:
        _, order_id, order = picked
        asked = self.sale.ledger.refund(
            SHOW,
            CREATOR,
            order_id,
            restock=restock,
            reason="r",
            idempotency_key=self.new_key(),
            amount_minor=amount,
            quantity=units,
            sku=sku,
        )
        real = self._run(asked)
        said = self.model.refund(self.ts, order, restock=restock, amount=amount, units=units, sku=sku)
        self.agree(real.order.view().state if isinstance(real, RefundDue) else real, said)

    def make_coupon(self, code: str, spec: CouponSpec) -> None:
        real = self._run(self.coupons.make(SHOW, CREATOR, code, spec))
        lasts_s = spec.expires_in_s
        coupon = Coupon(
            spec.percent_off,
            spec.amount_off_minor,
            tuple(spec.skus or ()),
            spec.quantity,
            spec.per_viewer_max,
            None if lasts_s is None else self.ts + lasts_s * 1000,
            lasts_s,
        )
        said = self.model.make_coupon(self.ts, code, coupon, confirm=spec.confirm)
        if isinstance(real, Refused) and real.code == "confirm_required":
            real = Refused(real.code)  # what it may cost is for the tests of the preview
        self.agree("ok" if isinstance(real, CouponView) else real, said)

    def end_coupon(self, code: str) -> None:
        real = self._run(self.coupons.end(SHOW, CREATOR, code))
        self.agree("ok" if isinstance(real, CouponView) else real, self.model.end_coupon(code))

    def join(self, who: Principal, sku: str) -> None:
        key = self.new_key()
        real = self._run(self.waitlist.join(SHOW, who, sku, idempotency_key=key))
        said = self.model.join(self.ts, who.pid, sku, key)
        self.agree(f"place {real.place} of {real.waiting}" if isinstance(real, Place) else real, said)
