"""A show's products as a CSV file over HTTP: all of it or nothing, and what is wrong with each row."""

from typing import Any

import httpx
from support.web import Web, expect, refused

from server.commerce.catalog_csv import CSV_LIMIT

HEAD = "sku,title,price_minor,stock,seller,floor_minor\n"


async def send(web: Web, text: str | bytes, *, token: str | None = None, **headers: str) -> httpx.Response:
    return await web.client.post(
        "/api/v1/shows/show1/products.csv",
        content=text if isinstance(text, bytes) else text.encode(),
        headers={"Authorization": f"Bearer {token or web.creator}", "Content-Type": "text/csv", **headers},
    )


async def listed(web: Web) -> dict[str, Any]:
    show = await expect(
        200, web.client.get("/api/v1/shows/show1", headers={"Authorization": f"Bearer {web.creator}"})
    )
    return {product["sku"]: product for product in show["products"]}


async def test_a_file_becomes_products(web: Web) -> None:
    file = HEAD + "vase,Vase,500,3,,400\r\nmug,New mug,900,,,\r\nsams,Sam's,5,1,sam,\r\n"
    assert await expect(200, send(web, file)) == {"created": 2, "changed": 1}
    products = await listed(web)
    assert list(products) == ["mug", "vase", "sams"]
    assert (products["mug"]["title"], products["mug"]["price_version"]) == ("New mug", 2)
    assert (products["vase"]["left"], products["vase"]["list_price_minor"]) == (3, 500)
    assert products["sams"]["seller"].startswith("p_")
    again = {"Idempotency-Key": "k"}
    change = HEAD + "vase,Vase,450,,,400\n"
    assert await expect(200, send(web, change, **again)) == {"created": 0, "changed": 1}
    before = await web.digest()
    assert await expect(200, send(web, change, **again)) == {"created": 0, "changed": 1}
    assert await web.digest() == before


async def test_nothing_of_a_file_with_a_bad_row_is_taken(web: Web) -> None:
    flash = {"sku": "mug", "price_minor": 700, "duration_s": 60}
    await expect(201, web.call("POST", "flash", flash, token=web.creator))
    before = await web.digest()
    answer = await send(web, HEAD + "vase,Vase,500,3,,\npot,,x,3,,\n")
    await refused(422, "bad_rows", answer)
    assert answer.json()["errors"] == [
        {"row": 3, "column": "title", "reason": "it is missing"},
        {"row": 3, "column": "price_minor", "reason": "it must be a whole number"},
    ]
    answer = await send(web, HEAD + "vase,Vase,500,3,,\n\nmug,Mug,800,77,,\n")
    await refused(422, "bad_rows", answer)
    assert answer.json()["total"] == 2
    assert answer.json()["errors"] == [
        {"row": 4, "column": "stock", "reason": "Stock of an existing product changes by restock only"},
        {"row": 4, "column": "price_minor", "reason": "A flash price is already announced for this product"},
    ]
    answer = await send(web, HEAD + "".join(f"s{n},T,1,1,,\n" for n in range(500)))
    await refused(422, "bad_rows", answer)
    assert [(error["row"], error["column"]) for error in answer.json()["errors"]] == [(501, "sku")]
    await refused(413, "too_large", send(web, b" " * (CSV_LIMIT + 1)))
    await refused(415, "unsupported_media_type", send(web, HEAD, **{"Content-Type": "application/json"}))
    await refused(403, "forbidden", send(web, HEAD + "vase,Vase,500,3,,\n", token=web.bearer("ann")))
    await refused(403, "forbidden", web.call("GET", "products.csv", token=web.bearer("ann")))
    assert await web.digest() == before


async def test_what_is_exported_can_be_imported(web: Web) -> None:
    vase = {
        "title": "=SUM(A1)",
        "price_minor": 500,
        "stock": 3,
        "floor_minor": 400,
        "cost_minor": 100,
        "per_viewer_max": 2,
        "commission_bps": 333,
        "disclosure": 'an "ad", paid',
        "stock_display": "bucket",
    }
    await expect(201, web.call("PUT", "products/vase", vase, token=web.creator))
    order = {"sku": "mug", "quantity": 1, "price_minor": 1000}
    await expect(201, web.call("POST", "orders", order, token=web.bearer("ann"), key="k"))
    answer = await web.call("GET", "products.csv", token=web.creator)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert "show1-products.csv" in answer.headers["content-disposition"]
    assert "'=SUM(A1)" in answer.text
    before = await listed(web)
    assert await expect(200, send(web, answer.text)) == {"created": 0, "changed": 2}
    assert await listed(web) == before
    assert (await web.call("GET", "products.csv", token=web.creator)).text == answer.text


async def test_variants_go_out_and_come_back(web: Web) -> None:
    before = await web.digest()
    tee = {"title": "Tee", "price_minor": 900, "stock": 3, "group": "tee", "options": {"Size": "M"}}
    wrongs: list[dict[str, Any]] = [
        {"options": None},
        {"group": None},
        {"options": {}},
        {"options": {"a;b": "c"}},
    ]
    for wrong in wrongs:
        await refused(400, "bad_request", web.call("PUT", "products/tee-m", tee | wrong, token=web.creator))
    assert await web.digest() == before
    await expect(201, web.call("PUT", "products/tee-m", tee, token=web.creator))
    file = (await web.call("GET", "products.csv", token=web.creator)).text
    more = (
        file
        + "tee-l,Tee,950,4"
        + file.splitlines()[-1].removeprefix("tee-m,Tee,900,3").replace("=M", "=L")
        + "\r\n"
    )
    assert await expect(200, send(web, more)) == {"created": 1, "changed": 2}
    products = await listed(web)
    assert [(p["group"], p["options"]) for p in products.values() if p["group"]] == [
        ("tee", {"Size": "M"}),
        ("tee", {"Size": "L"}),
    ]
