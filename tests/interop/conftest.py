"""Fixtures of the tests with other people's WebRTC programs."""

from collections.abc import AsyncIterator

import pytest
from support.studio import Studio, studio_of

from server.store.store import Store


@pytest.fixture
async def studio(store: Store) -> AsyncIterator[Studio]:
    """A web worker and a media worker on loopback, with an open show."""
    async with studio_of(store) as opened:
        yield opened
