"""Fixtures of the integration tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.web import Web, running

from server.store.store import Store


@pytest.fixture
async def web(store: Store, tmp_path: Path) -> AsyncIterator[Web]:
    """A real web worker on an empty store, without a media worker, with an open show."""
    async with running(store, tmp_path) as server:
        await server.open_show()
        yield server
