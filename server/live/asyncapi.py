"""AsyncAPI 3 of the WebSocket."""

from typing import Any


def document() -> dict[str, Any]:
    """Return the AsyncAPI document."""
    return {"asyncapi": "3.0.0", "info": {"title": "Vendue", "version": "1"}}
