"""A stand-in for Stripe on loopback: the part of its API that the gateway uses, with its state and faults.

PaymentIntents with manual capture, Checkout Sessions, refunds, idempotency keys (an answer is kept, also a
500; other parameters are refused; a second request while the first runs is a 409), card errors, and signed
webhooks. Written from Stripe's documentation, not from its library, which is what talks to it.
"""

import asyncio
import contextlib
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import h11

SECRET_KEY = "sk_test_stand_in"
WEBHOOK_SECRET = "whsec_stand_in"
DECLINES = {"pm_declined": "card_declined", "pm_expired": "expired_card"}
BANK = "https://bank.example/3ds"
CANCELABLE = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")

Json = dict[str, Any]


class ApiError(Exception):
    """An answer other than 200. `kept`: the endpoint ran, so its answer belongs to the idempotency key."""

    def __init__(self, status: int, kind: str, code: str | None = None, *, kept: bool = True) -> None:
        super().__init__(code)
        self.status, self.kept = status, kept
        self.error: Json = {"type": kind, "code": code, "message": f"stand-in: {code or kind}"}


@dataclass
class Fault:
    """What goes wrong with the next requests whose path has `part`: see `StandIn.fail`."""

    part: str
    how: str
    times: int
    seconds: float


@dataclass
class StandIn:
    """Stripe's memory. Amounts are in its own units."""

    url: str = ""
    intents: dict[str, Json] = field(default_factory=dict[str, Json])
    sessions: dict[str, Json] = field(default_factory=dict[str, Json])
    refunds: list[Json] = field(default_factory=list[Json])
    answers: dict[str, tuple[str, int, Json]] = field(default_factory=dict[str, tuple[str, int, Json]])
    running: set[str] = field(default_factory=set[str])
    faults: list[Fault] = field(default_factory=list[Fault])
    requests: list[str] = field(default_factory=list[str])
    captures: list[Json] = field(default_factory=list[Json])
    made: int = 0

    # what a test does

    def fail(self, part: str, how: str, times: int = 1, seconds: float = 0.0) -> None:
        """Let the next requests fail. Before the endpoint runs: `500` (not kept), `429`, `slow` (`seconds`);
        after it: `cut` (no answer), `lost` (500, kept).
        """
        self.faults.append(Fault(part, how, times, seconds))

    def authenticate(self, intent: str, *, ok: bool = True) -> None:
        """The buyer has been at the bank."""
        found = self.intents[intent]
        assert found["status"] == "requires_action"
        found["next_action"] = None
        found["status"] = "requires_capture" if ok else "requires_payment_method"
        if not ok:
            found["last_payment_error"] = {
                "type": "card_error",
                "code": "payment_intent_authentication_failure",
            }

    def pay_on_page(self, session: str) -> str:
        """The buyer has paid on Stripe's page. Returns the PaymentIntent."""
        found = self.sessions[session]
        assert found["status"] == "open"
        intent = self._intent(found["amount"], found["currency"], found["intent_metadata"])
        intent["status"] = "requires_capture"
        found["status"], found["payment_intent"] = "complete", intent["id"]
        return str(intent["id"])

    def event(
        self, kind: str, thing: Json, *, secret: str = WEBHOOK_SECRET, age_s: int = 0, event: str = ""
    ) -> tuple[bytes, str]:
        """A webhook's body and its `Stripe-Signature`."""
        self.made += 1
        body = json.dumps(
            {
                "id": event or f"evt_{self.made}",
                "object": "event",
                "type": kind,
                "data": {"object": thing},
            }
        ).encode()
        return body, sign(body, secret, int(time.time()) - age_s)

    def net(self, intent: str) -> int:
        """What Stripe has of the buyer's money."""
        found = self.intents[intent]
        back = sum(r["amount"] for r in self.refunds if r["payment_intent"] == intent)
        return int(found["amount_received"]) - back

    def of_order(self, order: str) -> list[Json]:
        """The PaymentIntents of an order, oldest first."""
        return [i for i in self.intents.values() if i["metadata"]["attempt"].startswith(order + ":")]

    # what Stripe does

    def _id(self, prefix: str) -> str:
        self.made += 1
        return f"{prefix}_{self.made}"

    def _intent(self, amount: int, currency: str, metadata: Json) -> Json:
        intent: Json = {
            "id": self._id("pi"),
            "object": "payment_intent",
            "amount": amount,
            "amount_received": 0,
            "currency": currency,
            "capture_method": "manual",
            "metadata": metadata,
            "status": "requires_payment_method",
            "next_action": None,
            "last_payment_error": None,
        }
        self.intents[intent["id"]] = intent
        return intent

    def answer(self, method: str, path: str, form: Json) -> Json:
        """Run an endpoint. Raises ApiError."""
        match [method, *path.strip("/").split("/")[1:]]:
            case ["POST", "payment_intents"]:
                return self._create(form)
            case ["GET", "payment_intents", intent]:
                return self._found(self.intents, intent)
            case ["POST", "payment_intents", intent, action]:
                return self._act(self._found(self.intents, intent), action, form)
            case ["POST", "checkout", "sessions"]:
                return self._create_session(form)
            case ["GET", "checkout", "sessions", session]:
                return self._found(self.sessions, session)
            case ["POST", "checkout", "sessions", session, "expire"]:
                return self._expire(self._found(self.sessions, session))
            case ["GET", "refunds"]:
                listed = [r for r in self.refunds if r["payment_intent"] == form["payment_intent"]]
                return {"object": "list", "data": listed, "has_more": False, "url": "/v1/refunds"}
            case ["POST", "refunds"]:
                return self._refund(form)
            case _:
                raise ApiError(404, "invalid_request_error", "unknown_url")

    def _found(self, among: dict[str, Json], name: str) -> Json:
        if name not in among:
            raise ApiError(404, "invalid_request_error", "resource_missing")
        return among[name]

    def _create(self, form: Json) -> Json:
        amount = int(form["amount"])
        if form["capture_method"] != "manual" or form["allowed_payment_method_types"] != {"0": "card"}:
            raise ApiError(400, "invalid_request_error", "parameter_invalid", kept=False)
        if not 50 <= amount <= 99_999_999:
            code = "amount_too_small" if amount < 50 else "amount_too_large"
            raise ApiError(400, "invalid_request_error", code, kept=False)
        return self._intent(amount, form["currency"], form["metadata"])

    def _act(self, intent: Json, action: str, form: Json) -> Json:
        status = intent["status"]
        if action == "confirm" and status in ("requires_payment_method", "requires_confirmation"):
            return self._confirm(intent, form["payment_method"])
        if action == "capture" and status == "requires_capture":
            intent |= {"status": "succeeded", "amount_received": intent["amount"]}
            self.captures.append(intent)
            return intent
        if action == "cancel" and status in CANCELABLE:
            intent |= {"status": "canceled", "next_action": None}
            return intent
        raise ApiError(400, "invalid_request_error", "payment_intent_unexpected_state")

    def _confirm(self, intent: Json, card: str) -> Json:
        if card in DECLINES:
            error = ApiError(402, "card_error", DECLINES[card])
            intent["last_payment_error"] = error.error
            raise error
        if card == "pm_3ds":
            redirect = {"type": "redirect_to_url", "redirect_to_url": {"url": BANK, "return_url": None}}
            intent |= {"status": "requires_action", "next_action": redirect}
        elif card == "pm_ok":
            intent["status"] = "requires_capture"
        else:
            raise ApiError(400, "invalid_request_error", "resource_missing", kept=False)
        return intent

    def _create_session(self, form: Json) -> Json:
        price = form["line_items"]["0"]["price_data"]
        assert form["payment_intent_data"]["capture_method"] == "manual"
        name = self._id("cs")
        self.sessions[name] = {
            "id": name,
            "object": "checkout.session",
            "url": f"https://checkout.example/{name}",
            "status": "open",
            "payment_intent": None,
            "metadata": form["metadata"],
            "amount": int(price["unit_amount"]),
            "currency": price["currency"],
            "intent_metadata": form["payment_intent_data"]["metadata"],
            "success_url": form["success_url"],
        }
        return self.sessions[name]

    def _expire(self, session: Json) -> Json:
        if session["status"] != "open":
            raise ApiError(400, "invalid_request_error", "session_not_open")
        session["status"] = "expired"
        return session

    def _refund(self, form: Json) -> Json:
        intent, amount = form["payment_intent"], int(form["amount"])
        if amount > self.net(intent):
            code = "charge_already_refunded" if self.net(intent) == 0 else "refund_too_large"
            raise ApiError(400, "invalid_request_error", code)
        refund: Json = {
            "id": self._id("re"),
            "object": "refund",
            "payment_intent": intent,
            "amount": amount,
            "metadata": form.get("metadata", {}),
            "status": "succeeded",
        }
        self.refunds.append(refund)
        return refund

    async def respond(
        self, method: str, target: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Json] | None:
        """Status and body; None cuts the connection."""
        parts = urlsplit(target)
        asked = f"{method} {parts.path}"
        self.requests.append(asked)
        key = headers.get("idempotency-key", "") if method == "POST" else ""
        said = f"{parts.path} {body.decode()}"
        fault = next((f for f in self.faults if f.part in asked and f.times > 0), Fault("", "", 0, 0.0))
        fault.times -= 1
        if headers.get("authorization") != f"Bearer {SECRET_KEY}":
            return 401, {"error": {"type": "invalid_request_error"}}
        if key in self.answers:
            before, status, answer = self.answers[key]
            if fault.how == "cut":
                return None
            return (status, answer) if before == said else (400, {"error": {"type": "idempotency_error"}})
        if key and key in self.running:
            return 409, {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}
        if fault.how.isdecimal():
            return int(fault.how), {"error": {"type": "api_error"}}
        self.running.add(key)
        await asyncio.sleep(fault.seconds)
        form = _nested(parse_qsl(f"{parts.query}&{body.decode()}"))
        status, answer, kept = self._run(method, parts.path, form)
        if fault.how == "lost":
            status, answer = 500, {"error": {"type": "api_error"}}
        if key and kept:
            self.answers[key] = (said, status, answer)
        self.running.discard(key)
        return None if fault.how == "cut" else (status, answer)

    def _run(self, method: str, path: str, form: Json) -> tuple[int, Json, bool]:
        """Status, body, and whether the endpoint ran at all."""
        try:
            return 200, json.loads(json.dumps(self.answer(method, path, form))), True
        except ApiError as error:
            return error.status, {"error": error.error}, error.kept


