"""The sections of the settings: every key with its type and bounds. `config/vendue.toml` is their manual."""

import binascii
import json
from base64 import b64decode
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
)

REDIS_SCHEMES: Final = ("redis", "rediss", "unix", "redis+sentinel", "redis+cluster")
SECRET_MIN_BYTES: Final = 32  # HS256 wants a key at least as long as its 256-bit hash (RFC 7518 section 3.2)
UNIX_PATH_MAX_BYTES: Final = 107  # sockaddr_un.sun_path less its closing zero byte


def _split(value: object) -> object:
    """Let an environment variable give a list as `a, b` or as JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        return json.loads(value)
    return [part.strip() for part in value.split(",") if part.strip()]


Words = Annotated[tuple[str, ...], BeforeValidator(_split)]
Port = Annotated[int, Field(ge=0, le=65535)]


def absolute_url(value: str) -> str:
    """An address without a closing slash; ValueError when it is none that HTTP reaches."""
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
        raise ValueError("must be an absolute http or https URL")
    return value.rstrip("/")


def check_webhook_secret(value: str) -> bytes:
    """The key in a secret of the Standard Webhooks scheme; ValueError when it is none."""
    try:
        key = b64decode(value.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not value.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ and the base64 of 24 to 64 bytes")
    return key


class Section(BaseModel):
    """A frozen group of settings that refuses keys it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Http(Section):
    """Where pages, API, signalling and WebSockets are served."""

    host: str = "0.0.0.0"
    port: Port = 8080
    public_url: str = ""
    trusted_proxies: Words = ()
    allowed_origins: Words = ()

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ip_network(network, strict=False)  # its ValueError names what is wrong
        return value

    @field_validator("public_url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return absolute_url(value) if value else ""


class Udp(Section):
    """Where media workers send and receive; worker i uses `port + i` (0: any free port)."""

    host: str = "0.0.0.0"
    port: Port = 8080
    public_ip: Words = ()

    @field_validator("public_ip")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            try:
                address = ip_address(text)
            except ValueError:
                raise ValueError(f"{text!r} is no IP address; a name is no ICE candidate") from None
            if address.is_unspecified or address.is_multicast:
                raise ValueError(f"{text!r} is no address that a browser can send to")
        return value


class Redis(Section):
    """The store; an empty `url` means the embedded one."""

    url: str = ""
    wait_replicas: Annotated[int, Field(ge=0, le=16)] = 0

    @field_validator("url")
    @classmethod
    def _scheme(cls, value: str) -> str:
        if value and urlsplit(value).scheme not in REDIS_SCHEMES:
            raise ValueError(
                f"must begin with one of {', '.join(s + '://' for s in REDIS_SCHEMES)}, or be empty"
            )
        return value


class Auth(Section):
    """Who may sign tokens."""

    secret: str = Field(default="", repr=False)
    allow_guests: bool = True
    guest_ttl_s: Annotated[int, Field(ge=60, le=2_592_000)] = 86_400

    @field_validator("secret")
    @classmethod
    def _long_enough(cls, value: str) -> str:
        if value and len(value.encode()) < SECRET_MIN_BYTES:
            raise ValueError(f"must have at least {SECRET_MIN_BYTES} bytes")
        return value


class Workers(Section):
    """How many processes of each role `vendue serve` keeps running."""

    web: Annotated[int, Field(ge=1, le=64)] = 1
    media: Annotated[int, Field(ge=1, le=64)] = 1
    drain_s: Annotated[float, Field(ge=0, le=600)] = 5.0


class IceServer(Section):
    """A STUN or TURN server told to browsers in the `Link` header of WHIP and WHEP (RFC 9725 section 4.6)."""

    urls: Annotated[Words, Field(min_length=1)]
    username: str = ""
    credential: str = Field(default="", repr=False)
    secret: str = Field(default="", repr=False)
    lifetime_s: Annotated[int, Field(ge=60, le=604_800)] = 86_400

    @field_validator("secret")
    @classmethod
    def _alone(cls, value: str, others: ValidationInfo) -> str:
        if value and others.data.get("username"):
            raise ValueError("either a secret or a username with its credential")
        return value


IceServers = Annotated[tuple[IceServer, ...], BeforeValidator(_split)]


class Ice(Section):
    """What browsers are told about reaching the media port."""

    servers: IceServers = ()
    tcp_port: Port = 0


class Hold(Section):
    """How long stock is kept for a buyer who has not paid yet."""

    seconds: Annotated[int, Field(ge=5, le=3600)] = 120
    extension_seconds: Annotated[int, Field(ge=0, le=3600)] = 120


class Payments(Section):
    """How money is taken."""

    gateway: Literal["test", "stripe"] = "test"
    test_mode: bool = False
    stripe_secret_key: str = Field(default="", repr=False)
    stripe_webhook_secret: str = Field(default="", repr=False)
    stripe_api_base: str = "https://api.stripe.com"

    @field_validator("stripe_api_base")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return absolute_url(value)


class Endpoint(Section):
    """Where the webhooks of all shows go, or of those that it names."""

    url: str
    secret: str = Field(repr=False)
    shows: Words = ()
    kinds: Words = ()

    @field_validator("url")
    @classmethod
    def _absolute(cls, value: str) -> str:
        return absolute_url(value)

    @field_validator("secret")
    @classmethod
    def _standard(cls, value: str) -> str:
        check_webhook_secret(value)
        return value


Endpoints = Annotated[tuple[Endpoint, ...], BeforeValidator(_split)]


class Webhooks(Section):
    """Where the log is told to other servers."""

    endpoints: Endpoints = ()
    allow_private: bool = False


Rate = Annotated[float, Field(gt=0, le=1_000_000)]
Count = Annotated[int, Field(ge=1, le=10_000_000)]


class Limits(Section):
    """What one address (of IPv6 a /64), one subject and one process may use. Rates are per second, bursts are
    counts.
    """

    exempt_loopback: bool = False
    requests_per_s: Rate = 50.0
    requests_burst: Count = 200
    orders_per_s: Rate = 5.0
    orders_burst: Count = 40
    chat_per_s: Rate = 0.5
    chat_burst: Count = 5
    reactions_per_s: Rate = 20.0
    reactions_burst: Count = 40
    guests_per_s: Rate = 1.0
    guests_burst: Count = 50
    tickets_per_s: Rate = 2.0
    tickets_burst: Count = 100
    video_per_s: Rate = 2.0
    video_burst: Count = 50
    sockets: Count = 20_000
    sockets_per_address: Count = 500
    publishers: Count = 50
    subscribers: Count = 2_000
    views_per_subject: Count = 10
    views_per_address: Count = 500


def _or_none(value: object) -> object:
    return value or None


class Seal(Section):
    """The key that signs the seals of the log."""

    key_file: Annotated[Path | None, BeforeValidator(_or_none)] = None


class Archive(Section):
    """When entries leave the store for files."""

    dir: Annotated[Path | None, BeforeValidator(_or_none)] = None
    enabled: bool = True
    segment_entries: Annotated[int, Field(ge=1_000, le=1_000_000)] = 100_000
    keep_entries: Annotated[int, Field(ge=2_000, le=10_000_000)] = 20_000
    after_end_s: Annotated[int, Field(ge=0, le=2_592_000)] = 3_600


class Log(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
