"""Text that people wrote, encrypted before it enters the log: so it can be taken back where the log cannot.

Each pid has a data key of its own (AES-256-GCM, random), kept outside the shows and wrapped with the
installation's secret. A text stands in the log as `aes1:<pid>:<nonce and ciphertext, base64url>`, bound to
its show, its pid and the member that it stands in. Destroying the pid's key erases every text about that pid
wherever it was copied to; hashes, seals and rules look at the ciphertext and hold as before.

The web worker encrypts and gives the ciphertext to the script as an argument: scripts stay deterministic, and
neither the store nor its replicas nor its append-only file ever see the text.
"""

import binascii
import hmac
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from server.store.resp import Arg
from server.store.store import Store

KEYS_KEY: Final = "ls:datakeys"
ERASED: Final = "erased"
"""What is told in place of a text whose key is gone."""
CACHED_MAX: Final = 10_000
"""Keys in memory, about 3 MB; least recently used go first."""
_START: Final = "aes1:"
_MARK: Final = b'"aes1:'
_KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12  # NIST SP 800-38D section 8.2
_PIDS: Final = re.compile(rb'"aes1:(p_[A-Za-z0-9_-]{22}):')
_WRAP_CONTEXT: Final = b"vendue data keys v1"


class PrivateText:
    """See the module. One per process. Methods that await raise StoreError."""

    def __init__(self, store: Store, secret: str) -> None:
        self._store = store
        self._wrapping = AESGCM(hmac.digest(secret.encode(), _WRAP_CONTEXT, "sha256"))
        self._known: OrderedDict[str, bytes] = OrderedDict()

    async def encrypt(self, show: str, pid: str, member: str, text: str, *, once: str = "") -> str:
        """`text` about `pid` as it may stand in member `member` of `show`'s entries; '' stays ''.

        With `once`, an idempotency key, a repeat gives the same ciphertext: its nonce is a keyed hash.
        """
        if not text:
            return ""
        key = await self._key(pid)
        nonce = secrets.token_bytes(_NONCE_BYTES)
        if once:
            said = "\0".join((show, member, once, text)).encode()
            nonce = hmac.digest(key, said, "sha256")[:_NONCE_BYTES]
        box = nonce + AESGCM(key).encrypt(nonce, text.encode(), _bound_to(show, pid, member))
        return f"{_START}{pid}:{urlsafe_b64encode(box).decode()}"

    def missing(self, raw: bytes) -> set[str]:
        """The pids whose keys one has to `load` before the texts in these bytes (JSON) can be told."""
        if _MARK not in raw:
            return set()
        return {pid for found in _PIDS.findall(raw) if (pid := found.decode()) not in self._known}

    async def load(self, pids: Iterable[str]) -> None:
        """Fetch keys; those that are gone stay unknown."""
        wanted = list(pids)
        if not wanted:
            return
        command: tuple[Arg, ...] = ("HMGET", KEYS_KEY, *wanted)
        found = cast("list[bytes | None]", await self._store.reads.call(*command))
        for pid, wrapped in zip(wanted, found, strict=True):
            if wrapped is not None:
                self._keep(pid, wrapped)

    def tell(self, show: str, body: dict[str, Any]) -> dict[str, Any]:
        """The same with every text decrypted, or ERASED where its key is gone. Call `load` before."""
        return {member: self._tell(show, member, value) for member, value in body.items()}

    async def tell_order(self, json: bytes) -> bytes:
        """`tell` for an order, which names its show; one without such a text comes back as it is."""
        if _MARK not in json:
            return json
        await self.load(self.missing(json))
        order = msgspec.json.decode(json, type=dict[str, Any])
        return msgspec.json.encode(self.tell(str(order["show"]), order))

    def forget(self, pid: str) -> None:
        """The pid's key has been destroyed: drop the copy."""
        self._known.pop(pid, None)

    def _tell(self, show: str, member: str, value: Any) -> Any:
        match value:
            case str() if value.startswith(_START):
                return self._decrypt(show, member, value)
            case dict():
                return self.tell(show, cast("dict[str, Any]", value))
            case list():
                return [self._tell(show, member, each) for each in cast("list[Any]", value)]
            case _:
                return value

    def _decrypt(self, show: str, member: str, value: str) -> str:
        pid, _, box = value.removeprefix(_START).partition(":")
        key = self._known.get(pid)
        if key is None:
            return ERASED
        try:
            raw = urlsafe_b64decode(box)
            text = AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(show, pid, member))
        except (InvalidTag, binascii.Error, ValueError):  # of a key that was destroyed, or damaged
            return ERASED
        return text.decode()

    async def _key(self, pid: str) -> bytes:
        """The pid's data key, made on first need; the same for all workers."""
        if pid not in self._known:
            nonce, key = secrets.token_bytes(_NONCE_BYTES), secrets.token_bytes(_KEY_BYTES)
            wrapped = nonce + self._wrapping.encrypt(nonce, key, pid.encode())
            await self._store.writes.call("HSETNX", KEYS_KEY, pid, wrapped)
            self._keep(pid, cast("bytes", await self._store.writes.call("HGET", KEYS_KEY, pid)))
        return self._known[pid]

    def _keep(self, pid: str, wrapped: bytes) -> None:
        nonce, key = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        self._known[pid] = self._wrapping.decrypt(nonce, key, pid.encode())
        self._known.move_to_end(pid)
        if len(self._known) > CACHED_MAX:
            self._known.popitem(last=False)


def _bound_to(show: str, pid: str, member: str) -> bytes:
    """The associated data: a text cannot be moved to another show, person or member unnoticed."""
    return "\0".join(("vendue-text-v1", show, pid, member)).encode()
