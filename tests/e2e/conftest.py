"""One `vendue demo` and one Chromium for all end-to-end tests: what a person gets from `make demo`."""

from collections.abc import AsyncIterator, Iterator

import pytest
from playwright.async_api import Browser
from support.browser import chromium
from support.demo import Demo
from support.server_process import ServerProcess


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    server = ServerProcess(data_dir, ["demo", "--data-dir", str(data_dir)])
    server.args += ["--port", str(server.port)]
    with server:
        yield Demo(server)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running
