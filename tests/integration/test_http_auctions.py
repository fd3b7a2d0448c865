"""Auctions over HTTP: what a page and a seller's tool send, and what they hear."""

from typing import Any

from support.web import Web, expect, refused

LOT = {"sku": "mug", "start_minor": 500, "duration_s": 60}


async def test_a_lot_from_its_opening_to_its_cancellation(web: Web) -> None:
    opened = await expect(201, web.call("POST", "lots", LOT, token=web.creator, key="open"))
    assert (opened["state"], opened["leader"], opened["next_minor"]) == ("open", None, 500)
    assert (await expect(201, web.call("POST", "lots", LOT, token=web.creator, key="open"))) == opened
    anna, bids = web.bearer("anna"), f"lots/{opened['id']}/bids"
    placed = await expect(201, web.call("POST", bids, {"max_minor": 900}, token=anna, key="b1"))
    assert (placed["leading"], placed["max_minor"], placed["lot"]["price_minor"]) == (True, 900, 500)
    assert await expect(201, web.call("POST", bids, {"max_minor": 900}, token=anna, key="b1")) == placed
    show = await expect(200, web.call("GET", ""))
    assert show["lots"] == [placed["lot"]]
    assert await expect(200, web.call("GET", f"lots/{opened['id']}")) == placed["lot"]
    cancel = f"lots/{opened['id']}/cancel"
    gone = await expect(200, web.call("POST", cancel, {"reason": "chipped"}, token=web.creator))
    assert gone["state"] == "cancelled"
    assert (await expect(200, web.call("GET", "")))["lots"] == []


async def test_what_is_refused_changes_nothing(web: Web) -> None:
    opened = await expect(201, web.call("POST", "lots", LOT, token=web.creator))
    bids, anna = f"lots/{opened['id']}/bids", web.bearer("anna")
    before = await web.digest()
    await refused(401, "token_required", web.call("POST", bids, {"max_minor": 900}, key="a"))
    await refused(400, "idempotency_key_required", web.call("POST", bids, {"max_minor": 900}, token=anna))
    low = await refused(409, "bid_too_low", web.call("POST", bids, {"max_minor": 499}, token=anna, key="a"))
    assert low["next_minor"] == 500
    own = web.call("POST", bids, {"max_minor": 900}, token=web.creator, key="a")
    await refused(403, "own_lot", own)
    unknown = web.call("POST", "lots/l_none/bids", {"max_minor": 900}, token=anna, key="a")
    await refused(404, "unknown_lot", unknown)
    for wrong in (
        {"max_minor": 0},
        {"max_minor": 10**11 + 1},
        {"max_minor": "9"},
        {"max_minor": 900, "x": 1},
    ):
        await refused(400, "bad_request", web.call("POST", bids, wrong, token=anna, key="a"))
    wrongs: tuple[dict[str, Any], ...] = (
        {"duration_s": 9},
        {"steps": []},
        {"steps": [[5, 10]]},
        {"soft_close_s": 121},
    )
    for wrong in wrongs:
        await refused(400, "bad_request", web.call("POST", "lots", LOT | wrong, token=web.creator))
    await refused(403, "forbidden", web.call("POST", "lots", LOT, token=anna))
    await refused(404, "unknown_sku", web.call("POST", "lots", LOT | {"sku": "none"}, token=web.creator))
    cancel = web.call("POST", f"lots/{opened['id']}/cancel", {"reason": "r"}, token=anna)
    await refused(403, "forbidden", cancel)
    assert await web.digest() == before