def sign(body: bytes, secret: str, timestamp: int) -> str:
    """Stripe's signature: HMAC-SHA256 over `<timestamp>.<body>`, in hex."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"t={timestamp},v1={mac.hexdigest()}"


def _nested(pairs: list[tuple[str, str]]) -> Json:
    """`a[b][c]=d` as dictionaries."""
    out: Json = {}
    for name, value in pairs:
        *path, last = name.replace("]", "").split("[")
        into = out
        for step in path:
            into = into.setdefault(step, {})
        into[last] = value
    return out


@contextlib.asynccontextmanager
async def stand_in() -> AsyncGenerator[StandIn]:
    """A running stand-in, on a free port."""
    stripe = StandIn()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(ConnectionError, h11.RemoteProtocolError):
            while await _exchange(stripe, reader, writer):
                pass

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stripe.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield stripe
    finally:
        server.close()


async def _exchange(stripe: StandIn, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """One request of a connection; False when it is over."""
    connection = h11.Connection(h11.SERVER)
    request: h11.Request | None = None
    body = b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            data = await reader.read(65_536)
            if not data and request is None:
                return False
            connection.receive_data(data)
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            break
    assert request is not None
    headers = {name.decode(): value.decode() for name, value in request.headers}
    answer = await stripe.respond(request.method.decode(), request.target.decode(), headers, body)
    if answer is None:
        return False
    status, content = answer
    raw = json.dumps(content).encode()
    head = [("content-type", "application/json"), ("content-length", str(len(raw)))]
    for part in (
        h11.Response(status_code=status, headers=head),
        h11.Data(data=raw),
        h11.EndOfMessage(),
    ):
        writer.write(connection.send(part) or b"")
    await writer.drain()
    return True
