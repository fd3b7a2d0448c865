"""Link headers and time-limited TURN credentials."""

from media.config import IceServer
from media.ice_servers import link_header, time_limited


def test_servers_are_told_in_order_with_their_credentials() -> None:
    servers = (IceServer("stun:a"), IceServer("turn:b", "user", "word"))
    assert link_header(servers, "p_ann", 0.0) == (
        '<stun:a>; rel="ice-server", '
        '<turn:b>; rel="ice-server"; username="user"; credential="word"; credential-type="password"'
    )
    assert link_header((), "p_ann", 0.0) == ""


def test_time_limited_credentials_name_their_end_and_their_user() -> None:
    # made with: printf 1003600:p_ann | openssl dgst -sha1 -hmac north -binary | base64
    name, password = time_limited("north", 3600, "p_ann", 1_000_000.9)
    assert (name, password) == ("1003600:p_ann", "OQ0IVdS+pSkDZsu7/tMHKFKiyBM=")
    server = IceServer("turn:b", secret="north", lifetime_s=3600)
    assert f'username="{name}"; credential="{password}"' in link_header((server,), "p_ann", 1_000_000.9)
    assert "north" not in link_header((server,), "p_ann", 1_000_000.9)
