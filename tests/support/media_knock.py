"""Knocking at a media worker by hand: STUN checks and DTLS handshakes without a whole peer."""

import asyncio
import secrets
import socket

import httpx
from support import offers
from support.media import SDP

from media.transport import ice
from media.transport.dtls import DtlsContext, DtlsEndpoint, Fingerprint, Role, State


def binding(ufrag: str, pwd: str, *attributes: tuple[int, bytes]) -> bytes:
    """A connectivity check by somebody who knows (or guesses) the worker's credentials."""
    username = (ice.USERNAME, f"{ufrag}:stranger".encode())
    return ice.build(ice.BINDING_REQUEST, secrets.token_bytes(12), [username, *attributes], pwd.encode())


def credentials(response: httpx.Response) -> tuple[str, str]:
    """The worker's ICE credentials in an answer."""
    lines = dict(line[2:].split(":", 1) for line in response.text.splitlines() if ":" in line)
    return lines["ice-ufrag"], lines["ice-pwd"]


class Knocker:
    """One subject that subscribes and shakes hands as often as it is let."""

    def __init__(self, http: httpx.AsyncClient, udp_port: int, pid: str) -> None:
        self._http = http
        self._address = ("127.0.0.1", udp_port)
        self._pid = pid
        self._context = DtlsContext()

    async def handshake(self) -> httpx.Response:
        """Subscribe and finish the handshake, then be silent. The answer to the offer."""
        fingerprint = f"sha-256 {self._context.fingerprint.value}"
        offer = offers.chrome("recvonly", "active").replace(offers.FINGERPRINT, fingerprint)
        headers = {**SDP, "vendue-pid": self._pid}
        response = await self._http.post("/whep/demo", content=offer, headers=headers)
        assert response.status_code == 201, response.text
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            sock.connect(self._address)
            async with asyncio.timeout(5):
                await self._finish(sock, response)
        return response

    async def _finish(self, sock: socket.socket, response: httpx.Response) -> None:
        loop = asyncio.get_running_loop()
        algorithm, value = response.text.partition("a=fingerprint:")[2].split(maxsplit=2)[:2]
        endpoint = DtlsEndpoint(self._context, Role.ACTIVE, [Fingerprint(algorithm, value)])
        sock.send(binding(*credentials(response), (ice.USE_CANDIDATE, b"")))
        await loop.sock_recv(sock, 2048)
        for datagram in endpoint.start():
            sock.send(datagram)
        while endpoint.state is State.CONNECTING:
            for datagram in endpoint.receive(await loop.sock_recv(sock, 2048)):
                sock.send(datagram)
        assert endpoint.state is State.CONNECTED, endpoint.failure
