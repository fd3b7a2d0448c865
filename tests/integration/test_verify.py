"""`vendue verify` on a log that a real store wrote: it holds; and each rule finds what only it can find."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import store as stores
from support.examples import examples
from support.proof import KEY, Record, Story, encoded, sealed
from support.sale import ANNA, BORIS, CREATOR

from server.verify import rules, rules_coupons
from server.verify.chain import Broken, Sound, verify

PUBLIC = KEY.public_key()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    async def tell() -> list[Record]:
        async with stores.embedded(tmp_path_factory.mktemp("store")) as (_, url), stores.opened(url) as store:
            return await Story(store).tell()

    return asyncio.run(tell())


def test_what_the_scripts_write_holds(story: list[Record]) -> None:
    verdict = verify(sealed(encoded(story)), PUBLIC)
    assert isinstance(verdict, Sound), verdict
    assert (verdict.newest.seq, verdict.strangers, verdict.keyed) == (len(story), 0, True)
    told = {record["kind"] for record in story}
    assert told >= {
        "order.refunded",
        "order.declined",
        "price.ended",
        "epoch",
        "product.unpinned",
        "order.expired",
        "order.opened",
        "order.reopened",
    }


def nth(kind: str, n: int = 0, **fields: Any) -> Callable[[list[Record]], Record]:
    """The n-th entry of a kind whose body (or order) has these fields."""

    def find(story: list[Record]) -> Record:
        def fits(record: Record) -> bool:
            body = record["body"]
            return all(body.get(k, body.get("order", {}).get(k)) == v for k, v in fields.items())

        return [record for record in story if record["kind"] == kind and fits(record)][n]

    return find


def body(**fields: Any) -> Callable[[Record], None]:
    """Change fields of the body; a callable gets the old value."""
    return lambda record: _change(record["body"], fields)


def order(**fields: Any) -> Callable[[Record], None]:
    """Change fields of the body's order."""
    return lambda record: _change(record["body"]["order"], fields)


def head(**fields: Any) -> Callable[[Record], None]:
    """Change the entry's own fields."""
    return lambda record: _change(record, fields)


def _change(target: Record, fields: Record) -> None:
    for name, value in fields.items():
        target[name] = value(target[name]) if callable(value) else value


def more(by: int) -> Callable[[int], int]:
    return lambda value: value + by


def cheaper(record: Record) -> None:
    """A unit price of 900 that adds up."""
    placed = record["body"]["order"]
    goods = 900 * placed["quantity"]
    placed["lines"][0]["unit_price_minor"] = placed["unit_price_minor"] = 900
    placed["goods_minor"] = placed["total_minor"] = goods
    placed["commission_minor"] = (goods * placed["commission_bps"] + 5_000) // 10_000


def short_hold(record: Record) -> None:
    placed = record["body"]["order"]
    shorter = 4_999 - (placed["expires_at_ms"] - record["ts"])
    placed["expires_at_ms"] += shorter
    placed["expires_sale_ms"] += shorter


def short_flash(record: Record) -> None:
    flash = record["body"]
    for clock in ("sale_ms", "at_ms"):
        flash[f"ends_{clock}"] = flash[f"starts_{clock}"] + 4_999


def repeat(**fields: Any) -> Callable[[Record], None]:
    """Change what is told of the windows that a flash price has."""
    return lambda record: _change(record["body"]["repeat"], fields)


def later(record: Record) -> None:
    """A window that starts, and ends, a second later."""
    for name in ("starts_sale_ms", "starts_at_ms", "ends_sale_ms", "ends_at_ms"):
        record["body"][name] += 1_000


def silenced(record: Record) -> None:
    record["kind"], record["body"] = "moderation", {"action": "chat_mode", "mode": "all"}


def unsaid(record: Record) -> None:
    record["kind"], record["body"] = "clock.offset", {}


def never_live(record: Record) -> None:
    record["body"] |= {"state": "scheduled", "frozen": False, "frozen_since_ms": None}


