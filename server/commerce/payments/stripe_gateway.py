"""The `stripe` gateway: PaymentIntents with manual capture, or a Checkout Session, by Stripe's own library.

An attempt's PaymentIntent (or session) is made first, its name is put into our records, and only then is it
confirmed. So whoever finds no record knows that no money can have moved, and closes the key for good; and
whoever finds one asks Stripe how it stands. Making and confirming carry the attempt's key as idempotency key
(Stripe keeps those for a day). Capturing and cancelling carry none, because Stripe keeps the answer of a key
even when it is its own 500: both are idempotent by the PaymentIntent's status, which is looked at instead.

Sources: docs.stripe.com/api/payment_intents, /api/checkout/sessions, /api/idempotent_requests, /currencies.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, NamedTuple

import stripe
from stripe.params import PaymentIntentConfirmParams
from stripe.params.checkout import SessionCreateParams

from server.commerce.payments.gateway import Authorised, Charge, Declined, GatewayUnknown, Outcome, Pending
from server.commerce.payments.records import Records
from server.telemetry import get_logger

HOSTED: Final = "checkout"  # this payment token asks for Stripe's own page instead of naming a card
REQUEST_S: Final = 8.0  # one request; with one more try it stays below the caller's patience (GATEWAY_S)
TRIES_MORE: Final = 1
_CLOSED: Final = b"closed"
_FREE: Final = "free"  # stands where a PaymentIntent's id would: an order for nothing needs none
_ABANDONED: Final = Declined("never arrived")
_WHOLE_UNITS: Final = frozenset({"ISK", "UGX"})
"""Of no decimals in ISO 4217, of two at Stripe (the last two are zeros)."""


class Standing(NamedTuple):
    """How an attempt stands at Stripe. `outcome` is None while nobody has confirmed the PaymentIntent."""

    outcome: Outcome | None
    intent: stripe.PaymentIntent | None
    is_captured: bool = False


class StripeGateway:
    """Implements `Gateway`. `public_url` is where buyers come back to; `api_base` is Stripe, or a test's."""

    def __init__(self, records: Records, *, secret_key: str, api_base: str, public_url: str) -> None:
        self._records, self._public_url = records, public_url
        stripe.enable_telemetry = False  # how long our requests took is not Stripe's business
        self._http = stripe.HTTPXClient(timeout=REQUEST_S)
        self._api = stripe.StripeClient(
            secret_key,
            http_client=self._http,
            base_addresses={"api": api_base},
            max_network_retries=TRIES_MORE,
        ).v1

    async def authorise(self, charge: Charge) -> Outcome:
        """See `Gateway.authorise`."""
        with _asking(charge.key):
            known = await self._records.get(charge.key)
            if known is None:
                try:
                    name = await self._make(charge)
                except stripe.InvalidRequestError as error:
                    return Declined(_reason(error))
                if not await self._records.put_first(charge.key, name.encode()):
                    return await self._too_late(charge.key, name)
            elif known == _CLOSED:
                return _ABANDONED
            else:
                name = known.decode()
                standing = await self._standing(name)
                if standing.outcome is not None:
                    return standing.outcome
            return await self._confirm(name, charge)

    async def conclude(self, key: str, *, give_up: bool = False) -> Outcome:
        """See `Gateway.conclude`."""
        with _asking(key):
            if await self._records.put_first(key, _CLOSED):
                return _ABANDONED
            name = await self._name(key)
            if name is None:
                return _ABANDONED
            standing = await self._standing(name)
            undecided = standing.outcome is None or (give_up and isinstance(standing.outcome, Pending))
            return await self._cancel(name) if undecided else standing.outcome or _ABANDONED

    async def capture(self, key: str) -> bool:
        """See `Gateway.capture`."""
        with _asking(key):
            standing = await self._of(key)
            if standing.is_captured:
                return True
            if standing.intent is None or not isinstance(standing.outcome, Authorised):
                return False
            try:
                done = await self._api.payment_intents.capture_async(standing.intent.id)
            except (stripe.InvalidRequestError, stripe.CardError):
                standing = await self._of(key)
                if isinstance(standing.outcome, Authorised) and not standing.is_captured:
                    raise
                return standing.is_captured
            return done.status == "succeeded"

    async def void(self, key: str) -> None:
        """See `Gateway.void`."""
        with _asking(key):
            name = await self._name(key)
            standing = await self._standing(name) if name else None
            if name is None or standing is None:
                return
            if standing.is_captured and standing.intent is not None:
                await self._give_back(standing.intent, f"{key}:void", standing.intent.amount)
            else:
                await self._cancel(name)

    async def refund(self, key: str, refund: str, amount_minor: int) -> None:
        """See `Gateway.refund`."""
        with _asking(key):
            standing = await self._of(key)
            intent = standing.intent
            if intent is None or isinstance(standing.outcome, Declined):
                return
            amount = _units(amount_minor, intent.currency)
            if standing.is_captured:
                await self._give_back(intent, f"{key}:{refund}", amount)
            elif amount == intent.amount:
                await self.void(key)
            else:
                raise GatewayUnknown(key)  # it is about to be captured; then a part can go back

    async def close(self) -> None:
        """See `Gateway.close`."""
        await self._http.close_async()

    async def _make(self, charge: Charge) -> str:
        """The name of the attempt's PaymentIntent or session, which cannot move money yet."""
        if charge.amount_minor == 0:
            return _FREE
        if charge.token == HOSTED:
            session = await self._api.checkout.sessions.create_async(
                self._session(charge), {"idempotency_key": charge.key}
            )
            return session.id
        intent = await self._api.payment_intents.create_async(
            {
                "amount": _units(charge.amount_minor, charge.currency),
                "currency": charge.currency.lower(),
                "capture_method": "manual",
                "allowed_payment_method_types": ["card"],
                "metadata": _metadata(charge),
            },
            {"idempotency_key": charge.key},
        )
        return intent.id

    def _session(self, charge: Charge) -> SessionCreateParams:
        page = self._page(charge)
        return {
            "mode": "payment",
            "allowed_payment_method_types": ["card"],
            "line_items": [
                {
                    "quantity": 1,
                    "price_data": {
                        "currency": charge.currency.lower(),
                        "unit_amount": _units(charge.amount_minor, charge.currency),
                        "product_data": {"name": f"Order {charge.order}"},
                    },
                }
            ],
            "payment_intent_data": {"capture_method": "manual", "metadata": _metadata(charge)},
            "metadata": _metadata(charge),
            "client_reference_id": charge.order,
            "success_url": page,
            "cancel_url": page,
        }

    def _page(self, charge: Charge) -> str:
        return f"{self._public_url}/watch/{charge.show}?order={charge.order}"

    async def _confirm(self, name: str, charge: Charge) -> Outcome:
        if not name.startswith("pi_"):
            return (await self._standing(name)).outcome or Pending()
        params: PaymentIntentConfirmParams = {
            "payment_method": charge.token,
            "return_url": self._page(charge),
        }
        try:
            intent = await self._api.payment_intents.confirm_async(
                name, params, {"idempotency_key": f"{charge.key}:confirm"}
            )
        except stripe.CardError as error:
            return Declined(_reason(error))
        except stripe.InvalidRequestError as error:  # no such card, or somebody has closed this attempt
            return (await self._standing(name)).outcome or Declined(_reason(error))
        return _read(intent).outcome or Pending()

    async def _too_late(self, key: str, name: str) -> Outcome:
        """Another process has put a record first: this attempt, or the end of it."""
        kept = await self._name(key)
        if kept == name:  # it asked under the same idempotency key
            return (await self._standing(name)).outcome or Pending()
        await self._cancel(name)
        return _ABANDONED

    async def _name(self, key: str) -> str | None:
        kept = await self._records.get(key)
        return None if kept is None or kept == _CLOSED else kept.decode()

    async def _of(self, key: str) -> Standing:
        name = await self._name(key)
        return Standing(_ABANDONED, None) if name is None else await self._standing(name)

    async def _standing(self, name: str) -> Standing:
        if name == _FREE:
            return Standing(Authorised(_FREE), None, is_captured=True)
        if name.startswith("pi_"):
            return _read(await self._api.payment_intents.retrieve_async(name))
        session = await self._api.checkout.sessions.retrieve_async(name)
        if session.status == "open":
            return Standing(Pending(session.url), None)
        if session.status == "expired" or session.payment_intent is None:
            return Standing(Declined("the payment page has expired"), None)
        intent = session.payment_intent
        name = intent if isinstance(intent, str) else intent.id
        return _read(await self._api.payment_intents.retrieve_async(name))

    async def _cancel(self, name: str) -> Outcome:
        """Close an attempt. What Stripe does not let us close any more is told as it stands."""
        standing = await self._standing(name)
        try:
            if standing.intent is not None:
                standing = _read(await self._api.payment_intents.cancel_async(standing.intent.id))
            elif isinstance(standing.outcome, Pending):
                await self._api.checkout.sessions.expire_async(name)
                standing = Standing(Declined("the payment page has expired"), None)
        except stripe.InvalidRequestError:
            standing = await self._standing(name)
        return standing.outcome or Pending()

    async def _give_back(self, intent: stripe.PaymentIntent, refund: str, amount: int) -> None:
        """Refund once: Stripe forgets idempotency keys after a day, so its list of refunds is asked first."""
        done = await self._api.refunds.list_async({"payment_intent": intent.id, "limit": 100})
        for known in done.data:
            if known.metadata and "refund" in known.metadata and known.metadata["refund"] == refund:
                return
        try:
            await self._api.refunds.create_async(
                {"payment_intent": intent.id, "amount": amount, "metadata": {"refund": refund}},
                {"idempotency_key": refund},
            )
        except stripe.InvalidRequestError as error:
            if error.code != "charge_already_refunded":  # by hand, at Stripe
                raise


