"""A created show and the live side serving it."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest
import uvloop
from support.kiln import CREATOR, SHOW
from support.live_server import LiveServer, live_server

from server.live.shows import NewShow, Shows
from server.store.store import Store


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Both loops: their transports differ in when they write, pause and die."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def shows(store: Store) -> Shows:
    shows = Shows(store)
    await shows.create(CREATOR, NewShow(title="Kiln", currency="USD", id=SHOW))
    return shows


@pytest.fixture
async def server(store: Store, shows: Shows) -> AsyncIterator[LiveServer]:
    async with live_server(store, origins=("https://shop.example",)) as server:
        yield server