def ended_already(record: Record) -> None:
    record["kind"], record["body"] = (
        "show.state",
        {
            "state": "ended",
            "sales_paused": False,
            "video_blanked": False,
            "host_away": False,
            "frozen": False,
            "frozen_total_ms": 0,
            "frozen_since_ms": None,
        },
    )


def second_show(record: Record) -> None:
    record["kind"], record["body"] = (
        "show.created",
        {"id": "show", "currency": "EUR", "owner": "p", "epoch": "e_second"},
    )


def refund(**fields: Any) -> Callable[[Record], None]:
    return lambda record: _change(record["body"]["order"]["refunds"][0], fields)


def stock(**fields: Any) -> Callable[[Record], None]:
    return lambda record: _change(record["body"]["stock"][0], fields)


unpinned, held, paid = nth("product.unpinned"), nth("order.held"), nth("order.paid")
first_vase = nth("product.restocked", sku="vase")
vase_held, mug_updated = nth("order.held", sku="vase"), nth("product.updated", sku="mug")
bundle = nth("product.updated", sku="set")
first_flash = nth("price.flash")
third_at_flash = nth("order.held", 4)
Find = Callable[[list[Record]], Record]


def auctioned(story: list[Record]) -> Record:
    """The order that a lot's end made."""
    closed = next(record for record in story if record["kind"] == "lot.closed" and record["body"]["winner"])
    following: int = closed["seq"]
    return story[following]


def drawn_first(story: list[Record]) -> Record:
    """The first order that a draw made."""
    drawn: int = nth("draw.drawn")(story)["seq"]
    return story[drawn]


autumn = nth("coupon.made")


def with_autumn(story: list[Record]) -> Record:
    """The first order with that coupon."""
    held = [record for record in story if record["kind"] == "order.held"]
    return next(each for each in held if each["body"]["order"]["lines"][0].get("coupon") == "AUTUMN")


def lot_price(by: int) -> Callable[[Record], None]:
    """Another price for what was won, that adds up."""

    def change(record: Record) -> None:
        placed = record["body"]["order"]
        price = placed["total_minor"] + by
        placed["lines"][0]["unit_price_minor"] = placed["unit_price_minor"] = price
        placed["goods_minor"] = placed["total_minor"] = price
        placed["commission_minor"] = (price * placed["commission_bps"] + 5_000) // 10_000

    return change


def several(n: int, kind: str = "held") -> Find:
    """The n-th entry of that kind of an order of several lines."""

    def find(story: list[Record]) -> Record:
        orders = [record for record in story if record["kind"] == f"order.{kind}"]
        return [record for record in orders if len(record["body"]["order"]["lines"]) > 1][n]

    return find


def in_line(at: int, **fields: Any) -> Callable[[Record], None]:
    return lambda record: _change(record["body"]["order"]["lines"][at], fields)


def lasts(ms: int) -> Callable[[Record], None]:
    """A coupon that ends so long after it was made."""
    return lambda record: record["body"].update(expires_at_ms=record["ts"] + ms)


def cheaper_line(record: Record) -> None:
    """A lower price of the second line, that adds up."""
    placed = record["body"]["order"]
    placed["lines"][1]["unit_price_minor"] -= 1
    minor = [line["unit_price_minor"] * line["quantity"] for line in placed["lines"]]
    rates = [line["commission_bps"] for line in placed["lines"]]
    placed["goods_minor"] = placed["total_minor"] = sum(minor)
    placed["commission_minor"] = sum(
        (part * bps + 5_000) // 10_000 for part, bps in zip(minor, rates, strict=True)
    )


def back_of(at: int, **fields: Any) -> Callable[[Record], None]:
    """Change which units a refund brings back."""
    return lambda record: _change(record["body"]["order"]["refunds"][-1]["lines"][at], fields)


def in_show(at: int, **fields: Any) -> Callable[[Record], None]:
    """Change what is told of a product in a reduction of the whole show."""
    return lambda record: _change(record["body"]["prices"][at], fields)


