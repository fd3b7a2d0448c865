"""The pages and the files that they load.

A page is a file of `client_demo` with three markers; the server fills in the title and the show's public
snapshot, so that a page says what is sold at which price before (and without) any script.
"""

import hashlib
import html
import mimetypes
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from server.errors import Problem
from server.ids import is_show_id
from server.log import reader
from server.log.state import ShowSnapshot
from server.routes.services import Services

ROOT: Final = Path(__file__).resolve().parents[2] / "client_demo"
PAGES: Final = {
    "watch": "/watch/{show}",
    "studio": "/studio/{show}",
    "moderate": "/moderate/{show}",
    "verify": "/verify/{show}/{order}",
}
NOT_STATIC: Final = frozenset({".py", ".pyc", ".html", ".md"})
SITE: Final = "Vendue"
TEST_BAR: Final = '<p class="testbar" role="note" data-testid="test-mode">Test mode. No real money moves.</p>'
_NO_DECIMALS = (
    *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
    *("PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"),
)
_THREE_DECIMALS = ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND")
DECIMALS: Final = {  # ISO 4217: the currencies whose minor unit is not a hundredth
    **dict.fromkeys(_NO_DECIMALS, 0),
    **dict.fromkeys(_THREE_DECIMALS, 3),
}

Handler = Callable[[Request], Awaitable[Response]]

_HOST = re.compile(r"[A-Za-z0-9.\-]+(:\d{1,5})?|\[[0-9A-Fa-f:.]+\](:\d{1,5})?")
_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file in memory as it was at ``mtime_ns``."""

    body: bytes
    media_type: str
    etag: str
    mtime_ns: int


class Assets:
    """Files below one directory, read when first asked for and again when they change."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root.resolve()
        self._known: dict[str, Asset] = {}

    def get(self, name: str) -> Asset | None:
        """Return the file ``name`` (relative, ``/`` separated); None when there is none below the root."""
        try:
            path = (self._root / name).resolve()
            if not path.is_relative_to(self._root):
                return None
            mtime_ns = path.stat().st_mtime_ns
            asset = self._known.get(name)
            if asset is None or asset.mtime_ns != mtime_ns:
                asset = self._known[name] = _load(path, mtime_ns)
        except (OSError, ValueError):  # ValueError: a zero byte in the name
            self._known.pop(name, None)
            return None
        return asset


class Pages:
    """Serves `/`, the pages of a show, and `/static/…`."""

    def __init__(self, services: Services, assets: Assets | None = None) -> None:
        self._services = services
        self._assets = assets or Assets()

    def handlers(self) -> dict[str, Handler]:
        """Return the handlers of all pages and files by their path."""
        shows = {path: self._show(name) for name, path in PAGES.items()}
        return {"/": self._index, "/static/{path:path}": self._static, **shows}

    def _show(self, name: str) -> Handler:
        async def page(request: Request) -> Response:
            show = cast("str", request.path_params["show"])
            snapshot = await reader.snapshot(self._services.store, show) if is_show_id(show) else None
            if snapshot is None:
                return self._missing(request)
            public = msgspec.structs.replace(
                snapshot.for_public(), viewers=self._services.hub.viewers(snapshot.id)
            )
            return self._render(request, f"{name}.html", public.title, public, products_html(public))

        return page

    async def _index(self, request: Request) -> Response:
        shows = await self._services.shows.directory()
        links = "".join(
            f'<li><a href="/watch/{html.escape(show.id)}">{html.escape(show.title)}</a> '
            f"<span>{html.escape(show.state)}</span></li>"
            for show in shows
        )
        return self._render(request, "index.html", SITE, {"shows": shows}, f"<ul>{links}</ul>")

    async def _static(self, request: Request) -> Response:
        name = cast("str", request.path_params["path"])
        asset = None if Path(name).suffix in NOT_STATIC else self._assets.get(name)
        if asset is None:
            raise Problem("not_found")
        headers = {"ETag": asset.etag, "Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.body, media_type=asset.media_type, headers=headers)

    def _missing(self, request: Request) -> Response:
        asset = self._assets.get("missing.html")
        if asset is None:
            return PlainTextResponse("There is no such show.", 404, page_headers(self._services, request))
        return self._fill(request, asset, {"title": SITE}, 404)

    def _render(self, request: Request, name: str, title: str, data: Any, products: str) -> Response:
        asset = self._assets.get(name)
        if asset is None:
            raise Problem("not_found", f"{name} is not installed")
        settings = self._services.settings
        config = {"test_mode": settings.payments.test_mode, "allow_guests": settings.auth.allow_guests}
        markers = {
            "title": html.escape(title),
            "description": html.escape(f"{title} – live now"),
            "snapshot": json_script("snapshot", data),
            "config": json_script("config", config),
            "products": products,
        }
        return self._fill(request, asset, markers, 200)

    def _fill(self, request: Request, asset: Asset, markers: dict[str, str], status: int) -> Response:
        bar = TEST_BAR if self._services.settings.payments.test_mode else ""

        def fill(match: re.Match[str]) -> str:
            return bar if match[1] == "testbar" else markers.get(match[1], "")

        body = re.sub(r"<!--vendue:(\w+)-->", fill, asset.body.decode())
        return Response(body, status, page_headers(self._services, request), "text/html")


def json_script(name: str, data: Any) -> str:
    """Return ``data`` as a JSON data block that no content can break out of (HTML standard, script data)."""
    text = msgspec.json.encode(data).decode()
    for character, escape in _ESCAPES.items():
        text = text.replace(character, escape)
    return f'<script type="application/json" id="{name}">{text}</script>'


def products_html(show: ShowSnapshot) -> str:
    """Return the products with their prices as a plain list."""
    lines = "".join(
        f'<li data-sku="{html.escape(product.sku)}">{html.escape(product.title)} '
        f"<b>{html.escape(price_text(product.price_minor, show.currency))}</b></li>"
        for product in show.products
    )
    return f"<ul>{lines}</ul>"


def price_text(price_minor: int, currency: str) -> str:
    """Return a price as plain text, ``36.00 USD``; a page's script shows it in the reader's own manner."""
    decimals = DECIMALS.get(currency, 2)
    whole, part = divmod(price_minor, 10**decimals)
    return f"{whole}.{part:0{decimals}d} {currency}" if decimals else f"{whole} {currency}"


def page_headers(services: Services, request: Request) -> dict[str, str]:
    """Return the security headers of a page: nothing inline, nothing from elsewhere but product pictures."""
    host = request.headers.get("host", "")
    sockets = f" ws://{host} wss://{host}" if _HOST.fullmatch(host) else ""  # Safari: 'self' is not for ws
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: https:; "
        f"media-src 'self' blob:; connect-src 'self'{sockets}; font-src 'self'; manifest-src 'self'; "
        "base-uri 'none'; frame-ancestors 'self'; form-action 'self'"
    )
    headers = {
        "Cache-Control": "no-cache",
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self)",
    }
    if services.settings.http.public_url.startswith("https://"):
        headers["Strict-Transport-Security"] = "max-age=31536000"
    return headers


def _load(path: Path, mtime_ns: int) -> Asset:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if path.suffix == ".js":  # some systems' tables say otherwise, and modules need exactly this
        kind = "text/javascript"
    return Asset(body, kind, f'"{hashlib.blake2s(body, digest_size=12).hexdigest()}"', mtime_ns)
