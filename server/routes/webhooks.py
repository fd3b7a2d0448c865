"""Messages from outside services. They carry no session: a signature over the body says who speaks."""

from typing import Final

from server.errors import Problem
from server.routes.answers import Answer, problem_of
from server.routes.body import JSON_LIMIT, read_body
from server.routes.endpoint import Call, Endpoints

endpoints: Final = Endpoints("webhooks")


@endpoints.message(
    "/webhooks/stripe", problems=("bad_signature", "webhook_replayed", "not_found", "too_large")
)
async def stripe_webhook(call: Call[None]) -> Answer:
    """Take a message of Stripe: it makes us ask Stripe how an attempt stands."""
    news = call.services.news
    if news is None:
        raise Problem("not_found", "payments.gateway is not 'stripe'")
    headers = call.request.headers
    raw = await read_body(call.request.receive, headers.get("content-length"), JSON_LIMIT)
    if refused := await news.take(raw, headers.get("stripe-signature")):
        raise problem_of(refused)
    return Answer(204)
