"""The STUN and TURN servers that clients are told of, with time-limited TURN credentials where wanted.

The scheme is that of the TURN REST API draft (draft-uberti-behave-turn-rest), which coturn calls
`use-auth-secret`: the user name is the time at which it ends and whom it is for, the password its HMAC-SHA1
under a secret that only the two servers know. A viewer who passes it on gives away hours, not a secret.
"""

import base64
import hmac
from collections.abc import Sequence

from media.config import IceServer


def time_limited(secret: str, lifetime_s: int, user: str, now_s: float) -> tuple[str, str]:
    """User name and password for a TURN server with this secret; `now_s` is wall-clock time."""
    name = f"{int(now_s) + lifetime_s}:{user}"
    return name, base64.b64encode(hmac.digest(secret.encode(), name.encode(), "sha1")).decode()


def link_header(servers: Sequence[IceServer], user: str, now_s: float) -> str:
    """The value of a Link header for these servers (RFC 9725 §4.6), empty without any."""
    links: list[str] = []
    for server in servers:
        name, password = server.username, server.credential
        if server.secret:
            name, password = time_limited(server.secret, server.lifetime_s, user, now_s)
        link = f'<{server.url}>; rel="ice-server"'
        if name:
            link += f'; username="{name}"; credential="{password}"; credential-type="password"'
        links.append(link)
    return ", ".join(links)
