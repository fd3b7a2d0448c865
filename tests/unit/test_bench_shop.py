"""What bench/shop.py makes of its rounds, and how it sends its crowd, without the servers."""

import asyncio
from collections import Counter

import pytest
from crowd import Waits
from shop import Round, crowd, figures
from support.http_client import Unanswered


def test_the_figures_are_medians_and_every_sale_is_told() -> None:
    rounds = [
        Round(Waits([1.0, 3.0, 9.0]), seconds, cpu_s, 0.5, Counter(sold=sold), sold)
        for seconds, cpu_s, sold in ((1.0, 0.3, 2), (2.0, 0.6, 3), (3.0, 0.9, 1))
    ]
    assert figures(rounds) == {
        "sale": [{"sold": 2}, {"sold": 3}, {"sold": 1}],
        "recorded": [2, 3, 1],
        "purchases_per_s": 1.5,
        "cpu_ms_a_purchase": 200.0,
        "load_cpu_share": 0.25,
        "p50_ms": 3.0,
        "slowest_ms": 9.0,
    }


async def test_everybody_tries_once_and_so_many_are_under_way_at_once() -> None:
    tried: list[str] = []
    under_way = most = 0

    async def attempt(name: str, scarce: bool) -> bool:
        nonlocal under_way, most
        assert scarce
        tried.append(name)
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0)
        under_way -= 1
        if name == "c":
            raise Unanswered("the connection broke")
        return name != "b"

    found = await crowd(attempt, "abcdefg", 3, scarce=True)
    assert sorted(tried) == list("abcdefg")
    assert most == 3
    assert found.told == {"sold": 5, "refused": 1, "unanswered": 1}
    assert len(found.waits.ms) == 5


@pytest.mark.parametrize(("share", "wait"), [(0.0, 1.0), (0.5, 3.0), (0.99, 5.0), (1.0, 5.0)])
def test_a_share_of_the_waits(share: float, wait: float) -> None:
    assert Waits([5.0, 3.0, 1.0, 4.0, 2.0]).at(share) == wait
