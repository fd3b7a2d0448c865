"""The script loader: generated role table + prelude + body, run by content hash.

A script is a file `server/*/lua/<name>.lua`; names are unique. A file whose name begins with `_` is no script
but a library: it stands between the prelude and every body of its directory, or only those that its first
line, `-- for: …`, names (a script pays for every function that stands before it). A body with a line
`-- durable` makes promises: its answer waits for the replicas (durable.py). One with `-- gives way: …` is not
run when too much waits for the store. Every connection sees that all are there; NOSCRIPT (somebody flushed
the cache, a failover) loads that one and asks again, which is safe because nothing ran.
"""

import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

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
_GIVES_WAY = re.compile(r"-- gives way: (\w+)")
GIVES_WAY_AT: Final = {"chat": MAX_PENDING // 4, "join": MAX_PENDING // 2, "price": MAX_PENDING * 3 // 4}
"""When so many commands wait for the store, about a quarter of a second of it each, these are refused unsent;
purchases only when MAX_PENDING do. What stops a sale, or moderates one, never gives way to purchases.
"""

SHED = counter("store_shed", "Scripts that were not run because too much waited for the store", ["kind"])


class ScriptError(ValueError):
    """A script file is wrong: two of one name, or an action that the role table does not have."""


class Script(msgspec.Struct, frozen=True):
    """One whole script and the hash by which the server knows it."""

    name: str
    source: bytes
    sha: str
    durable: bool = False
    gives_way: str = ""


def compose(name: str, body: str, prelude: str, table: RoleTable) -> Script:
    """Prelude and body under a header: the script's name, and the roles of the actions it asks about."""
    named = [name for line in _ASKED_BY_NAME.findall(body) for name in line.replace(",", " ").split()]
    asked = sorted({*_ASKED.findall(body), *named})
    unknown = [action for action in asked if action not in table]
    if unknown:
        raise ScriptError(f"{name}.lua asks about unknown actions: {', '.join(unknown)}")
    rows = [
        f"['{action}'] = {{" + ", ".join(f"['{role}'] = true" for role in sorted(table[action])) + "}"
        for action in asked
    ]
    header = f"local SCRIPT = '{name}'\nlocal ACTIONS = {{{', '.join(rows)}}}\n"
    source = f"{header}{prelude}\n{body}".encode()
    sha = hashlib.sha1(source, usedforsecurity=False).hexdigest()
    way = _GIVES_WAY.search(body)
    if way and way[1] not in GIVES_WAY_AT:
        raise ScriptError(f"{name}.lua gives way as {way[1]}, which is none of {', '.join(GIVES_WAY_AT)}")
    return Script(name, source, sha, _DURABLE.search(body) is not None, way[1] if way else "")


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
            scripts[name] = compose(name, "\n".join([*shared, path.read_text()]), prelude, table)
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
        keys = _keys(show_id)
        command = encode(("EVALSHA", script.sha, 2, *keys, actor, role, press, idempotency_key, *args))
        wire = (self._durable if script.durable else self._wire).of(show_id)
        try:
            reply = await wire.send(command)
        except StoreReplyError as error:
            if error.code != "NOSCRIPT":
                raise
            await wire.call("SCRIPT", "LOAD", script.source)
            reply = await wire.send(command)
        return _outcome(name, reply)


def _keys(show_id: str) -> tuple[str, str]:
    """KEYS of every script."""
    return f"ls:{{{show_id}}}:show", f"ls:{{{show_id}}}:feed"


async def load_all(wire: Wire, scripts: Mapping[str, Script]) -> None:
    """`on_connect` of a connection that runs scripts: the store gets those that it does not have."""
    known = await wire.call_now("SCRIPT", "EXISTS", *(script.sha for script in scripts.values()))
    assert isinstance(known, list)  # noqa: S101 - a list of 0 and 1
    for script, is_known in zip(scripts.values(), known, strict=True):
        if not is_known:
            await wire.call_now("SCRIPT", "LOAD", script.source)


def _outcome(name: str, reply: Reply) -> "list[Reply] | Refused":
    if not isinstance(reply, list) or not reply:
        raise StoreReplyError(f"ERR the script {name} answered {reply!r}")
    if reply[0] == b"refused":
        code, detail = reply[1], reply[2]
        assert isinstance(code, bytes)  # noqa: S101 - the prelude's own shape
        assert isinstance(detail, bytes)  # noqa: S101
        return Refused(code.decode(), msgspec.json.decode(detail, type=dict[str, object]))
    return reply
