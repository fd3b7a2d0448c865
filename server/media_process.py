"""The media role: turns settings into the media worker's own configuration and runs it.

Media knows nothing of settings files, so this is the one place where the two meet.
"""

from media.config import IceServer, MediaConfig
from media.worker import run_media
from server.settings import Settings


def media_config(settings: Settings) -> MediaConfig:
    """What media worker `settings.process.index` has to know."""
    index = settings.process.index
    return MediaConfig(
        index=index,
        socket_path=str(settings.media_socket(index)),
        udp_host=settings.udp.host,
        udp_port=settings.udp.port + index if settings.udp.port else 0,
        public_ips=settings.udp.public_ip,
        tcp_port=settings.ice.tcp_port + index if settings.ice.tcp_port else None,
        ice_servers=tuple(
            IceServer(url, server.username, server.credential, server.secret, server.lifetime_s)
            for server in settings.ice.servers
            for url in server.urls
        ),
        max_publishers=settings.limits.publishers,
        max_subscribers=settings.limits.subscribers,
        max_views_per_pid=settings.limits.views_per_subject,
        max_views_per_client=settings.limits.views_per_address,
    )


async def run_media_worker(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    await run_media(media_config(settings))
