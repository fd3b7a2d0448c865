"""What is the same on every route: bearers, bodies, unknown addresses, limits, headers."""

import asyncio
import json
from base64 import urlsafe_b64decode
from pathlib import Path

import pytest
from support.web import SHOW, Web, expect, refused, running

from server.store.store import Store

ORDER = {"sku": "mug", "quantity": 1, "price_minor": 1000}
PRODUCT = {"title": "Cup", "price_minor": 500, "stock": 3}


async def test_a_token_that_is_no_token(web: Web) -> None:
    before = await web.digest()
    for authorization in ("Bearer", "Basic YTpi", "Bearer a.b.c", "x"):
        answer = await web.call("POST", "start", headers={"Authorization": authorization})
        await refused(401, "invalid_token", answer)
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    answer = await web.call("POST", "start")
    await refused(401, "token_required", answer)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert await web.digest() == before


async def test_an_expired_token(web: Web) -> None:
    token = web.bearer("creator", "creator", ttl_s=1)
    await expect(200, web.call("GET", "audit", token=token))
    await asyncio.sleep(1.1)
    await refused(401, "expired", web.call("GET", "audit", token=token))
    await refused(401, "expired", web.call("POST", "orders", ORDER, token=token, key="k"))
    await refused(401, "expired", web.call("POST", "ticket", token=token))


async def test_a_token_of_another_show_is_refused_everywhere(web: Web) -> None:
    await web.open_show("other")
    token = web.bearer("creator", "creator", show="other")  # the owner of both, with a token for one
    before = await web.digest()
    await refused(403, "forbidden", web.call("POST", "pause", token=token))
    await refused(403, "forbidden", web.call("PUT", "products/cup", PRODUCT, token=token))
    await refused(403, "forbidden", web.call("PUT", "pin", {"sku": "mug"}, token=token))
    await refused(403, "forbidden", web.call("GET", "audit", token=token))
    await refused(403, "forbidden", web.call("POST", "ticket", token=token))
    await refused(403, "forbidden", web.call("POST", "orders", ORDER, token=token, key="k"))
    await expect(200, web.call("GET", "", token=token))  # what everybody may read
    assert await web.digest() == before
    await expect(200, web.call("POST", "/api/v1/shows/other/pause", token=token))


async def test_a_viewer_may_not_run_a_show(web: Web) -> None:
    ann = web.bearer("ann")
    before = await web.digest()
    for path in ("start", "pause", "resume", "end"):
        await refused(403, "forbidden", web.call("POST", path, token=ann))
    await refused(
        403, "forbidden", web.call("POST", "/api/v1/shows", {"title": "x", "currency": "USD"}, token=ann)
    )
    await refused(403, "forbidden", web.call("PUT", "products/cup", PRODUCT, token=ann))
    await refused(
        403, "forbidden", web.call("POST", "products/mug/restock", {"delta": 1}, token=ann, key="k")
    )
    await refused(403, "forbidden", web.call("PUT", "pin", {"sku": "mug"}, token=ann))
    await refused(403, "forbidden", web.call("DELETE", "pin", token=ann))
    flash = {"sku": "mug", "price_minor": 900, "duration_s": 60}
    await refused(403, "forbidden", web.call("POST", "flash", flash, token=ann))
    await refused(403, "forbidden", web.call("PUT", "members/ann", {"roles": ["creator"]}, token=ann))
    await refused(403, "forbidden", web.call("DELETE", "members/ann", token=ann))
    ban = {"action": "ban", "subject": "creator", "reason": "x"}
    await refused(403, "forbidden", web.call("POST", "moderation", ban, token=ann))
    await refused(403, "forbidden", web.call("GET", "audit", token=ann))
    await refused(403, "forbidden", web.call("GET", "health", token=ann))
    await refused(403, "forbidden", web.call("POST", "/api/v1/tokens/revoke", {"jti": "x"}, token=ann))
    assert await web.digest() == before


async def test_what_is_no_json_is_refused(web: Web) -> None:
    before = await web.digest()
    token = {"Authorization": f"Bearer {web.creator}", "Idempotency-Key": "k"}
    json_type = {"Content-Type": "application/json", **token}
    for path in (f"/api/v1/shows/{SHOW}/orders", f"/api/v1/shows/{SHOW}/flash", "/api/v1/shows"):
        for body in (b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 5000, b""):
            await refused(400, "bad_request", web.client.post(path, content=body, headers=json_type))
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml", "json"):
            headers = {**token, "Content-Type": kind}
            await refused(
                415, "unsupported_media_type", web.client.post(path, content=b"{}", headers=headers)
            )
    assert await web.digest() == before