def later_campaign(record: Record) -> None:
    """It is announced for ten seconds longer."""
    record["body"]["ends_at_ms"] += 10_000


def passing(record: Record) -> None:
    """The buyer asked for it, like anybody else."""
    del record["body"]["order"]["lines"][0]["waited"]
    record["actor"] = record["audience"].removeprefix("subject:")


turn = nth("order.held", 1, sku="pail")
show_flash = nth("price.show_flash")
campaign, campaign_over = nth("price.campaign"), nth("price.campaign_ended")


def short_campaign(record: Record) -> None:
    record["body"]["ends_at_ms"] = record["body"]["starts_at_ms"] + 59_999


MUTATIONS: list[tuple[int, Find, Callable[[Record], None], Find | None]] = [
    (7, nth("product.restocked"), head(prev_public=more(-1)), None),
    (8, nth("product.restocked", 1), lambda record: _change(record, {"ts": 1, "at_ms": 1}), None),
    (9, unpinned, lambda record: _change(record, {"at_ms": record["ts"] + 501}), None),
    (10, unpinned, second_show, None),
    (11, unpinned, head(audience="staff"), None),
    (12, nth("show.state", state="paused"), never_live, None),
    (13, nth("show.state", 2), body(frozen_total_ms=more(1)), None),
    (14, nth("epoch"), body(previous="e_other"), None),
    (15, mug_updated, lambda record: record["body"].pop("seller"), None),
    (15, several(0), in_line(1, sku="cup"), None),
    (15, several(0), body(seen_prices_minor=[300]), None),
    (15, several(0, "part_refund_due"), back_of(0, sku="mug"), None),
    (15, several(0, "part_refund_due"), back_of(0, quantity=2), None),
    (16, several(0), in_line(1, sku="nothing"), None),
    (16, nth("product.pinned"), body(sku="nothing"), None),
    (17, nth("product.updated", 1, sku="mug"), body(price_version=more(1)), None),
    (18, first_flash, short_flash, None),
    (43, nth("price.flash", sku="pot"), body(confirmed=False), None),
    (45, nth("product.updated", 1, sku="mug"), body(price_reason={"rule": "flash", "id": "f_1"}), None),
    (45, nth("price.ended"), body(price_reason={"rule": "flash", "id": "f_1"}), None),
    (45, third_at_flash, in_line(0, price_reason={"rule": "list", "id": None}), None),
    (45, several(1), in_line(1, price_reason={"rule": "list", "id": None}), None),
    (45, auctioned, in_line(0, price_reason={"rule": "list", "id": None}), None),
    (46, show_flash, body(percent_off=9), None),
    (46, show_flash, body(confirmed=True), None),
    (46, show_flash, in_show(0, list_price_minor=more(1)), None),
    (46, show_flash, in_show(0, price_minor=more(-1)), None),
    (46, show_flash, short_flash, None),
    (46, nth("price.show_ended"), body(reason="window"), None),
    (46, nth("price.show_ended"), in_show(1, price_minor=more(-1)), None),
    (46, nth("price.show_ended"), lambda record: record["body"]["prices"].pop(), None),
    (44, show_flash, in_show(1, reference_price_minor=more(1)), None),
    (44, nth("price.show_ended"), in_show(0, reference_price_minor=more(1)), None),
    (45, nth("price.ended", sku="cup"), body(price_reason={"rule": "list", "id": None}), None),
    (45, nth("order.held", -1, sku="tin"), in_line(0, price_reason={"rule": "list", "id": None}), None),
    (31, show_flash, in_show(0, price_minor=more(1)), nth("order.held", -1, sku="tin")),
    (15, campaign, body(title=""), None),
    (46, campaign, body(percent_off=24), None),
    (46, campaign, body(confirmed=True), None),
    (46, campaign, in_show(0, price_minor=more(-1)), None),
    (46, campaign, short_campaign, None),
    (46, campaign, body(starts_at_ms=more(-1)), None),
    (46, nth("price.campaign", 1), in_show(0, price_minor=400), None),
    (46, nth("price.campaign", 1), body(starts_at_ms=more(92 * 86_400_000)), None),
    (46, campaign_over, body(reason="stopped"), None),
    (46, campaign_over, in_show(0, price_version=more(1)), None),
    (46, campaign_over, lambda record: record["body"]["prices"].pop(), None),
    (46, nth("price.campaign_ended", 1), body(reason="window"), None),
    (46, campaign, later_campaign, campaign_over),
    (44, campaign, in_show(0, reference_price_minor=more(1)), None),
    (44, campaign_over, in_show(0, reference_price_minor=more(1)), None),
    (17, nth("product.updated", 1, sku="knife"), body(list_price_minor=more(1)), None),
    (18, nth("price.flash", sku="knife"), body(price_version=more(-1)), None),
    (45, nth("order.held", sku="fork"), in_line(0, price_reason={"rule": "list", "id": None}), None),
    (31, campaign, in_show(0, price_minor=more(1)), nth("order.held", sku="fork")),
    (44, mug_updated, body(reference_price_minor=None), None),
    (44, nth("price.flash", 1), body(reference_price_minor=more(1)), None),
    (44, nth("price.flash", 1), body(earlier_prices=[[1, 1]], reference_price_minor=1), None),
    (44, nth("price.ended", reason="window"), body(reference_price_minor=1_000), None),
    (44, nth("product.updated", 1, sku="mug"), body(reference_price_minor=more(-1)), None),
    (19, nth("price.ended", reason="window"), body(reason="stopped"), None),
    (18, nth("price.flash", 0, sku="vase"), repeat(series="f_other"), None),
    (18, nth("price.flash", 0, sku="vase"), repeat(every_s=60), None),
    (18, nth("price.flash", 1, sku="vase"), body(price_minor=more(1)), None),
    (18, nth("price.flash", 1, sku="vase"), body(quantity=3, quantity_left=3), None),
    (18, nth("price.flash", 1, sku="vase"), later, None),
    (18, nth("price.flash", 2, sku="vase"), repeat(n=2), None),
    (18, nth("price.flash", 2, sku="vase"), silenced, None),
    (19, nth("price.ended", 0, sku="vase"), body(repeat="done"), None),
    (19, nth("price.ended", 0, sku="vase"), lambda record: record["body"].pop("repeat"), None),
    (19, nth("price.ended"), body(repeat="done"), None),
    (19, nth("price.ended", 2, sku="vase"), body(repeat="withdrawn"), None),
    (44, nth("price.flash", 1, sku="vase"), body(reference_price_minor=401), None),
    (20, held, order(expires_at_ms=more(1)), None),
    (21, nth("product.pinned"), body(price_minor=more(1)), None),
    (22, nth("product.restocked", 2), body(left=more(1)), None),
    (23, held, order(seq=more(1)), None),
    (24, held, head(actor=BORIS.pid), None),
    (24, nth("price.undone"), unsaid, nth("order.cancelled", sku="lamp")),
    (25, nth("order.paying"), order(unit_price_minor=more(-1)), None),
    (25, paid, body(seen_price_minor=more(1)), None),
    (26, held, short_hold, None),
    (27, paid, body(paid_by=3), None),
    (27, paid, body(paid_by=0), None),
    (28, nth("order.refund_due"), refund(amount_minor=more(1)), None),
    (28, nth("order.refunded"), refund(amount_minor=more(-1)), None),
    (28, nth("order.part_refund_due"), refund(amount_minor=more(1)), None),
    (28, nth("order.part_refund_due", 1), refund(amount_minor=more(-1)), None),
    (28, nth("order.part_refunded"), refund(done_at_ms=None), None),
    (28, nth("order.refund_due", 1), refund(amount_minor=more(-1)), None),
    (28, several(0, "part_refund_due"), refund(amount_minor=more(-501)), None),
    (28, several(1, "part_refund_due"), refund(amount_minor=more(1)), None),
    (24, nth("price.undone", 1), unsaid, several(0, "cancelled")),
    (29, nth("product.pinned"), ended_already, held),
    (30, nth("moderation", action="ban"), body(subject=ANNA.pid), nth("order.held", 1, sku="vase")),
    (31, held, cheaper, None),
    (31, several(0), cheaper_line, None),
    (32, several(1), body(seen_prices_minor=[300, 79]), None),
    (33, several(0), in_line(1, commission_bps=more(1)), None),
    (33, several(0), order(commission_bps=333), None),
    (33, several(0), order(goods_minor=more(1)), None),
    (32, held, body(seen_price_minor=more(-1)), None),
    (33, held, order(commission_minor=more(1)), None),
    (34, held, stock(left=more(1)), None),
    (34, first_vase, body(delta=1, left=1), vase_held),
    (34, nth("order.refund_due", 1, sku="vase"), refund(restock=True), None),
    (34, nth("order.part_refund_due"), refund(restock=False), None),
    (34, several(0), lambda record: _change(record["body"]["stock"][1], {"left": 4}), None),
    (34, nth("product.restocked", sku="pot"), body(delta=2, left=2), several(0)),
    (35, nth("product.updated", sku="pot"), body(per_viewer_max=2), several(0)),
    (36, nth("price.flash", sku="pot"), body(quantity=2, quantity_left=2), several(2)),
    (36, nth("price.flash", sku="pot"), body(per_viewer_max=1), several(1)),
    (34, nth("order.held", sku="set"), lambda record: _change(record["body"]["stock"][1], {"left": 9}), None),
    (34, bundle, body(parts=[{"sku": "cup", "quantity": 1}, {"sku": "tin", "quantity": 1}]), several(3)),
    (35, bundle, body(per_viewer_max=0), several(3)),
    (35, nth("product.updated", sku="tin"), body(per_viewer_max=1), several(3)),
    (42, bundle, body(parts=[{"sku": "cup", "quantity": 2}, {"sku": "set", "quantity": 1}]), None),
    (42, bundle, body(parts=[{"sku": "cup", "quantity": 2}] * 2), None),
    (35, mug_updated, body(per_viewer_max=1), held),
    (36, first_flash, body(quantity=2, quantity_left=2), third_at_flash),
    (36, first_flash, body(per_viewer_max=1), nth("order.held", 3)),
    (37, nth("lot.opened"), body(latest_sale_ms=more(2_000_000)), None),
    (37, nth("lot.opened"), stock(left=more(1)), None),
    (38, nth("lot.max", 1), body(max_minor=599), None),
    (38, nth("lot.max", 1), body(max_minor=1_400), nth("lot.bid", 2)),
    (38, nth("lot.bid", 1), body(next_minor=more(1)), None),
    (38, nth("lot.bid", 1), body(leader=ANNA.pid), None),
    (38, nth("lot.bid"), silenced, None),
    (39, nth("lot.closed", bids=4), body(price_minor=more(-1)), None),
    (39, nth("lot.closed", bids=4), body(winner=ANNA.pid), None),
    (39, nth("lot.cancelled"), stock(held=more(1)), None),
    (51, nth("product.pinned", sku="kiln"), body(hold_policy="hold"), None),
    (51, nth("product.updated", sku="kiln"), body(hold_policy="hold"), nth("product.pinned", sku="kiln")),
    (51, mug_updated, body(hold_policy="pay_first"), nth("product.pinned")),
    (51, nth("product.updated", 1, sku="mug"), body(hold_policy="pay_first"), None),  # it is pinned
    (51, nth("product.updated", sku="fork"), body(hold_policy="pay_first"), nth("order.held", sku="fork")),
    (51, nth("product.updated", sku="fork"), body(hold_policy="lottery"), nth("order.held", sku="fork")),
    (51, nth("order.opened"), order(pay_first=False), None),
    (51, nth("order.held", sku="print"), order(pay_first=True), None),
    (34, nth("order.opened"), stock(left=more(-1), held=more(1)), None),
    (34, nth("order.reopened"), stock(left=more(-1), held=more(1)), None),
    (35, nth("product.updated", sku="kiln"), body(per_viewer_max=0), nth("order.paying", sku="kiln")),
    (26, nth("order.opened"), order(expires_at_ms=None, expires_sale_ms=None), None),
    (47, nth("bag.changed"), body(skus=["nothing", "mug"]), None),
    (47, nth("bag.changed"), body(skus=["mug", "cup", "mug"]), None),
    (47, nth("bag.changed"), body(skus=["cup", "pot"]), None),  # the mug is pinned
    (47, nth("bag.changed"), body(skus=["mug", "pot"]), nth("order.held", -1, sku="cup")),
    (48, nth("waitlist.joined", 1), body(place=more(1)), None),
    (48, nth("waitlist.joined", 1), head(actor=ANNA.pid), None),
    (48, nth("waitlist.left", reason="banned"), body(reason="limit"), None),
    (48, nth("waitlist.left", reason="banned"), body(reason="asked"), None),
    (48, nth("waitlist.left", reason="asked"), head(actor=ANNA.pid), None),
    (48, turn, in_line(0, waited=more(-1)), None),
    (48, turn, order(expires_at_ms=more(1), expires_sale_ms=more(1)), None),
    (48, turn, body(seen_price_minor=501), None),
    (48, turn, passing, None),
    (49, nth("draw.opened"), body(ends_sale_ms=more(-5_001), ends_at_ms=more(-5_001)), None),
    (49, nth("draw.opened"), stock(left=more(1)), None),
    (49, nth("draw.opened"), body(commitment="0" * 64), nth("draw.drawn")),
    (49, nth("draw.entered", 1), head(actor=CREATOR.pid), None),
    (49, nth("draw.entered", 2), head(kind="from.newer"), nth("draw.closed")),
    (49, nth("draw.closed"), body(entries=more(1)), None),
    (49, nth("draw.drawn"), body(seed="0" * 64), None),
    (49, nth("draw.drawn"), lambda record: record["body"]["winners"].reverse(), None),
    (49, nth("draw.drawn"), body(passed=[ANNA.pid]), None),
    (49, nth("draw.drawn"), stock(held=more(1)), None),
    (49, nth("draw.cancelled"), stock(held=more(1)), None),
    (49, drawn_first, lot_price(-100), None),
    (49, drawn_first, in_line(0, draw="d_other", price_reason={"rule": "draw", "id": "d_other"}), None),
    (45, drawn_first, in_line(0, price_reason={"rule": "list", "id": None}), None),
    (50, autumn, body(percent_off=21), with_autumn),
    (50, autumn, body(amount_off_minor=1), None),
    (50, autumn, body(skus=["nothing"]), None),
    (50, autumn, body(skus=["jug"]), with_autumn),
    (50, autumn, body(quantity=1), with_autumn),
    (50, autumn, body(per_viewer_max=1), with_autumn),
    (50, autumn, lasts(60_000), with_autumn),
    (50, autumn, lasts(59_999), None),
    (50, autumn, lasts(30 * 86_400_000 + 1), None),
    (50, nth("coupon.made", 1), body(code="AUTUMN"), None),
    (50, nth("coupon.ended"), body(code="NONE"), None),
    (50, with_autumn, in_line(0, coupon="OTHER", price_reason={"rule": "coupon", "id": "OTHER"}), None),
    (50, with_autumn, cheaper_line, None),
    (45, with_autumn, in_line(0, price_reason={"rule": "list", "id": None}), None),
    (40, auctioned, lot_price(-100), None),
    (40, auctioned, in_line(0, lot="l_other", price_reason={"rule": "lot", "id": "l_other"}), None),
]


