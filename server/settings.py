"""Settings: one TOML file, then the environment, checked completely before anything starts.

`config/vendue.toml` is the manual: every key with its unit, default and reason. An environment variable
`VENDUE_SECTION__KEY` (or `VENDUE_KEY` for a key without a section) overrides the file. An unknown key in
either stops the start and is named, because a typo in `hold.secnds` must not quietly sell with the default.

Reading makes nothing: `server.secret` makes the signing key.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
)
from pydantic_core import ErrorDetails

from server.settings_sections import (
    UNIX_PATH_MAX_BYTES,
    Archive,
    Auth,
    Hold,
    Http,
    Ice,
    Limits,
    Log,
    Payments,
    Redis,
    Seal,
    Section,
    Udp,
    Webhooks,
    Workers,
)
from server.settings_source import SettingsError, drop_unknown, merge, read_environment, read_toml


class Process(BaseModel):
    """What a worker learns from the process that started it; never read from a file or the environment."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    index: int = 0  # of the worker among those of its role
    parent_pid: int | None = None  # whose death ends this process
    listen_fd: int | None = None  # the shared listening TCP socket; None: bind http.host and http.port
    restarts: int = 0  # how often this worker has been restarted, for /metrics


class Settings(Section):
    """All settings of one installation, complete and checked."""

    data_dir: Path = Path("data")
    run_dir: Path | None = None
    http: Http = Http()
    udp: Udp = Udp()
    redis: Redis = Redis()
    auth: Auth = Auth()
    workers: Workers = Workers()
    ice: Ice = Ice()
    hold: Hold = Hold()
    payments: Payments = Payments()
    webhooks: Webhooks = Webhooks()
    limits: Limits = Limits()
    seal: Seal = Seal()
    archive: Archive = Archive()
    log: Log = Log()
    process: Process = Process()

    @property
    def sockets_dir(self) -> Path:
        """Where media workers put their unix sockets (`media-<i>.sock`) and web workers look for them."""
        return self.run_dir or self.data_dir / "run"

    @property
    def archive_dir(self) -> Path | None:
        """Where archived segments are; None: nothing is archived."""
        if not self.archive.enabled:
            return None
        return self.archive.dir or (None if self.redis.url else self.data_dir / "archive")

    def media_socket(self, index: int) -> Path:
        """The unix socket of media worker `index`."""
        return self.sockets_dir / f"media-{index}.sock"


def load(
    config: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
    *,
    defaults: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
    serving: bool = False,
) -> Settings:
    """Read `defaults`, `config` (TOML), the environment, `overrides` (nested like the file); later ones win.

    `serving` also checks what only a process that sells needs. Raises SettingsError naming each wrong key.
    """
    keys = known_keys()
    from_environment, problems = read_environment(environ, keys)
    merged: dict[str, Any] = {}
    for source in (defaults, read_toml(config) if config else None, from_environment, overrides):
        merge(merged, source or {})
    problems += drop_unknown(merged, keys)
    try:
        settings = Settings.model_validate(merged)
    except ValidationError as error:
        raise SettingsError(problems + [_line(detail) for detail in error.errors()]) from None
    problems += _cross_problems(settings, serving=serving)
    if problems:
        raise SettingsError(problems)
    return settings


def known_keys() -> list[str]:
    """Every settable key by its dotted name, in the order of the classes above."""
    keys: list[str] = []
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section):
            keys += [f"{name}.{inner}" for inner in field.annotation.model_fields]
        elif field.annotation is not Process:
            keys.append(name)
    return keys


def _cross_problems(settings: Settings, *, serving: bool) -> list[str]:
    """What is wrong between keys that are each right."""
    problems: list[str] = []
    if settings.redis.url and not settings.auth.secret:
        problems.append("auth.secret: required when redis.url is set, or no two processes sign with one key")
    if settings.redis.wait_replicas and not settings.redis.url:
        problems.append("redis.wait_replicas: the embedded store (an empty redis.url) has no replicas")
    if serving and settings.payments.gateway == "test" and not settings.payments.test_mode:
        problems.append("payments.test_mode: must be true when payments.gateway is 'test' (no money moves)")
    if settings.payments.gateway == "stripe":
        if settings.payments.test_mode:
            problems.append("payments.test_mode: must be false when payments.gateway is 'stripe'")
        needed = {
            "payments.stripe_secret_key": settings.payments.stripe_secret_key,
            "payments.stripe_webhook_secret": settings.payments.stripe_webhook_secret,
            "http.public_url": settings.http.public_url,
        }
        problems += [
            f"{key}: required when payments.gateway is 'stripe'" for key, has in needed.items() if not has
        ]
    if settings.run_dir and len(os.fsencode(settings.media_socket(99).absolute())) > UNIX_PATH_MAX_BYTES:
        problems.append(f"run_dir: too long for the path of a unix socket ({UNIX_PATH_MAX_BYTES} bytes)")
    return problems


def _line(detail: ErrorDetails) -> str:
    name = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    return f"{name}: {message}" if name else message
