"""The proof of one order: from a running web worker to `vendue verify`, and what it makes of a forged one."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from support.web import Web, expect, refused

from server.cli import main
from server.log import seals
from server.log.sealer import Sealer, newest_seal_seq
from server.seal_key import seal_key
from server.verify import rules
from server.verify.chain import Broken
from server.verify.excerpt import Attested, verify_excerpt


async def placed(web: Web, **body: Any) -> str:
    wanted = {"sku": "mug", "quantity": 1, "price_minor": 1000, **body}
    answer = await expect(201, web.call("POST", "orders", wanted, token=web.bearer("anna"), key="k1"))
    return str(answer["id"])


async def proof_of(web: Web, order: str) -> bytes:
    """The sealed proof; nobody in particular asks."""
    await Sealer(web.store, seal_key(web.settings)).seal("show1")
    answer = await web.call("GET", f"orders/{order}/proof")
    assert answer.status_code == 200, answer.text
    return answer.content


def public_key(web: Web) -> Ed25519PublicKey:
    return seal_key(web.settings).public_key()


async def test_a_proof_stands_alone(web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = await placed(web)
    first = verify_excerpt(await proof_of(web, order), public_key(web))
    assert isinstance(first, Attested)
    assert (first.entry.kind, first.entry.body["order"]["id"]) == ("order.held", order)
    cancelled = web.call("POST", f"orders/{order}/cancel", {}, token=web.bearer("anna"), key="k2")
    await expect(200, cancelled)
    raw = await proof_of(web, order)
    then = verify_excerpt(raw, public_key(web))
    assert isinstance(then, Attested)
    assert then.entry.kind == "order.cancelled"
    file = tmp_path / "proof.json"
    file.write_bytes(raw + b"\n")
    assert main(["verify", str(file), "--key", seals.encode_key(public_key(web))]) == 0
    assert f"entry {then.entry.seq} (order.cancelled) stands in the sealed log" in capsys.readouterr().out
    assert main(["verify", str(file)]) == 3
    other = seals.encode_key(Ed25519PrivateKey.generate().public_key())
    assert main(["verify", str(file), "--key", other]) == 1


async def test_every_entry_under_a_seal_can_be_proved(web: Web) -> None:
    orders = [
        await expect(
            201,
            web.call(
                "POST",
                "orders",
                {"sku": "mug", "quantity": 1, "price_minor": 1000},
                token=web.bearer(f"b{n}"),
                key="k",
            ),
        )
        for n in range(4)
    ]
    for order in orders:
        assert isinstance(verify_excerpt(await proof_of(web, order["id"]), public_key(web)), Attested)


async def test_a_forged_proof_is_found(web: Web) -> None:
    raw = await proof_of(web, await placed(web))
    true = msgspec.json.decode(raw, type=seals.Excerpt)
    assert true.seal is not None
    seal = seals.decode(true.seal.encode())
    forged = [
        ({"entry": true.entry.replace('"quantity":1', '"quantity":2')}, rules.CHAIN),
        ({"before": "0" * 64}, rules.CHAIN),
        ({"before": "zz"}, rules.LINES),
        ({"before": ""}, rules.PLACE),
        ({"seal": None}, rules.SEALED),
        ({"seal": "{}"}, rules.LINES),
        ({"entry": "{}"}, rules.LINES),
        ({"seal": seals.encode(msgspec.structs.replace(seal, seq=seal.seq + 1)).decode()}, rules.SIGNATURES),
        ({"seal": seals.encode(seals.sign(seal, Ed25519PrivateKey.generate())).decode()}, rules.SIGNATURES),
    ]
    for change, rule in forged:
        verdict = verify_excerpt(
            msgspec.json.encode(msgspec.structs.replace(true, **change)), public_key(web)
        )
        assert isinstance(verdict, Broken), change
        assert verdict.rule is rule, (change, verdict)


async def test_a_new_entry_has_no_seal_yet(web: Web) -> None:
    async with asyncio.timeout(10):
        while not await newest_seal_seq(web.store, "show1"):
            await asyncio.sleep(0.05)
    order = await placed(web)
    answer = await expect(200, web.call("GET", f"orders/{order}/proof"))
    if answer["seal"] is None:  # the worker's own sealer may have been quick
        assert answer["before"] is None
        verdict = verify_excerpt(msgspec.json.encode(answer), None)
        assert isinstance(verdict, Broken)
        assert verdict.rule is rules.SEALED


async def test_an_unknown_order_has_no_proof(web: Web) -> None:
    await refused(404, "unknown_order", web.call("GET", "orders/nothing/proof"))


async def test_a_hidden_stock_stays_hidden_while_the_show_is_on(web: Web) -> None:
    product = {"title": "Cap", "price_minor": 1000, "stock": 5, "stock_display": "hidden"}
    await expect(201, web.call("PUT", "products/cap", product, token=web.creator))
    order = await placed(web, sku="cap")
    await refused(403, "forbidden", web.call("GET", f"orders/{order}/proof"))
    await expect(200, web.call("POST", "end", {}, token=web.creator, key="e"))
    assert isinstance(verify_excerpt(await proof_of(web, order), public_key(web)), Attested)
