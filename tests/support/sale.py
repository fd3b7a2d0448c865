"""A live show with products on a real store, as the commerce tests start from it."""

from typing import Any, Final

import msgspec

from server.commerce.bag import Wanted
from server.commerce.bags import Bags
from server.commerce.catalog import Catalog, ProductSpec
from server.commerce.ledger import Ledger
from server.commerce.orders import Placed
from server.settings import Settings
from server.store.outcome import Refused
from server.store.store import Store
from server.tokens import Principal

SHOW: Final = "show"
SECRET: Final = "s" * 32
HOLD_MS: Final = 120_000
EXTENSION_MS: Final = 60_000


def person(name: str, role: str = "viewer", show: str | None = None) -> Principal:
    """Somebody with that role on every show (or only on `show`); the pid is made from the name."""
    pid = "p_" + name.ljust(22, "0")
    return Principal(subject=name, pid=pid, role=role, show=show, jti=f"j-{name}", exp=2**40)


def guest(name: str) -> Principal:
    """A minted viewer: nobody but its own pid."""
    pid = "p_" + name.ljust(22, "0")
    return Principal(subject=pid, pid=pid, role="viewer", show=None, jti=f"j-{name}", exp=2**40)


CREATOR: Final = person("creator", "creator")
ANNA: Final = person("anna")
BORIS: Final = person("boris")


def settings(**hold: int) -> Settings:
    """Settings with the lengths above."""
    lengths = {"seconds": HOLD_MS // 1000, "extension_seconds": EXTENSION_MS // 1000, **hold}
    return Settings.model_validate({"auth": {"secret": SECRET}, "hold": lengths})


class Sale:
    """The commerce of one process on a store, and short words for what tests do with it."""

    def __init__(self, store: Store, show: str = SHOW) -> None:
        self.store, self.show = store, show
        self.ledger = Ledger(store, settings())
        self.catalog = Catalog(store)
        self.bags = Bags(store)
        self._keys = 0

    async def start(self) -> "Sale":
        """Create the show and let it be live."""
        asked = ("Title", "EUR", "buy", "", "epoch1", "1", "", "request")
        reply = await self.store.scripts.run("create", self.show, CREATOR.pid, "creator", *asked)
        assert not isinstance(reply, Refused), reply
        await self.store.writes.call("ZADD", "ls:shows", 1, self.show)
        await self.set(state="live")
        return self

    async def set(self, **fields: object) -> None:
        """Set fields of the show behind the scripts' back."""
        flat = [str(x) for pair in fields.items() for x in pair]
        await self.store.writes.call("HSET", f"ls:{{{self.show}}}:show", *flat)

    async def product(self, sku: str = "mug", price: int = 1000, stock: int = 10, **more: Any) -> None:
        """Put a new product."""
        spec = ProductSpec(title=sku.title(), price_minor=price, stock=stock, **more)
        put = await self.catalog.put_product(self.show, CREATOR, sku, spec)
        assert not isinstance(put, Refused), put

    async def hold(
        self,
        who: Principal = ANNA,
        sku: str = "mug",
        quantity: int = 1,
        seen: int = 1000,
        *,
        key: str | None = None,
    ) -> Placed | Refused:
        """Place an order; with a key of its own unless `key` is given."""
        self._keys += 1
        key = f"key-{self._keys}" if key is None else key
        wanted = (Wanted(sku, quantity, seen),)
        return await self.ledger.hold(self.show, who, wanted, idempotency_key=key)

    async def held(self, who: Principal = ANNA, **more: Any) -> str:
        """Place an order that must succeed; returns its id."""
        placed = await self.hold(who, **more)
        assert isinstance(placed, Placed), placed
        return placed.order.view().id

    async def stock(self, sku: str = "mug") -> tuple[int, int, int]:
        """(left, held, sold) as the record has them."""
        reply = await self.store.reads.call("HMGET", f"ls:{{{self.show}}}:p:{sku}", "left", "held", "sold")
        assert isinstance(reply, list)
        left, held, sold = (int(value) for value in reply if isinstance(value, bytes))
        return left, held, sold

    async def state(self, order: str) -> str:
        """The state in the order's record."""
        return str((await self.record(order))["state"])

    async def record(self, order: str) -> dict[str, Any]:
        """The order's record as the scripts keep it."""
        reply = await self.store.reads.call("GET", f"ls:{{{self.show}}}:o:{order}")
        assert isinstance(reply, bytes)
        return msgspec.msgpack.decode(reply, type=dict[str, Any])


def decoded(json: bytes) -> dict[str, Any]:
    """A JSON object."""
    return msgspec.json.decode(json, type=dict[str, Any])
