"""A snapshot out of what the script replies: clocks, flash prices, hidden stock."""

from typing import Any

import msgspec
import pytest

from server.log.state import ShowSnapshot, build, stock_view

SHOW: dict[str, object] = {
    "id": "s1", "title": "Autumn", "currency": "EUR", "owner": "p_c", "guests": "chat", "state": "live",
    "sales_paused": 0, "video_blanked": 0, "host_away": 0, "starts_at_ms": "", "created_ms": 1, "epoch": "e",
    "seq": 9, "prev_public": 7, "clock_offset_ms": 0, "frozen_since_ms": 0, "frozen_total_ms": 500, "pin":
    "a", "chat_mode": "all", "slow_mode_s": 0, "test_mode": 1,
}  # fmt: skip
PRODUCT: dict[str, object] = {
    "sku": "a", "list_price_minor": 1000, "price_version": 3, "left": 4, "held": 1, "sold": 2,
    "per_viewer_max": "", "seller": "p_s", "commission_bps": 250,
    "attrs": '{"title":"Mug","image_url":"/m.svg","stock_display":"exact"}',
}  # fmt: skip
FLASH: dict[str, object] = {
    "flash_id": "f1", "flash_price_minor": 700, "flash_version": 4, "flash_starts_sale_ms": 1000,
    "flash_ends_sale_ms": 9000, "flash_quantity": 5, "flash_used": 2, "flash_per_viewer_max": "",
}  # fmt: skip


def flat(fields: dict[str, object]) -> list[bytes]:
    return [str(part).encode() for pair in fields.items() for part in pair]


def snapshot(
    show: dict[str, object] | None = None,
    product: dict[str, object] | None = None,
    *,
    ts: int = 5500,
    sale_ms: int = 5000,
    price: int = 1000,
    below: int = 1000,
) -> ShowSnapshot:
    reply: list[Any] = [
        ts,
        sale_ms,
        flat({**SHOW, **(show or {})}),
        [],
        [],
        flat({**PRODUCT, **(product or {})}),
        price,
        3,
        b'{"rule":"list","id":null}',
        below,
    ]
    return build(reply)


def test_a_show_and_its_product() -> None:
    got = snapshot()
    assert (got.state, got.frozen, got.pin, got.seq, got.public_seq, got.test_mode) == (
        "live",
        False,
        "a",
        9,
        7,
        True,
    )
    assert (got.server_ms, got.sale_ms, got.starts_at_ms) == (5500, 5000, None)
    [mug] = got.products
    assert (mug.title, mug.price_minor, mug.left, mug.held, mug.sold, mug.sold_out) == (
        "Mug",
        1000,
        4,
        1,
        2,
        False,
    )
    assert (mug.per_viewer_max, mug.flash, mug.seller, mug.commission_bps) == (None, None, "p_s", 250)


def test_a_show_without_products() -> None:
    assert build([5500, 5000, flat(SHOW), [], []]).products == ()


def test_a_flash_price_has_server_times_while_the_clock_runs() -> None:
    [mug] = snapshot(product=FLASH, price=700).products
    assert mug.flash is not None
    assert (mug.flash.starts_at_ms, mug.flash.ends_at_ms, mug.flash.remaining_ms) == (1500, 9500, None)
    assert (mug.flash.price_minor, mug.flash.price_version, mug.flash.quantity_left) == (700, 4, 3)


def test_a_flash_price_has_what_remains_while_the_show_is_frozen() -> None:
    [mug] = snapshot({"frozen_since_ms": 5500}, FLASH, ts=8000).products
    assert mug.flash is not None
    assert (mug.flash.starts_at_ms, mug.flash.ends_at_ms, mug.flash.remaining_ms) == (None, None, 4000)
    assert mug.flash.ends_sale_ms == 9000


CAMPAIGN: dict[str, object] = {
    "campaign_id": "c", "campaign_title": "Weekend", "campaign_percent": "", "campaign_starts_ms": 1000,
    "campaign_ends_ms": 6000,
}  # fmt: skip