async def test_an_unknown_field_is_named(web: Web) -> None:
    before = await web.digest()
    bodies: dict[tuple[str, str], dict[str, object]] = {
        ("POST", "/api/v1/shows"): {"title": "x", "currency": "USD", "surprise": 1},
        ("PUT", "products/cup"): {**PRODUCT, "surprise": 1},
        ("POST", "products/mug/restock"): {"delta": 1, "surprise": 1},
        ("PUT", "pin"): {"sku": "mug", "surprise": 1},
        ("POST", "flash"): {"sku": "mug", "price_minor": 9, "duration_s": 60, "surprise": 1},
        ("POST", "orders"): {**ORDER, "surprise": 1},
        ("POST", "orders/o_x/pay"): {"payment_token": "tok_ok", "surprise": 1},
        ("POST", "orders/o_x/refund"): {"restock": True, "reason": "x", "surprise": 1},
        ("POST", "orders/o_x/cancel"): {"surprise": 1},
        ("POST", "start"): {"surprise": 1},
        ("PUT", "members/ann"): {"roles": [], "surprise": 1},
        ("POST", "moderation"): {"action": "ban", "subject": "x", "reason": "x", "surprise": 1},
        ("POST", "/api/v1/tokens/revoke"): {"jti": "x", "surprise": 1},
        ("POST", "/api/v1/guests"): {"surprise": 1},
        ("POST", "ticket"): {"surprise": 1},
    }
    for (method, path), body in bodies.items():
        problem = await refused(400, "bad_request", web.call(method, path, body, token=web.creator, key="k"))
        assert problem["field"] == "surprise", (path, problem)
    assert await web.digest() == before


async def test_bodies_above_the_bound_are_not_read(web: Web) -> None:
    before = await web.digest()
    headers = {
        "Authorization": f"Bearer {web.creator}",
        "Content-Type": "application/json",
        "Idempotency-Key": "k",
    }
    large = json.dumps({**ORDER, "sku": "x" * 10_000_000}).encode()

    async def chunks() -> object:
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    for path in ("orders", "flash", "moderation"):
        url = f"/api/v1/shows/{SHOW}/{path}"
        await refused(413, "too_large", web.client.post(url, content=large, headers=headers))
        await refused(413, "too_large", web.client.post(url, content=chunks(), headers=headers))  # type: ignore[arg-type]
        fits = json.dumps({**ORDER, "sku": "x" * 60_000}).encode()
        await refused(400, "bad_request", web.client.post(url, content=fits, headers=headers))
    assert await web.digest() == before


async def test_a_client_that_waits_for_100_continue_never_sends_a_large_body(web: Web) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", web.client.base_url.port)
    writer.write(
        f"POST /api/v1/shows/{SHOW}/flash HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {web.creator}\r\n"
        "Content-Length: 10000000\r\nExpect: 100-continue\r\n\r\n".encode()
    )
    status = await asyncio.wait_for(reader.readline(), 5)
    writer.close()
    assert status.startswith(b"HTTP/1.1 413")


async def test_unknown_addresses_and_methods(web: Web) -> None:
    for path in (
        "/nothing",
        "/api/v1",
        "/api/v1/shows/x/y/z",
        "/static/none.js",
        "/static/../pyproject.toml",
    ):
        await refused(404, "not_found", web.client.get(path))
    answer = await web.client.patch(f"/api/v1/shows/{SHOW}/pin")
    await refused(405, "method_not_allowed", answer)
    assert answer.headers["allow"] == "DELETE, PUT"
    answer = await web.client.put(f"/api/v1/shows/{SHOW}/orders")
    await refused(405, "method_not_allowed", answer)
    assert answer.headers["allow"] == "GET, HEAD, POST"
    await refused(405, "method_not_allowed", web.client.post("/healthz"))
    await refused(404, "unknown_show", web.client.get("/api/v1/shows/nowhere"))
    await refused(404, "unknown_show", web.client.get("/api/v1/shows/a%7Bb"))
    assert (await web.client.head("/healthz")).status_code == 200


async def test_the_type_of_a_problem_explains_it(web: Web) -> None:
    problem = await refused(404, "unknown_show", web.client.get("/api/v1/shows/nowhere"))
    assert "No such show" in (await web.client.get(problem["type"])).text
    await refused(404, "not_found", web.client.get("/problems/none"))


