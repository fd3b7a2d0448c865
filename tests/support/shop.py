"""Commerce around one show: a ledger, a gateway, checkout, sweeper and reconciler, driven by hand."""

from support.sale import ANNA, SHOW, Sale, settings
from support.store import advance

from server.commerce.checkout import Checkout
from server.commerce.ledger import ASK_AFTER_MS
from server.commerce.lotteries import Lotteries
from server.commerce.orders import Attempt
from server.commerce.payments.gateway import Gateway
from server.commerce.payments.records import StoreRecords
from server.commerce.payments.sandbox import SandboxGateway
from server.commerce.reconciler import Reconciler
from server.commerce.sweeper import Sweeper
from server.store.store import Store


class Shop:
    """All of commerce around one show, driven by hand."""

    def __init__(self, store: Store, gateway: Gateway | None = None) -> None:
        self.store = store
        self.sale = Sale(store)
        self.gateway = gateway or SandboxGateway(StoreRecords(store))
        self.checkout = Checkout(self.sale.ledger, self.gateway)
        self.clock_s = 0.0
        self.reconciler = Reconciler(self.sale.ledger, self.gateway, lambda: self.clock_s)
        lotteries = Lotteries(store, settings(), self.sale.ledger.buyers)
        self.sweeper = Sweeper(store, self.sale.ledger, self.reconciler.take, lotteries.award)

    async def settle_all(self, after_ms: int = ASK_AFTER_MS) -> None:
        """Let time pass, sweep, and let the reconciler finish."""
        await advance(self.store, SHOW, after_ms)
        self.clock_s += after_ms / 1000
        await self.sweeper.sweep()
        await self.reconciler.settled()

    async def begun(self, token: str = "tok_ok") -> str:
        """An order whose attempt to pay has begun and was never carried out: a process died there."""
        order = await self.sale.held()
        assert isinstance(await self.sale.ledger.begin_payment(SHOW, ANNA, order, token), Attempt)
        return order
