"""The rule for the show's bag. Pure."""

from server.commerce.model_records import PLACED
from server.verify.bodies import BagChanged, LotOpened, Pinned
from server.verify.order_bodies import OrderChange
from server.verify.price_bodies import FlashPrice
from server.verify.records import Step
from server.verify.replay import Replay
from server.verify.rule import rule


@rule(47, "What is for sale is in the bag")
def is_in_the_bag(step: Step, before: Replay) -> str | None:
    """Holds, pins, flash prices and lots are of products in the show's bag: of all, until it is changed.

    A bag names products of the show, each once. What is pinned, or announced at a flash price, does not leave
    it.
    """
    match step.body:
        case BagChanged(skus=skus):
            return _wrong(skus, step.sale_ms, before)
        case Pinned(sku=sku) | FlashPrice(sku=sku) | LotOpened(sku=sku):
            named = [sku]
        case OrderChange(order=order) if step.entry.kind in PLACED and not order.has_own_price:
            named = [line.sku for line in order.lines]
        case _:
            return None
    return next((f"{sku} is not in the bag" for sku in named if sku in before.off), None)


def _wrong(skus: tuple[str, ...], sale_ms: int, before: Replay) -> str | None:
    if len(set(skus)) < len(skus):
        return "a product comes twice"
    if unknown := set(skus) - set(before.products):
        return f"there is no product {min(unknown)!r}"
    for sku, product in before.products.items():
        if sku in skus or sku in before.off:
            continue
        if sku == before.pin:
            return f"{sku} is pinned"
        if product.flash is not None and product.flash.ends_sale_ms > sale_ms:
            return f"{sku} has a flash price"
    return None


RULES = (is_in_the_bag,)
