"""FFmpeg's `whip` muxer (8.0 and newer). It offers `setup:passive` by default: we are the DTLS client."""

import datetime as dt
import sys
from pathlib import Path

import av
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from structlog.testing import capture_logs
from support import ffmpeg_publisher
from support.outside import missing, program
from support.studio import Studio
from support.web import SHOW

from media.transport.dtls import DtlsContext

pytestmark = pytest.mark.slow


def certificate(folder: Path) -> list[str]:
    """The muxer's options for a P-256 certificate and its key.

    FFmpeg built with GnuTLS makes itself one on P-224, a curve that OpenSSL 4 no longer takes in TLS.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ffmpeg")])
    now = dt.datetime.now(tz=dt.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    files = folder / "certificate.pem", folder / "key.pem"
    files[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return [f"cert_file={files[0]}", f"key_file={files[1]}"]


def _muxer() -> None:
    if "whip" not in av.formats_available:
        missing("FFmpeg's whip muxer", "a PyAV with FFmpeg 8 or newer")


@pytest.mark.parametrize("role", ["passive", "active"])
async def test_ffmpeg_publishes(studio: Studio, tmp_path: Path, role: str) -> None:
    _muxer()
    script = Path(ffmpeg_publisher.__file__)
    url = f"{studio.web.url}/whip/{SHOW}"
    viewer = await studio.watch()
    options = certificate(tmp_path) + (["whip_flags=dtls_active"] if role == "active" else [])
    async with program(sys.executable, script, url, studio.web.creator, "30", *options) as publisher:
        try:
            await viewer.sees(video=60, audio=60)
        except TimeoutError:
            raise AssertionError("\n".join(publisher.lines)) from None


@pytest.mark.parametrize("role", ["passive", "active"])
async def test_ffmpeg_with_the_certificate_that_it_makes(studio: Studio, role: str) -> None:
    """Of FFmpeg with GnuTLS (PyAV's) it is on P-224, for which the system's OpenSSL is our DTLS client.

    Our DTLS server is OpenSSL 4, which refuses it: who asks for that role is told by the log what helps.
    """
    _muxer()
    if DtlsContext().system is None:
        missing("the system's OpenSSL 3", "Debian: libssl3")
    script = Path(ffmpeg_publisher.__file__)
    url = f"{studio.web.url}/whip/{SHOW}"
    viewer = await studio.watch()
    options = ["whip_flags=dtls_active"] if role == "active" else []
    with capture_logs() as logs:
        async with program(sys.executable, script, url, studio.web.creator, "30", *options) as publisher:
            await viewer.until(
                lambda: publisher.process.returncode is not None or viewer.frames["video"] > 30
            )
    if role == "active" and viewer.frames["video"] <= 30:
        assert any("cert_file" in line.get("why", "") for line in logs), publisher.lines
        pytest.xfail("a P-224 certificate of a DTLS client; with cert_file and key_file it publishes")
    assert viewer.frames["video"] > 30, publisher.lines
