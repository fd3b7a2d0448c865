"""Fixtures that every suite may use."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from hypothesis import settings
from support import store as stores

from server.children import raise_open_files
from server.store.store import Store

settings.register_profile("untimed", deadline=None)  # a busy machine is no reason to fail
settings.load_profile("untimed")
raise_open_files()  # a thousand viewers and their server in one process are two thousand sockets


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def store_url() -> AsyncIterator[str]:
    """The url of the session's embedded store."""
    async with stores.embedded() as (_, url):
        yield url


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Store]:
    """An empty store."""
    async with stores.opened(store_url) as opened:
        yield opened
