"""One `vendue demo` and one Chromium for all end-to-end tests: what a person gets from `make demo`."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser
from support.browser import chromium
from support.server_process import ServerProcess

LINK = re.compile(r"http://\S+/(watch|studio|moderate)/\S+")


class Demo:
    """The running demo and the three links that it printed."""

    def __init__(self, server: ServerProcess) -> None:
        self.server = server
        self.links = {match[1]: match[0] for match in LINK.finditer(server.tail(200))}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    data_dir: Path = tmp_path_factory.mktemp("demo") / "data"
    server = ServerProcess(data_dir, ["demo", "--data-dir", str(data_dir)])
    server.args = ["demo", "--port", str(server.port), "--data-dir", str(data_dir)]
    with server:
        yield Demo(server)


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running
