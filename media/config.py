"""Settings of one media worker, made by whoever starts it: media reads no file and no environment."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class IceServer:
    """A STUN or TURN server told to clients in a Link header (RFC 9725 §4.6)."""

    url: str
    username: str = ""
    credential: str = ""
    secret: str = ""
    """Shared with the TURN server: every client gets credentials of its own, for `lifetime_s`."""
    lifetime_s: int = 86400


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """One media worker. It listens for signalling on `socket_path`, or on TCP when that is empty."""

    index: int = 0
    """Number of the worker; the first part of every resource name."""
    socket_path: str = ""
    http_host: str = "127.0.0.1"
    http_port: int = 0
    """0: any free port (`GET /health` tells the UDP one)."""
    udp_host: str = "0.0.0.0"
    udp_port: int = 0
    public_ips: tuple[str, ...] = ()
    """Addresses in the answers' candidates; empty: the bound one, or the one that packets leave by."""
    tcp_port: int | None = None
    """Port for ICE-TCP, 0 for any free one; None: UDP alone."""
    ice_servers: tuple[IceServer, ...] = ()
    max_publishers: int = 50
    """More get 503, as do viewers beyond `max_subscribers`: one core carries a few hundred viewers."""
    max_subscribers: int = 5000
    max_views_per_pid: int = 10
    """One more ends that pid's oldest view: a page that comes again has left one behind."""
    max_views_per_client: int = 500
    """More of one `Vendue-Client`, whoever their pids are, get 503."""
    socket_buffer_bytes: int = 8 * 1024 * 1024
    """Asked of the system for each direction; 300 viewers' keyframe is about 10 MB, so big helps."""
