"""Fixtures of the tests with other people's WebRTC programs."""

from collections.abc import AsyncIterator, Iterator

import pytest
from support.own_network import own_network
from support.studio import Studio, studio_of

from server.store.store import Store


@pytest.fixture
def second_address() -> Iterator[str]:
    """An address beside loopback, in a network that nothing leaves."""
    with own_network() as address:
        yield address


@pytest.fixture
async def studio(store: Store) -> AsyncIterator[Studio]:
    """A web worker and a media worker on loopback, with an open show."""
    async with studio_of(store) as opened:
        yield opened
