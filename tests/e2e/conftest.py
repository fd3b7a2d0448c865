"""One `vendue demo` and one Chromium for all end-to-end tests: what a person gets from `make demo`."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser
from support.browser import chromium
from support.demo import Demo
from support.server_process import ServerProcess


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A browser lives in one loop, so all who share it do. Who wants the demo comes last: it takes a fifth
    of a core from everybody for as long as it runs.
    """
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
    items.sort(key=lambda item: "demo" in getattr(item, "fixturenames", ()))


@pytest.fixture(scope="session")
def running_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    data_dir = tmp_path_factory.mktemp("demo") / "data"
    server = ServerProcess(data_dir, ["demo", "--data-dir", str(data_dir)])
    server.args += ["--port", str(server.port)]
    with server:
        yield Demo(server)


@pytest_asyncio.fixture(loop_scope="session")
async def demo(running_demo: Demo) -> Demo:
    """As it begins: the first product is on screen, at its own price."""
    await running_demo.ask("PUT", "pin", {"sku": "dune"}, expected=200)
    return running_demo


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running
