"""A store for Hypothesis, which calls from outside any loop."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from support.machines import Run

from server.live.roles import role_table
from server.store.store import Store


@pytest.fixture
def on_loop(store_url: str) -> Iterator[tuple[Run, Store]]:
    """A loop of its own and a store on it: Hypothesis calls from outside any loop."""
    with asyncio.Runner() as runner:

        def run(awaitable: Any) -> Any:
            async def wait() -> Any:
                return await awaitable

            return runner.run(wait())

        async def opened() -> Store:
            return await Store.open(store_url, role_table())

        store = run(opened())
        yield run, store
        run(store.close())
