"""The `vendue` command: reads arguments and settings, runs one part, turns the outcome into an exit code.

Exit codes: 0 stopped or done, 1 failed, 2 wrong usage or settings. What a command prints for programs goes to
standard output; everything else goes to standard error. Parts are imported when their command runs, so that
`vendue token` does not wait for the video stack.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

from server import telemetry
from server.live.roles import GRANTABLE
from server.secret import with_secret
from server.settings import Settings, SettingsError, load

STOPPED: Final = 0
FAILED: Final = 1
WRONG: Final = 2
OTHER_FILES: Final = 200  # that a web worker has open beside its viewers' sockets


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments` (default: this process's own) and return the exit code."""
    args = _parser().parse_args(arguments)
    try:
        return args.run(args)
    except SettingsError as error:
        for problem in error.problems:
            _complain(problem)
        return WRONG
    except KeyboardInterrupt:
        return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vendue", description="Live shopping streaming server.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(run=run)
        return added

    demo = command("demo", _demo, "Everything on loopback, with a live demo show and a synthetic creator.")
    demo.add_argument("--port", type=_port, help="TCP port of the pages (default 8080; 0: any free one)")
    demo.add_argument("--data-dir", type=Path, help="keep the store here (default: a temporary directory)")

    serve = command("serve", _serve, "The supervisor: embedded store, media workers, web workers.")
    _config(serve)
    for role, run in (("web", _web), ("media", _media)):
        alone = command(
            role, run, f"One {role} worker alone, for installations that supervise by themselves."
        )
        _config(alone)
        alone.add_argument("--index", type=int, default=0, help="of this worker among those of its role")
        alone.add_argument("--from-parent", action="store_true", help=argparse.SUPPRESS)

    token = command("token", _token, "Print a bearer token.")
    token.add_argument("--role", required=True, choices=sorted(role.value for role in GRANTABLE))
    token.add_argument("--subject", required=True, metavar="ID", help="who the token stands for")
    token.add_argument("--show", metavar="ID", help="the only show that it is for (default: all)")
    token.add_argument("--ttl-s", type=int, default=600, metavar="N", help="seconds until it expires")
    _config(token, data_dir=True)

    check = command("check-config", _check_config, "Name every wrong key of a settings file.")
    check.add_argument("file", type=Path, metavar="FILE")

    export = command("export", _export, "Print a show's log as NDJSON.")
    export.add_argument("show", metavar="SHOW")
    _config(export, data_dir=True)

    archive = command("archive", _archive, "Let sealed entries leave the store for files that verify.")
    archive.add_argument("shows", nargs="*", metavar="SHOW", help="now (default: what is due of all shows)")
    archive.add_argument("--from-parent", action="store_true", help=argparse.SUPPRESS)
    _config(archive, data_dir=True)

    verify = command("verify", _verify, "Check an exported log: its seals, and the rules of docs/verify.md.")
    verify.add_argument("file", metavar="FILE", help="what `vendue export` printed (-: standard input)")
    verify.add_argument("--key", metavar="K", help="the public key: a PEM file, or its 32 bytes in base64")
    return parser


def _config(parser: argparse.ArgumentParser, *, data_dir: bool = False) -> None:
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML); the environment wins")
    if data_dir:
        parser.add_argument("--data-dir", type=Path, metavar="DIR", help="of the server that is meant")


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError("a port is 0-65535")
    return number


def _demo(args: argparse.Namespace) -> int:
    from server.demo import run_demo  # noqa: PLC0415 - see the module's docstring

    return _supervise(lambda: run_demo(args.port, args.data_dir))


def _serve(args: argparse.Namespace) -> int:
    from server.supervisor import run  # noqa: PLC0415

    settings = load(args.config, serving=True)
    telemetry.configure("supervisor", settings.log.level)
    return _supervise(lambda: run(settings))


def _supervise(make: Callable[[], Coroutine[Any, Any, int]]) -> int:
    from server.supervisor import StartError  # noqa: PLC0415

    try:
        return asyncio.run(make())
    except StartError as error:
        _complain(str(error))
        return FAILED


