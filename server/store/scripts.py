"""The script loader: generated role table + prelude + libraries + body, run as a function of the store.

A script is a file `server/*/lua/<name>.lua`; names are unique. A file whose name begins with `_` is no script
but a library: it stands between the prelude and every body of its directory, or only those that its first
line, `-- for: …`, names. All of it is loaded once, and each run calls the body: a script that made its
functions anew in every run spent a third of its time on that (docs/decisions/0037-functions.md).

A body with a line `-- durable` makes promises: its answer waits for the replicas (durable.py). One with
`-- reads` writes nothing. One with `-- gives way: …` is not run when too much waits for the store, and one
with `-- goes on when memory is full` is run even then: what stops, frees, moderates or books money. Every
connection sees that all are there; when one is not (somebody flushed them) it is loaded and asked again,
which is safe because nothing ran.
"""

import asyncio
import functools
import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias, cast

import msgspec

from server.store.cluster import Links
from server.store.durable import Durable
from server.store.outcome import Refused, StoreBusy, StoreReplyError
from server.store.resp import Arg, Reply, encode
from server.store.wire import MAX_PENDING, Wire
from server.telemetry import counter

RoleTable: TypeAlias = Mapping[str, frozenset[str]]
"""Action → names of the roles that may do it."""

SERVER = Path(__file__).resolve().parent.parent
PRELUDE = SERVER / "log" / "prelude.lua"
_ASKED = re.compile(r"authorise\('(\w+)'\)")
_FOR = re.compile(r"-- for: (.+)\n")
_ASKED_BY_NAME = re.compile(r"-- asks about: (.+)")
"""For a body that computes the action's name."""
_DURABLE = re.compile(r"-- durable\n")
_READS = re.compile(r"-- reads\n")
_GOES_ON = re.compile(r"-- goes on when memory is full\n")
_GIVES_WAY = re.compile(r"-- gives way: (\w+)")
GIVES_WAY_AT: Final = {"chat": MAX_PENDING // 4, "join": MAX_PENDING // 2, "price": MAX_PENDING * 3 // 4}
"""When so many commands wait for the store, about a quarter of a second of it each, these are refused unsent;
purchases only when MAX_PENDING do. What stops a sale, or moderates one, never gives way to purchases.
"""

LIBRARIES_MAX: Final = 300
"""Of other versions of this server, some four of them; each is 40 KB of the store's memory."""
TAKES_NO_WRITES: Final = frozenset({"MISCONF", "NOREPLICAS", "OOM"})
"""Codes by which a store refuses what may write: its disk or memory is full, its replicas are away."""
_NOT_LOADED: Final = "Function not found"
_NO_WRITES: Final = "Write commands are not allowed"
_ANOTHER_DID: Final = re.compile("Library '.*' already exists|Library not found")
_OUR_NAME: Final = re.compile(r"_[0-9a-f]{16}$")

SHED = counter("store_shed", "Scripts that were not run because too much waited for the store", ["kind"])


class ScriptError(ValueError):
    """A script file is wrong: two of one name, or an action that the role table does not have."""


@dataclass(frozen=True)
class Script:
    """One script: its whole `text`, and what it promises.

    `reads`: it writes nothing; `goes_on`: it runs although the store's memory is full.
    """

    name: str
    text: str
    durable: bool = False
    gives_way: str = ""
    reads: bool = False
    goes_on: bool = False

    @functools.cached_property
    def function(self) -> str:
        """Its name in the store, of which its content is a part: versions live side by side."""
        return f"{self.name}_{hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()[:16]}"

    @property
    def reading(self) -> str:
        """The name of it as a function that may not write."""
        return self.function if self.reads else f"{self.function}_reading"

    @functools.cached_property
    def library(self) -> bytes:
        """What the store loads: a library of this function, and of it as one that may not write."""
        run = "local function run(keys, args) KEYS, ARGV = keys, args return begin() or body() end"
        register = "redis.register_function{function_name = '%s', callback = run, flags = {%s}}"
        reading = register % (self.reading, "'no-writes'")
        ways = (
            [reading]
            if self.reads
            else [register % (self.function, "'allow-oom'" if self.goes_on else ""), reading]
        )
        return "\n".join([f"#!lua name={self.function}", self.text, run, *ways]).encode()


def compose(name: str, body: str, before: str, table: RoleTable) -> Script:
    """A body, and what stands before it: the prelude and libraries; under the roles that they ask about."""
    code = f"{before}\n{body}"
    named = [name for line in _ASKED_BY_NAME.findall(code) for name in line.replace(",", " ").split()]
    asked = sorted({*_ASKED.findall(code), *named})
    unknown = [action for action in asked if action not in table]
    if unknown:
        raise ScriptError(f"{name}.lua asks about unknown actions: {', '.join(unknown)}")
    rows = [
        f"['{action}'] = {{" + ", ".join(f"['{role}'] = true" for role in sorted(table[action])) + "}"
        for action in asked
    ]
    way = _GIVES_WAY.search(body)
    if way and way[1] not in GIVES_WAY_AT:
        raise ScriptError(f"{name}.lua gives way as {way[1]}, which is none of {', '.join(GIVES_WAY_AT)}")
    header = f"local SCRIPT = '{name}'\nlocal ACTIONS = {{{', '.join(rows)}}}\nlocal KEYS, ARGV\n"
    text = f"{header}{before}\nlocal function body()\n{body}\nend"
    durable, reads, goes_on = (mark.search(body) is not None for mark in (_DURABLE, _READS, _GOES_ON))
    return Script(name, text, durable, way[1] if way else "", reads, goes_on)


def load_scripts(table: RoleTable, root: Path = SERVER) -> dict[str, Script]:
    """Every script of the server by name. Raises ScriptError."""
    prelude = PRELUDE.read_text()
    scripts: dict[str, Script] = {}
    for folder in sorted(root.glob("*/lua")):
        libraries = [(text, _served(text)) for text in map(Path.read_text, sorted(folder.glob("_*.lua")))]
        for path in sorted(folder.glob("[!_]*.lua")):
            name = path.stem
            if name in scripts:
                raise ScriptError(f"two scripts are called {name}")
            shared = [text for text, served in libraries if served is None or name in served]
            scripts[name] = compose(name, path.read_text(), "\n".join([prelude, *shared]), table)
    return scripts


def _served(library: str) -> set[str] | None:
    """The scripts that a library is for; None: all of its directory."""
    named = _FOR.match(library)
    return set(named[1].split()) if named else None


class Scripts:
    """Runs scripts over one connection; the durable ones over `durable`, when there is one."""

    def __init__(
        self,
        wire: Wire | Links[Wire],
        scripts: Mapping[str, Script],
        durable: Durable | Links[Durable] | None = None,
        waiting: Callable[[], int] = lambda: 0,
    ) -> None:
        self._wire, self._scripts = wire, scripts
        self._durable = durable or wire
        self._waiting = waiting

    async def run(
        self,
        name: str,
        show_id: str,
        actor: str,
        role: str,
        *args: Arg,
        press_ms: float | None = None,
        idempotency_key: str = "",
    ) -> "list[Reply] | Refused":
        """Run one transition of one show.

        `actor` is a pid ('' none) and `role` what the actor's token grants on this show ('' none). Gives the
        script's reply (a list; the first item is the status `b"ok"`) or the refusal. Raises StoreError (see
        wire.py).
        """
        script = self._scripts[name]
        if script.gives_way and self._waiting() >= GIVES_WAY_AT[script.gives_way]:
            SHED.labels(kind=script.gives_way).inc()
            raise StoreBusy(f"{name} gives way to purchases")
        press = "" if press_ms is None else str(int(press_ms))
        wire = (self._durable if script.durable else self._wire).of(show_id)
        given = (2, *_keys(show_id), actor, role, press, idempotency_key, *args)
        command = encode(("FCALL", script.function, *given))
        try:
            reply = await wire.send(command)
        except StoreReplyError as error:
            if _NOT_LOADED in str(error):
                await _load(wire.call("FUNCTION", "LOAD", script.library))
                reply = await wire.send(command)
            elif _is_full(error):
                reply = await _without_writing(wire.call("FCALL", script.reading, *given), error)
            else:
                raise
        return _outcome(name, reply)


async def _load(reply: Awaitable[Reply]) -> None:
    """Load a library, unless somebody else just has: that costs the store a tenth of compiling it again."""
    try:
        await reply
    except StoreReplyError as error:
        if not _is_done(error):
            raise


async def _without_writing(reply: Awaitable[Reply], refusal: StoreReplyError) -> Reply:
    """What a script answers to whom it has nothing to write for: a repeat, a refusal."""
    try:
        return await reply
    except StoreReplyError as error:
        raise (refusal if _NO_WRITES in str(error) else error) from None


@functools.lru_cache(maxsize=1024)
def _keys(show_id: str) -> tuple[str, str]:
    """KEYS of every script."""
    return f"ls:{{{show_id}}}:show", f"ls:{{{show_id}}}:feed"


async def load_all(wire: Wire, scripts: Mapping[str, Script]) -> None:
    """`on_connect` of a connection that runs scripts: the store gets those that it does not have.

    Libraries of other versions of this server stay, as their workers may still run, until there are too many.
    A store that takes no writes now gets what it lacks when it is asked for.
    """
    listed = await wire.call_now("FUNCTION", "LIST")
    known = {library[1].decode() for library in cast("list[list[bytes]]", listed)}
    ours = {script.function: script for script in scripts.values()}
    others = [name for name in known - ours.keys() if _OUR_NAME.search(name)]
    calls = [wire.call_now("FUNCTION", "LOAD", ours[name].library) for name in ours.keys() - known]
    if len(others) > LIBRARIES_MAX:
        calls += [wire.call_now("FUNCTION", "DELETE", name) for name in others]
    for outcome in await asyncio.gather(*calls, return_exceptions=True):
        if isinstance(outcome, BaseException) and not (_is_done(outcome) or _is_full(outcome)):
            raise outcome


def _is_full(failure: BaseException) -> bool:
    return isinstance(failure, StoreReplyError) and failure.code in TAKES_NO_WRITES


def _is_done(failure: BaseException) -> bool:
    """Has another worker loaded, or deleted, this library in the meantime?"""
    return isinstance(failure, StoreReplyError) and _ANOTHER_DID.search(str(failure)) is not None


def _outcome(name: str, reply: Reply) -> "list[Reply] | Refused":
    if not isinstance(reply, list) or not reply:
        raise StoreReplyError(f"ERR the script {name} answered {reply!r}")
    if reply[0] == b"refused":
        code, detail = reply[1], reply[2]
        assert isinstance(code, bytes)  # noqa: S101 - the prelude's own shape
        assert isinstance(detail, bytes)  # noqa: S101
        return Refused(code.decode(), msgspec.json.decode(detail, type=dict[str, object]))
    return reply
