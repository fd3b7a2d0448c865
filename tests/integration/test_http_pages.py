"""Pages and their files: useful before any script runs, closed to what does not belong to them."""

import json
import re
from typing import Any

from support.web import SHOW, TITLE, Web, expect, refused

EVIL = '</script><img src=x onerror="alert(1)">&\u2028'


async def test_a_page_says_what_is_sold_before_any_script(web: Web) -> None:
    for page in ("watch", "studio", "moderate"):
        answer = await web.client.get(f"/{page}/{SHOW}")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert TITLE in answer.text
        snapshot = _data(answer.text)
        assert (snapshot["id"], snapshot["products"][0]["price_minor"]) == (SHOW, 1000)
        assert "<!--vendue:" not in answer.text


async def test_every_page_says_that_no_money_moves(web: Web) -> None:
    for path in ("/", f"/watch/{SHOW}", f"/studio/{SHOW}", f"/moderate/{SHOW}", "/watch/none"):
        assert "Test mode" in (await web.client.get(path)).text


async def test_what_a_seller_writes_cannot_leave_its_place(web: Web) -> None:
    product = {"title": EVIL, "price_minor": 500, "stock": 1, "description": EVIL}
    await expect(201, web.call("PUT", "products/evil", product, token=web.creator))
    await expect(
        201,
        web.call("POST", "/api/v1/shows", {"title": EVIL, "currency": "JPY", "id": "e"}, token=web.creator),
    )
    for path in (f"/watch/{SHOW}", "/watch/e", "/"):
        text = (await web.client.get(path)).text
        assert "<img src=x" not in text
        assert text.count("</script>") == text.count("<script")
    assert any(
        product["title"] == EVIL
        for product in _data((await web.client.get(f"/watch/{SHOW}")).text)["products"]
    )


async def test_nothing_secret_is_in_a_page(web: Web) -> None:
    hidden = {
        "title": "Cup",
        "price_minor": 500,
        "stock": 77,
        "stock_display": "hidden",
        "cost_minor": 123,
        "floor_minor": 321,
    }
    await expect(201, web.call("PUT", "products/cup", hidden, token=web.creator))
    text = (await web.client.get(f"/watch/{SHOW}")).text
    assert "cost_minor" not in text
    assert "floor_minor" not in text
    assert all(product["left"] is None for product in _data(text)["products"] if product["sku"] == "cup")


async def test_headers_of_a_page(web: Web) -> None:
    answer = await web.client.get(f"/watch/{SHOW}")
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["style-src"] == "'self'"
    assert policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    inline = re.findall(r"<script(?![^>]*(?:src=|application/json))", answer.text)
    assert inline == []


async def test_a_strange_host_cannot_write_into_the_policy(web: Web) -> None:
    answer = await web.client.get("/", headers={"Host": "x; script-src *"})
    assert "script-src *" not in answer.headers.get("content-security-policy", "")


async def test_an_unknown_show_is_a_page_too(web: Web) -> None:
    for path in ("/watch/none", "/studio/a%7Bb", "/moderate/" + "x" * 100):
        answer = await web.client.get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"].startswith("text/html")


async def test_files_are_revalidated(web: Web) -> None:
    page = (await web.client.get(f"/watch/{SHOW}")).text
    paths = re.findall(r'"(/static/[^"]+)"', page)
    assert paths
    for path in paths:
        answer = await web.client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["cache-control"] == "no-cache"
        again = await web.client.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    scripts = [path for path in paths if path.endswith(".js")]
    assert scripts
    assert (await web.client.get(scripts[0])).headers["content-type"].startswith("text/javascript")


async def test_only_the_pages_files_are_served(web: Web) -> None:
    for path in (
        "/static/",
        "/static/watch.html",
        "/static/README.md",
        "/static/%2e%2e/pyproject.toml",
        "/static/..%2fpyproject.toml",
        "/static//etc/passwd",
        "/static/js/%00",
        "/static/js",
    ):
        await refused(404, "not_found", web.client.get(path))


async def test_the_documents_are_served(web: Web) -> None:
    assert (await web.client.get("/openapi.json")).json()["openapi"] == "3.1.0"
    assert (await web.client.get("/asyncapi.json")).json()["asyncapi"].startswith("3.")


def _data(page: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="snapshot">(.*?)</script>', page, re.DOTALL)
    assert match is not None
    return json.loads(match[1])
