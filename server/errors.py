"""The one list of refusal codes, and the exception that carries one to the edge (RFC 9457).

A code is stable: pages and other programs decide by it, never by the title or the detail. Rules live
elsewhere; this module only knows which HTTP status and words belong to a code.
"""

from typing import Any, Final, NamedTuple

PROBLEM_TYPE: Final = "application/problem+json"


class ProblemKind(NamedTuple):
    """What a code means over HTTP."""

    status: int
    title: str


PROBLEMS: Final[dict[str, ProblemKind]] = {
    # the request itself
    "bad_request": ProblemKind(400, "The request is malformed"),
    "idempotency_key_required": ProblemKind(400, "The request needs an Idempotency-Key header"),
    "bad_sdp": ProblemKind(400, "The session description cannot be read"),
    "not_found": ProblemKind(404, "There is nothing at this address"),
    "method_not_allowed": ProblemKind(405, "This address does not take that method"),
    "no_common_codec": ProblemKind(406, "No codec in common"),
    "precondition_failed": ProblemKind(412, "The If-Match header names an older version"),
    "too_large": ProblemKind(413, "The request body is too large"),
    "unsupported_media_type": ProblemKind(415, "This content type is not taken here"),
    "idempotency_conflict": ProblemKind(422, "The Idempotency-Key was used with another body"),
    "precondition_required": ProblemKind(428, "The request needs an If-Match header"),
    "head_too_large": ProblemKind(431, "The request's headers are too large"),
    "bad_rows": ProblemKind(422, "Rows of the file are wrong; nothing of it was taken"),
    "rate_limited": ProblemKind(429, "Too many requests"),
    # who asks
    "token_required": ProblemKind(401, "A bearer token is needed"),
    "invalid_token": ProblemKind(401, "The token is not valid"),
    "expired": ProblemKind(401, "The token has expired"),
    "forbidden": ProblemKind(403, "This role may not do that"),
    "banned": ProblemKind(403, "Banned from this show"),
    "guests_closed": ProblemKind(403, "Guests may not do that here"),
    "foreign_origin": ProblemKind(403, "Requests from this origin are not taken"),
    # shows and products
    "unknown_show": ProblemKind(404, "No such show"),
    "unknown_sku": ProblemKind(404, "No such product in this show"),
    "unknown_lot": ProblemKind(404, "No such lot in this show"),
    "unknown_flash": ProblemKind(404, "No such flash price"),
    "unknown_set": ProblemKind(404, "No such set of products"),
    "unknown_subject": ProblemKind(404, "No such subject"),
    "unknown_message": ProblemKind(404, "No such message"),
    "show_exists": ProblemKind(409, "A show with this id exists"),
    "illegal_transition": ProblemKind(409, "Not possible in the present state"),
    "use_restock": ProblemKind(409, "Stock of an existing product changes by restock only"),
    "stock_underflow": ProblemKind(409, "Fewer than zero would be left"),
    "bundle_has_no_stock": ProblemKind(409, "A bundle has the stock of its parts"),
    "bundle_is_fixed": ProblemKind(409, "What a bundle is made of, and by whom, never changes"),
    "bad_part": ProblemKind(409, "A bundle is made of other products of its seller, none of them a bundle"),
    "confirm_required": ProblemKind(409, "The price gives up much: see what it may cost and confirm it"),
    "below_floor": ProblemKind(409, "The price is below the product's floor"),
    "nothing_reduced": ProblemKind(409, "No product of the show would be cheaper"),
    "flash_running": ProblemKind(409, "A flash price is already announced for this product"),
    "campaign_running": ProblemKind(409, "A campaign is already announced for the show"),
    "unknown_campaign": ProblemKind(404, "No such campaign in this show"),
    "not_for_sale": ProblemKind(409, "The product is not in the show's bag"),
    "lottery_only": ProblemKind(409, "The product goes by lottery: it cannot be ordered"),
    "policy_pinned": ProblemKind(409, "How a product is held cannot change while it is pinned"),
    "too_many_sets": ProblemKind(409, "The show has as many sets of products as it may have"),
    "unknown_draw": ProblemKind(404, "No such draw in this show"),
    "too_many_draws": ProblemKind(409, "The show has as many draws as it may have"),
    "draw_closed": ProblemKind(409, "The draw is over"),
    "draw_full": ProblemKind(409, "The draw has as many entries as it may have"),
    "own_draw": ProblemKind(403, "Who runs or looks after a show does not enter its draws"),
    "too_many_lots": ProblemKind(409, "The show has as many open lots as it may have"),
    "lot_closed": ProblemKind(409, "The lot is over"),
    "own_lot": ProblemKind(403, "Who runs or looks after a show does not bid in it"),
    "bid_too_low": ProblemKind(409, "The bid is below the next bid"),
    "too_many_products": ProblemKind(409, "The show has as many products as it may have"),
    # orders
    "unknown_order": ProblemKind(404, "No such order"),
    "show_closed": ProblemKind(409, "The show is not live"),
    "sales_paused": ProblemKind(409, "Sales are paused"),
    "mixed_sellers": ProblemKind(409, "An order has one seller"),
    "price_changed": ProblemKind(409, "The price is higher now"),
    "unknown_coupon": ProblemKind(404, "No such coupon in this show"),
    "coupon_exists": ProblemKind(409, "A coupon with this code exists; what it is never changes"),
    "too_many_coupons": ProblemKind(409, "The show has as many coupons as it may have"),
    "coupon_over": ProblemKind(409, "The coupon is over"),
    "coupon_not_for": ProblemKind(409, "The coupon takes nothing off any of this"),
    "coupon_used_up": ProblemKind(409, "The coupon is used up"),
    "limit_reached": ProblemKind(409, "The limit per viewer is reached"),
    "sold_out": ProblemKind(409, "Sold out"),
    "in_stock": ProblemKind(409, "There is one to buy now"),
    "waitlist_full": ProblemKind(409, "As many people wait for the product as may wait"),
    "declined": ProblemKind(402, "The payment was declined"),
    "payment_in_progress": ProblemKind(409, "Another payment of this order is being tried"),
    "refund_too_large": ProblemKind(409, "Less than that is left to give back"),
    "hold_expired": ProblemKind(410, "The hold has expired"),
    "payment_unknown": ProblemKind(503, "The outcome of the payment is not known yet"),
    "unknown_webhook": ProblemKind(404, "No such webhook endpoint in this show"),
    "too_many_webhooks": ProblemKind(409, "The show has as many webhook endpoints as it may have"),
    "bad_signature": ProblemKind(400, "The signature is missing, wrong or too old"),
    "webhook_replayed": ProblemKind(409, "This very message was taken before"),
    # video
    "already_publishing": ProblemKind(409, "Someone else is publishing"),
    "unknown_resource": ProblemKind(404, "No such video session"),
    # the server
    "internal": ProblemKind(500, "The server made a mistake"),
    "store_unavailable": ProblemKind(503, "The store does not answer"),
    "store_degraded": ProblemKind(503, "The store cannot promise durability now"),
    "media_unavailable": ProblemKind(503, "The video server does not answer"),
    "not_ready": ProblemKind(503, "A part of the server does not answer"),
    "archive_unavailable": ProblemKind(503, "This is in an archive that the server cannot read now"),
    "full": ProblemKind(503, "No room for another connection"),
    "draining": ProblemKind(503, "The server is about to restart"),
}


class Problem(Exception):
    """A refusal on its way to the client.

    ``extra`` holds the members that the code promises (``price_minor``, ``left``, ...); ``retry_after_s``
    becomes the ``Retry-After`` header. A code outside `PROBLEMS` is a bug and shows as one (KeyError).
    """

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        extra: dict[str, Any] | None = None,
        *,
        retry_after_s: int | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        kind = PROBLEMS[code]
        super().__init__(code, detail)
        self.code = code
        self.status = kind.status
        self.title = kind.title
        self.detail = detail
        self.extra = extra or {}
        self.retry_after_s = retry_after_s
        self.headers = headers or {}

    def body(self) -> dict[str, Any]:
        """Return the members of the problem document (RFC 9457 §3.1), extensions beside the standard ones."""
        document: dict[str, Any] = {
            **self.extra,
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail is not None:
            document["detail"] = self.detail
        return document