@pytest.mark.parametrize(
    ("number", "find", "mutate", "caught_at"),
    MUTATIONS,
    ids=[f"{n}-{i}" for i, (n, *_) in enumerate(MUTATIONS)],
)
def test_a_rule_finds_what_breaks_it(
    story: list[Record], number: int, find: Find, mutate: Callable[[Record], Any], caught_at: Find | None
) -> None:
    changed = copy.deepcopy(story)
    target = find(changed)
    seq = (caught_at or find)(story)["seq"]
    mutate(target)
    lines = sealed(encoded(changed))
    verdict = verify(lines, PUBLIC)
    assert isinstance(verdict, Broken), "nobody noticed"
    assert (verdict.rule.number, verdict.seq) == (number, seq), verdict
    if verdict.rule.check and number != 16:  # and no other rule would have, there (16: the others rely on it)
        others = tuple(rule for rule in rules.RULES if rule.number != number)
        without = verify(lines, PUBLIC, others)
        assert isinstance(without, Sound) or without.seq > seq, without


def test_a_show_has_so_many_coupons_and_no_more(story: list[Record], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_coupons, "COUPONS_MAX", 1)
    verdict = verify(sealed(encoded(story)), PUBLIC)
    assert isinstance(verdict, Broken)
    assert (verdict.rule.number, verdict.seq) == (50, nth("coupon.made", 1)(story)["seq"])


