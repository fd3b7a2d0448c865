"""Who is told what of a log entry."""

import json
from typing import Any

from server.live.projection import Told, project
from server.live.stock import Level
from server.log.entries import Entry


def told(audience: str, kind: str, body: dict[str, Any]) -> Told:
    return project(Entry(7, 5, audience, 1000, 990, kind, "p_actor", body), "e1", "kiln")


def data(update: bytes | None) -> Any:
    assert update is not None
    return json.loads(update)["data"]


def test_a_public_entry_goes_to_all_with_its_place_in_the_chain() -> None:
    projected = told("public", "product.unpinned", {"sku": "mug"})
    assert projected.public is not None
    assert json.loads(projected.public) == {
        "type": "product.unpinned",
        "show": "kiln",
        "epoch": "e1",
        "seq": 7,
        "prev": 5,
        "ts": 1000,
        "at_ms": 990,
        "data": {"sku": "mug"},
    }
    assert projected.full is None
    assert projected.own is None


def test_an_order_goes_to_its_buyer_and_its_stock_to_all() -> None:
    stock = [{"sku": "mug", "left": 1, "held": 2, "sold": 3}]
    projected = told("subject:p_b", "order.held", {"order": {"id": "o_1"}, "stock": stock})
    assert projected.public is None
    assert projected.own_pid == "p_b"
    assert json.loads(projected.own or b"") == {
        "type": "order",
        "show": "kiln",
        "epoch": "e1",
        "as_of": 7,
        "ts": 1000,
        "data": {"id": "o_1"},
    }
    assert projected.stock == (Level("mug", 7, 1, 2, 3),)


def test_a_restock_is_stock_for_all_and_nothing_else() -> None:
    projected = told(
        "staff", "product.restocked", {"sku": "mug", "delta": 5, "left": 5, "held": 0, "sold": 0}
    )
    assert projected == Told(7, 5, stock=(Level("mug", 7, 5, 0, 0),))


def test_staff_entries_reach_nobody_here() -> None:
    assert told("staff", "member.set", {"subject": "p_x", "roles": ["moderator"]}) == Told(7, 5)


def test_moderation_is_an_effect_for_the_public() -> None:
    body = {"action": "timeout", "subject": "p_t", "seconds": 60, "until_ms": 9, "reason": "rude"}
    projected = told("public", "moderation", body)
    assert data(projected.public) == {"action": "timeout", "seconds": 60}
    assert data(projected.full) == {**body, "actor": "p_actor"}
    assert data(projected.personal) == body
    assert projected.target == "p_t"
    assert projected.banned_pid == ""


def test_a_ban_and_a_deletion_have_their_consequences() -> None:
    assert told("public", "moderation", {"action": "ban", "subject": "p_t"}).banned_pid == "p_t"
    assert told("public", "moderation", {"action": "unban", "subject": "p_t"}).banned_pid == ""
    deleted = told("public", "moderation", {"action": "delete", "message_ids": ["1-0", "2-0"]})
    assert deleted.deleted_messages == {"1-0", "2-0"}
    assert data(deleted.public) == {"action": "delete", "message_ids": ["1-0", "2-0"]}