def _metadata(charge: Charge) -> dict[str, str]:
    """What a webhook says again: which attempt it is about."""
    return {"show": charge.show, "attempt": charge.key}


def _units(amount_minor: int, currency: str) -> int:
    """An amount as Stripe counts it. What is no amount there (a fil of a dinar) it refuses itself."""
    return amount_minor * 100 if currency.upper() in _WHOLE_UNITS else amount_minor


def _read(intent: stripe.PaymentIntent) -> Standing:
    """A PaymentIntent's status as an outcome."""
    match intent.status:
        case "succeeded":
            return Standing(Authorised(intent.id), intent, is_captured=True)
        case "requires_capture":
            return Standing(Authorised(intent.id), intent)
        case "requires_action":
            action = intent.next_action
            redirect = action.redirect_to_url if action else None
            return Standing(Pending(redirect.url if redirect else None), intent)
        case "processing":
            return Standing(Pending(), intent)
        case "canceled":
            return Standing(Declined("cancelled"), intent)
        case _:  # requires_payment_method (a bank's no, when it has an error) or requires_confirmation
            error = intent.last_payment_error
            return Standing(Declined(str(error.code or "declined")) if error else None, intent)


def _reason(error: stripe.StripeError) -> str:
    return str(error.code or "declined")


@contextmanager
def _asking(key: str) -> Generator[None]:
    """Whatever keeps Stripe from an answer leaves the outcome unknown: the reconciler asks again."""
    try:
        yield
    except stripe.StripeError as error:
        log = get_logger(__name__)
        say = log.error if isinstance(error, stripe.AuthenticationError) else log.warning
        say("stripe_gave_no_answer", key=key, error=type(error).__name__, status=error.http_status)
        raise GatewayUnknown(key) from error