def test_every_rule_has_its_mutation() -> None:
    of_the_file = {rule.number for rule in rules.FILE_RULES}
    assert {number for number, *_ in MUTATIONS} == {rule.number for rule in rules.ALL} - of_the_file
    assert [rule.number for rule in rules.ALL] == list(range(1, len(rules.ALL) + 1))


LIFE = ["held", "paying", "declined", "paid", "cancelled", "expired", "refund_due", "refunded"]


@pytest.mark.parametrize("kind", LIFE)
def test_no_order_begins_in_the_middle_or_goes_on_after_its_end(story: list[Record], kind: str) -> None:
    changed = copy.deepcopy(story)
    cancelled = nth("order.cancelled")(changed)
    changed[cancelled["seq"]] = again = copy.deepcopy(cancelled)
    again["seq"] = cancelled["seq"] + 1
    again["kind"] = f"order.{kind}"
    verdict = verify(sealed(encoded(changed[: cancelled["seq"] + 1])), PUBLIC)
    assert isinstance(verdict, Broken)
    assert (verdict.rule.number, verdict.seq) == (23, again["seq"])


def test_an_order_that_shrinks_is_decoded(story: list[Record]) -> None:
    changed = copy.deepcopy(story)
    held(changed)["body"]["order"] = {}
    verdict = verify(sealed(encoded(changed)), PUBLIC)
    assert isinstance(verdict, Broken)
    assert verdict.rule is rules.SHAPE


