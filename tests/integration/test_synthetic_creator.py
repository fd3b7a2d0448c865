"""The demo's creator gives way to a person with the same token, and comes back when that person has gone."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.demo import Demo
from support.server_process import ServerProcess

from server import clip, synthetic
from server.api_client import ApiClient

WAIT_S = 30.0
STAY_AWAY_S = 8.0  # longer than the synthetic creator waits before it takes a vacant show


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    data_dir = tmp_path / "data"
    with ServerProcess(data_dir, ["demo", "--data-dir", str(data_dir)]) as server:
        yield Demo(server)


async def publication(api: ApiClient) -> str | None:
    return (await synthetic.look(api, "demo")).publication


async def until_other(api: ApiClient, than: set[str | None]) -> str:
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        if (found := await publication(api)) not in than:
            assert found is not None
            return found
        await asyncio.sleep(0.2)
    raise AssertionError(f"still {await publication(api)} after {WAIT_S} s")


@pytest.mark.slow
async def test_a_person_takes_over_and_leaves(demo: Demo, tmp_path: Path) -> None:
    api = ApiClient("127.0.0.1", demo.server.port, lambda: demo.tokens["studio"])
    first = await until_other(api, {None})

    person = await synthetic.publish(api, "demo", await asyncio.to_thread(clip.cached, (tmp_path,)))
    try:
        assert await until_other(api, {None, first}) == person.identity
        seen: set[str | None] = set()
        end = time.monotonic() + STAY_AWAY_S
        while time.monotonic() < end:
            seen.add(await publication(api))
            await asyncio.sleep(0.2)
        assert seen == {person.identity}
        assert not person.closed
    finally:
        await asyncio.to_thread(api.send, "DELETE", person.resource, b"", {})
        await person.close()
    back = await until_other(api, {None, person.identity})
    assert back not in {first, person.identity}
