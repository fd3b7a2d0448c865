"""The Ed25519 key that signs the seals of the log: configured, or made once in the data directory."""

from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from server.secret import read_or_make
from server.settings import Settings, SettingsError

FILE_NAME: Final = "seal.key"


def seal_key(settings: Settings) -> Ed25519PrivateKey:
    """The key of `seal.key_file`, else that of `data_dir` (made there when absent). Raises SettingsError."""
    given = settings.seal.key_file
    path = given or settings.data_dir / FILE_NAME
    name = "seal.key_file" if given else "data_dir"
    try:
        pem = path.read_text(errors="replace") if given else read_or_make(path, _new_key)
    except OSError as error:
        raise SettingsError([f"{name}: {path}: {error.strerror}"]) from None
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # TypeError: it is encrypted
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError([f"{name}: {path} is not an Ed25519 private key in PEM without a password"])
    return key


def existing_seal_key(settings: Settings) -> Ed25519PrivateKey | None:
    """The same, but None where there is none yet: for who reads a server's data. Raises SettingsError."""
    path: Path = settings.seal.key_file or settings.data_dir / FILE_NAME
    return seal_key(settings) if path.exists() else None


def public_pem(key: Ed25519PublicKey) -> bytes:
    """A public key as `/.well-known/vendue-seal-key` answers it."""
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _new_key() -> str:
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