def test_a_campaign_is_shown_until_its_end_on_the_servers_clock() -> None:
    in_it: dict[str, object] = {"campaign_id": "c", "campaign_price_minor": 800, "reference_price_minor": 990}
    got = snapshot(CAMPAIGN | {"frozen_since_ms": 900}, in_it, ts=5999, sale_ms=400)
    assert got.campaign
    assert (got.campaign.title, got.campaign.percent_off, got.campaign.ends_at_ms) == ("Weekend", None, 6000)
    assert (got.products[0].campaign_price_minor, got.products[0].reference_price_minor) == (800, 990)
    other = snapshot(CAMPAIGN, in_it | {"campaign_id": "older"}, below=950).products[0]
    assert (other.campaign_price_minor, other.reference_price_minor) == (None, 950)
    over = snapshot(CAMPAIGN, in_it, ts=6000)
    assert (over.campaign, over.products[0].campaign_price_minor) == (None, None)
    assert over.products[0].reference_price_minor == 800  # it was in force until now


def test_a_flash_price_that_is_over_is_not_shown() -> None:
    [mug] = snapshot(product=FLASH, sale_ms=9000).products
    assert mug.flash is None


@pytest.mark.parametrize(
    ("display", "left", "expected"),
    [
        ("exact", 4, {"sku": "a", "sold_out": False, "left": 4, "held": 1, "sold": 2}),
        ("bucket", 4, {"sku": "a", "sold_out": False, "bucket": "low"}),
        ("bucket", 10, {"sku": "a", "sold_out": False, "bucket": "low"}),
        ("bucket", 11, {"sku": "a", "sold_out": False, "bucket": "in_stock"}),
        ("bucket", 0, {"sku": "a", "sold_out": True, "bucket": "sold_out"}),
        ("hidden", 4, {"sku": "a", "sold_out": False}),
        ("hidden", 0, {"sku": "a", "sold_out": True}),
    ],
)
def test_viewers_see_as_much_stock_as_the_product_shows(
    display: str, left: int, expected: dict[str, Any]
) -> None:
    assert stock_view("a", left, 1, 2, display) == expected
    attrs = msgspec.json.encode({"title": "Mug", "stock_display": display}).decode()
    [mug] = snapshot(product={"left": left, "attrs": attrs}).for_public().products
    seen = {"left": mug.left, "held": mug.held, "sold": mug.sold, "bucket": mug.bucket}
    assert {name: value for name, value in seen.items() if value is not None} == {
        name: value for name, value in expected.items() if name not in ("sku", "sold_out")
    }
    assert mug.sold_out == expected["sold_out"]


LOT: dict[str, object] = {
    "sku": "a", "state": "open", "start_minor": 500, "steps": "[[0,100],[2000,500]]", "soft_close_ms": 10_000,
    "ends": 65_000, "latest": 1_865_000, "bids": 2, "price_minor": 600, "leader": "p_anna", "next_minor": 700,
    "hold_ms": 120_000, "order": "o_secret",
}  # fmt: skip


@pytest.mark.parametrize(
    ("frozen_since_ms", "ends_at_ms", "remaining_ms"), [(0, 65_500, None), (5500, None, 60_000)]
)
def test_an_open_lot(frozen_since_ms: int, ends_at_ms: int | None, remaining_ms: int | None) -> None:
    show = {**SHOW, "frozen_since_ms": frozen_since_ms}
    [lot] = build([5500, 5000, flat(show), [[b"l_1", flat(LOT)]], []]).lots
    assert (lot.id, lot.steps, lot.price_minor, lot.leader) == ("l_1", ((0, 100), (2000, 500)), 600, "p_anna")
    assert (lot.ends_sale_ms, lot.ends_at_ms, lot.remaining_ms) == (65_000, ends_at_ms, remaining_ms)


@pytest.mark.parametrize(
    ("frozen_since_ms", "ends_at_ms", "remaining_ms"), [(0, 65_500, None), (5500, None, 60_000)]
)
def test_an_open_draw(frozen_since_ms: int, ends_at_ms: int | None, remaining_ms: int | None) -> None:
    show = {**SHOW, "frozen_since_ms": frozen_since_ms}
    fields: dict[str, object] = {
        "sku": "a",
        "state": "open",
        "units": 2,
        "price_minor": 0,
        "commitment": "c",
        "ends": 65_000,
    }
    [draw] = build([5500, 5000, flat(show), [], [[b"d_1", flat(fields), 7]]]).draws
    assert (draw.id, draw.units, draw.entries, draw.seed, draw.winners) == ("d_1", 2, 7, None, None)
    assert (draw.ends_sale_ms, draw.ends_at_ms, draw.remaining_ms) == (65_000, ends_at_ms, remaining_ms)