def test_kinds_from_a_newer_server_are_counted(story: list[Record]) -> None:
    changed = copy.deepcopy(story)
    nth("member.set")(changed)["kind"] = "raffle.drawn"
    verdict = verify(sealed(encoded(changed)), PUBLIC)
    assert isinstance(verdict, Sound)
    assert verdict.strangers == 1


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(max_size=5)
    | st.floats(allow_nan=False)
)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(), inner)
)


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every member below `value`."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(cast("Record", value).items())
    elif isinstance(value, list):
        pairs = list(enumerate(cast("list[Any]", value)))
    return [found for key, inner in pairs for found in ((*path, key), *leaves(inner, (*path, key)))]


@examples(300)
@given(where=st.integers(0, 2**24), value=anything, missing=st.booleans())
def test_whatever_an_entry_says_there_is_a_verdict(
    story: list[Record], where: int, value: Any, missing: bool
) -> None:
    """Signed nonsense ends in a verdict, too: nothing is raised, and nothing before it is blamed."""
    changed = copy.deepcopy(story)
    record = changed[where % len(changed)]
    paths = leaves(record["body"])
    *parents, last = paths[where // len(changed) % len(paths)]
    target = record["body"]
    for key in parents:
        target = target[key]
    if missing:
        del target[last]
    else:
        target[last] = value
    verdict = verify(sealed(encoded(changed)), PUBLIC)
    assert isinstance(verdict, Sound) or verdict.seq >= record["seq"], verdict