def _web(args: argparse.Namespace) -> int:
    settings = _worker_settings("web", args)
    if not settings.redis.url:
        raise SettingsError(["redis.url: a web worker alone needs one; `vendue serve` brings a store along"])
    import uvloop  # noqa: PLC0415

    from server.web import run_web  # noqa: PLC0415

    uvloop.run(run_web(settings))
    return STOPPED


def _media(args: argparse.Namespace) -> int:
    settings = _worker_settings("media", args)
    from server.media_process import run_media_worker  # noqa: PLC0415

    asyncio.run(run_media_worker(settings))
    return STOPPED


def _worker_settings(role: str, args: argparse.Namespace) -> Settings:
    from server.children import raise_open_files, receive_settings  # noqa: PLC0415

    if args.from_parent:
        settings = receive_settings()
    else:
        settings = with_secret(load(args.config, serving=role == "web"))
        process = settings.process.model_copy(update={"index": args.index})
        settings = settings.model_copy(update={"process": process})
        settings.sockets_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    telemetry.configure(role, settings.log.level, settings.process.index)
    telemetry.RESTARTS.set(settings.process.restarts)
    open_files = raise_open_files()
    if role == "web" and open_files < settings.limits.sockets + OTHER_FILES:
        log = telemetry.get_logger(__name__)
        log.info("too_few_open_files", allowed=open_files, limits_sockets=settings.limits.sockets)
    return settings


def _token(args: argparse.Namespace) -> int:
    from server import tokens  # noqa: PLC0415

    settings = with_secret(load(args.config, _data_dir(args)))
    try:
        token = tokens.issue(
            settings.auth.secret,
            subject=args.subject,
            role=args.role,
            show=args.show,
            ttl_s=args.ttl_s,
            now_ms=time.time_ns() // 1_000_000,
        )
    except ValueError as error:
        _complain(str(error))
        return WRONG
    print(token)
    return STOPPED


def _check_config(args: argparse.Namespace) -> int:
    try:
        load(args.file, serving=True)
    except SettingsError as error:
        for problem in error.problems:
            _complain(problem)
        return FAILED
    print(f"{args.file}: every key is right")
    return STOPPED


def _export(args: argparse.Namespace) -> int:
    from server.export import export_show  # noqa: PLC0415
    from server.log.archive import ArchiveError  # noqa: PLC0415
    from server.store.outcome import StoreError  # noqa: PLC0415

    settings = load(args.config, _data_dir(args))
    try:
        exported = asyncio.run(export_show(settings, args.show, sys.stdout.buffer))
        if exported is None:
            _complain(f"no show {args.show}")
            return FAILED
        if exported.sealed_seq < exported.seq:
            _complain(f"entries from {exported.sealed_seq + 1} on are not sealed yet")
        return STOPPED
    except StoreError as error:
        _complain(f"the store does not answer: {error}")
    except ArchiveError as error:
        _complain(str(error))
    return FAILED


def _archive(args: argparse.Namespace) -> int:
    from server.archive_command import archive_shows  # noqa: PLC0415
    from server.children import receive_settings  # noqa: PLC0415
    from server.store.outcome import StoreError  # noqa: PLC0415

    settings = receive_settings() if args.from_parent else load(args.config, _data_dir(args))
    telemetry.configure("archive", settings.log.level)
    try:
        archived = asyncio.run(archive_shows(settings, args.shows))
    except StoreError as error:
        _complain(f"the store does not answer: {error}")
        return FAILED
    for show, seq in archived.items():
        print(f"{show}: archived up to entry {seq}")
    return STOPPED if set(args.shows) <= set(archived) else FAILED


def _verify(args: argparse.Namespace) -> int:
    from server.verify_command import verify_file  # noqa: PLC0415

    return verify_file(args.file, args.key)


def _data_dir(args: argparse.Namespace) -> dict[str, Any]:
    return {"data_dir": args.data_dir} if args.data_dir is not None else {}


def _complain(text: str) -> None:
    print(f"vendue: {telemetry.scrub(text)}", file=sys.stderr)
