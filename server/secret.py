"""The key that signs tokens, order ids and tickets: configured, or made once in the data directory."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

from server.settings import Settings, SettingsError
from server.settings_sections import SECRET_MIN_BYTES

FILE_NAME: Final = "auth.secret"


def with_secret(settings: Settings) -> Settings:
    """`settings` with `auth.secret` filled in: as configured, else from `data_dir` (made there when absent).

    The file is readable by its owner alone. Raises SettingsError when it is damaged or cannot be made.
    """
    if settings.auth.secret:
        return settings
    path = settings.data_dir / FILE_NAME
    try:
        secret = read_or_make(path, lambda: secrets.token_urlsafe(48) + "\n").strip()
    except OSError as error:
        raise SettingsError([f"data_dir: {path}: {error.strerror}"]) from None
    if len(secret.encode()) < SECRET_MIN_BYTES:
        raise SettingsError([f"auth.secret: {path} holds less than {SECRET_MIN_BYTES} bytes"])
    return settings.model_copy(update={"auth": settings.auth.model_copy(update={"secret": secret})})


def read_or_make(path: Path, make: Callable[[], str]) -> str:
    """What `path` holds; when it is absent, what `make` gives, written there for its owner alone.

    Of two processes that start at once one wins, and both read the same. Raises OSError.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written whole under another name, then linked: none reads half a key. mkstemp makes the file 0600.
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".secret-")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(make())
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
        finally:
            Path(draft).unlink()
    return path.read_text(encoding="ascii", errors="replace")
