"""The endpoints that webhooks go to: a show's own, kept in the store, and those of the settings.

A show's endpoint belongs to who registered it; its secret is kept encrypted with that person's key, so that
erasing the person ends it.
"""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import blake2s
from secrets import token_bytes
from typing import Annotated, Any, Final, cast

import msgspec

from server.hooks.message import SECRET_START, Hook, Kind, is_url
from server.settings import Settings
from server.store.outcome import Refused
from server.store.private_text import ERASED, PrivateText
from server.store.store import Store
from server.tokens import Principal

HOOKS_MAX: Final = 10
"""Endpoints of one show."""
SHOWS_KEY: Final = "ls:hooks"
_MEMBER: Final = "webhook_secret"

HookName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]


class HookSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of `PUT …/webhooks/{name}`.

    `kinds` are kinds of log entries (`order.paid`) or groups (`order.*`); none: all. A new endpoint begins
    with what happens from now on, or at `from_seq`.
    """

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
    kinds: Annotated[tuple[Kind, ...], msgspec.Meta(max_length=20)] = ()
    from_seq: Annotated[int, msgspec.Meta(ge=1, le=2**53 - 1)] | None = None


class DeadLetter(msgspec.Struct, frozen=True):
    """A message that was given up, or a range of them that had left the store before they could be sent."""

    seq: int
    kind: str
    error: str
    ts: int
    to_seq: int | None = None


class HookView(msgspec.Struct, frozen=True):
    """An endpoint and how it does. `secret` is told once, when it is new.

    `seq` is the newest entry that it was told of (or did not want), `head` the log's newest; `tries` the
    failures of the next message; `dead_letters` the newest hundred of a thousand that are kept.
    """

    name: str
    url: str
    kinds: tuple[str, ...]
    seq: int
    head: int
    tries: int
    retry_at_ms: int | None
    error: str
    gone: bool
    dead_letters: tuple[DeadLetter, ...]
    secret: str | None = None


class Kept(msgspec.Struct, frozen=True):
    """An endpoint as a show keeps it. `by` is the pid of who registered it."""

    url: str
    secret: str
    kinds: tuple[str, ...]
    by: str
    subject: str
    everything: bool


class Hooks:
    """See the module. All methods raise StoreError."""

    def __init__(self, store: Store, settings: Settings, texts: PrivateText) -> None:
        self._store, self._texts = store, texts
        self.allow_private = settings.webhooks.allow_private
        self._everywhere = tuple(
            (Hook(_settings_name(each.url), each.url, each.secret, each.kinds), frozenset(each.shows))
            for each in settings.webhooks.endpoints
        )

    async def put(
        self, show: str, principal: Principal, name: str, spec: HookSpec, *, everything: bool
    ) -> tuple[HookView, bool] | Refused:
        """Register or change an endpoint; true when it is new. `everything`: it is one of staff's.

        Refusals: bad_request, forbidden, too_many_webhooks.
        """
        if not is_url(spec.url, plain=self.allow_private):
            return Refused("bad_request", {"field": "url"})
        known = await self._kept(show, name)
        secret = SECRET_START + b64encode(token_bytes(32)).decode()
        sealed = await self._texts.encrypt(show, principal.pid, _MEMBER, secret)
        kept = Kept(spec.url, sealed, spec.kinds, principal.pid, principal.subject, everything)
        if known is not None:  # it stays who it was
            kept = msgspec.structs.replace(known, url=spec.url, kinds=spec.kinds)
        from_seq = "" if spec.from_seq is None else spec.from_seq
        asked = (name, msgspec.json.encode(kept), from_seq, HOOKS_MAX)
        reply = await self._store.scripts.run(
            "hook_put", show, principal.pid, principal.role_on(show), *asked
        )
        if isinstance(reply, Refused):
            return reply
        await self._store.writes.call("SADD", SHOWS_KEY, show)
        listed = await self.listed(show, principal)
        if isinstance(listed, Refused):
            return listed
        view = next(view for view in listed if view.name == name)
        is_new = reply[1] == 1
        return msgspec.structs.replace(view, secret=secret if is_new else None), is_new

    async def delete(self, show: str, principal: Principal, name: str) -> Refused | None:
        """Take an endpoint away. Refusals: forbidden, unknown_webhook."""
        role = principal.role_on(show)
        reply = await self._store.scripts.run("hook_delete", show, principal.pid, role, name)
        return reply if isinstance(reply, Refused) else None

    async def replay(self, show: str, principal: Principal, name: str, from_seq: int) -> Refused | None:
        """Send everything from `from_seq` on, again. Refusals: forbidden, unknown_webhook."""
        role = principal.role_on(show)
        reply = await self._store.scripts.run("hook_replay", show, principal.pid, role, name, from_seq)
        return reply if isinstance(reply, Refused) else None

    async def listed(self, show: str, principal: Principal) -> list[HookView] | Refused:
        """The endpoints of a show that `principal` may see. Refusal: forbidden."""
        role = principal.role_on(show)
        reply = await self._store.read_scripts.run("hook_list", show, principal.pid, role)
        if isinstance(reply, Refused):
            return reply
        _, head, *rows = cast("list[Any]", reply)
        return [_view(head, *row) for row in rows]

    async def shows(self) -> Iterable[str]:
        """The shows that may have something to send."""
        if self._everywhere:
            found = await self._store.reads.call("ZRANGE", "ls:shows", 0, -1)
        else:
            found = await self._store.reads.call("SMEMBERS", SHOWS_KEY)
        return [raw.decode() for raw in cast("Iterable[bytes]", found)]

    async def of(self, show: str) -> list[Hook]:
        """Where a show's messages go."""
        flat = cast("list[bytes]", await self._store.reads.call("HGETALL", f"ls:{{{show}}}:hooks"))
        own = [await self._read(show, flat[i].decode(), flat[i + 1]) for i in range(0, len(flat), 2)]
        everywhere = [hook for hook, shows in self._everywhere if not shows or show in shows]
        return [hook for hook in own if hook is not None] + everywhere

    async def _kept(self, show: str, name: str) -> Kept | None:
        raw = await self._store.reads.call("HGET", f"ls:{{{show}}}:hooks", name)
        return msgspec.json.decode(cast("bytes", raw), type=Kept) if raw else None

    async def _read(self, show: str, name: str, raw: bytes) -> Hook | None:
        """None when its owner was erased."""
        kept = msgspec.json.decode(raw, type=Kept)
        await self._texts.load(self._texts.missing(raw))
        secret = self._texts.tell(show, {_MEMBER: kept.secret})[_MEMBER]
        sellers = (kept.by, kept.subject)
        return (
            None if secret == ERASED else Hook(name, kept.url, secret, kept.kinds, kept.everything, sellers)
        )


def _settings_name(url: str) -> str:
    """A name that no show's own endpoint can have, the same for as long as the address stays."""
    return "settings." + blake2s(url.encode(), digest_size=8).hexdigest()


def _view(head: int, name: bytes, raw: bytes, state: list[bytes], dead: list[Any]) -> HookView:
    kept = msgspec.json.decode(raw, type=Kept)
    seq, tries, retry_at, error, gone = (value.decode() for value in state)
    return HookView(
        name=name.decode(),
        url=kept.url,
        kinds=kept.kinds,
        seq=int(seq or 0),
        head=head,
        tries=int(tries or 0),
        retry_at_ms=int(retry_at) if int(tries or 0) else None,
        error=error,
        gone=gone == "1",
        dead_letters=tuple(msgspec.json.decode(fields[1], type=DeadLetter) for _, fields in dead),
    )