async def test_a_revoked_token_is_refused(web: Web) -> None:
    token = web.bearer("ann")
    await expect(200, web.call("GET", "/api/v1/me/orders", token=token))
    claims = _claims(token)
    admin = web.bearer("root", "admin")
    await expect(204, web.call("POST", "/api/v1/tokens/revoke", {"jti": claims["jti"]}, token=admin))
    await refused(401, "invalid_token", web.call("GET", "/api/v1/me/orders", token=token))
    await refused(401, "invalid_token", web.call("POST", "orders", ORDER, token=token, key="k"))
    await expect(200, web.call("GET", "/api/v1/me/orders", token=web.bearer("ann")))


async def test_a_revocation_reaches_another_worker_within_a_second(web: Web, tmp_path: Path) -> None:
    token = web.bearer("ann")
    async with running(web.store, tmp_path) as other:
        await expect(200, other.call("GET", "/api/v1/me/orders", token=token))
        claims = _claims(token)
        await expect(204, web.call("POST", "/api/v1/tokens/revoke", {"jti": claims["jti"]}, token=token))
        await asyncio.sleep(1.0)
        await refused(401, "invalid_token", other.call("GET", "/api/v1/me/orders", token=token))


def _claims(token: str) -> dict[str, str]:
    return json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))


LIMITS = {
    "exempt_loopback": False,
    "orders_per_s": 0.01,
    "orders_burst": 2,
    "guests_per_s": 0.01,
    "guests_burst": 1,
}


async def test_limits_answer_429_with_retry_after(store: Store, tmp_path: Path) -> None:
    async with running(store, tmp_path, limits=LIMITS) as web:
        await web.open_show()
        ann, bob = web.bearer("ann"), web.bearer("bob")
        for key in ("a", "b"):
            await expect(201, web.call("POST", "orders", ORDER, token=ann, key=key))
        before = await web.digest()
        answer = await web.call("POST", "orders", ORDER, token=ann, key="c")
        await refused(429, "rate_limited", answer)
        assert int(answer.headers["retry-after"]) >= 1
        assert await web.digest() == before
        await expect(201, web.call("POST", "orders", ORDER, token=bob, key="d"))
        await expect(201, web.call("POST", "/api/v1/guests"))
        await refused(429, "rate_limited", web.call("POST", "/api/v1/guests"))


async def test_forwarded_addresses_count_only_from_a_trusted_proxy(store: Store, tmp_path: Path) -> None:
    proxy = {"trusted_proxies": ("127.0.0.0/8",)}
    for http, second in (({}, 429), (proxy, 201)):
        async with running(store, tmp_path, limits=LIMITS, http=http) as web:
            for address, status in (("192.0.2.1", 201), ("192.0.2.2", second)):
                answer = await web.call("POST", "/api/v1/guests", headers={"X-Forwarded-For": address})
                assert answer.status_code == status, (http, address)


async def test_guests_where_they_are_not_allowed(store: Store, tmp_path: Path) -> None:
    async with running(store, tmp_path, auth={"allow_guests": False}) as web:
        await web.open_show()
        await refused(403, "guests_closed", web.call("POST", "/api/v1/guests"))
        await refused(401, "token_required", web.call("POST", "ticket"))
        await expect(201, web.call("POST", "ticket", token=web.bearer("ann")))


@pytest.mark.parametrize(("guests", "status"), [("watch", 403), ("chat", 403), ("buy", 201)])
async def test_guests_buy_where_the_show_lets_them(
    store: Store, tmp_path: Path, guests: str, status: int
) -> None:
    async with running(store, tmp_path) as web:
        await web.open_show(guests=guests)
        guest = await expect(201, web.call("POST", "/api/v1/guests"))
        answer = await web.call("POST", "orders", ORDER, token=guest["token"], key="k")
        assert answer.status_code == status, answer.text


async def test_health_names_what_is_missing(web: Web) -> None:
    assert (await web.client.get("/healthz")).status_code == 200
    answer = await refused(503, "not_ready", web.client.get("/readyz"))
    assert (answer["missing"], answer["detail"]) == (["media"], "not ready: media")
    text = (await web.client.get("/metrics")).text
    assert 'vendue_http_answers_total{method="POST",status="201",worker="web-0"}' in text


async def test_a_store_that_is_gone_is_503_and_named(web: Web) -> None:
    await web.worker.services.store.close()
    answer = await web.call("POST", "orders", ORDER, token=web.creator, key="k")
    await refused(503, "store_unavailable", answer)
    assert answer.headers["retry-after"] == "1"
    assert (await web.client.get("/readyz")).json()["missing"] == ["store", "media"]
