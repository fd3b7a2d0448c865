"""Logs and counters that every part of a process shares.

Logs are one JSON object a line on standard error. No address and no token may ever stand in one: the
formatter scrubs whatever looks like either, also in what libraries log. Counters are Prometheus metrics named
`vendue_*`. There is no log line per packet or per viewer; what may flood goes through FloodLog, and counters
stay exact.
"""

import asyncio
import logging
import re
import sys
from collections import Counter as TallyCounts
from collections.abc import Coroutine, Iterable, MutableMapping, Sequence
from types import TracebackType
from typing import Any, Final, TypeVar

import structlog
from prometheus_client import REGISTRY, Counter, Gauge, Histogram, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector
from structlog.typing import FilteringBoundLogger

ADDRESS: Final = re.compile(
    r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\.?\d)"  # IPv4, but not a longer dotted version number
    r"|(?<![\w:])(?:[0-9a-fA-F]{0,4}:){2,7}[0-9a-fA-F]{0,4}(?![\w:])"  # IPv6, also ::1
)
TOKEN: Final = re.compile(r"eyJ[\w-]{5,}\.[\w-]+\.[\w-]*")  # a JWT: base64url of '{"' begins with eyJ
T = TypeVar("T")
QUIET: Final = ("aioice", "aiortc", "asyncio", "uvicorn", "websockets")  # chatty at info, some a line a peer


def configure(role: str, level: str = "info", index: int = 0) -> None:
    """Send structlog and standard logging of this process to standard error as JSON lines, scrubbed."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared[:2], *shared[3:], structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    process: dict[str, Any] = {"role": role, "worker": index}

    def name_process(_log: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**process, **event}

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _ScrubbingFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                name_process,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    sys.excepthook = _log_crash
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _log_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What ends a process is a log line like any other, scrubbed like any other."""
    if issubclass(kind, Exception):
        get_logger(__name__).error("crashed", exc_info=(kind, error, trace))
    else:
        sys.__excepthook__(kind, error, trace)


def scrub(text: str) -> str:
    """`text` with everything that looks like a token or an IP address replaced."""
    return ADDRESS.sub("<address>", TOKEN.sub("<token>", text))


class _ScrubbingFormatter(structlog.stdlib.ProcessorFormatter):
    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))


def get_logger(name: str) -> FilteringBoundLogger:
    """A structured logger: `log.info("event_name", key=value)`."""
    return structlog.get_logger(name)


class FloodLog:
    """Writes an event at most once a period; the next line says how many were left out, as `suppressed`.

    Events are told apart by their name alone, so their number is bounded by the program's text.
    """

    def __init__(self, log: FilteringBoundLogger, period_s: float = 1.0) -> None:
        self._log = log
        self._period_s = period_s
        self._last: dict[str, float] = {}
        self._left_out: dict[str, int] = {}

    def warning(self, event: str, now: float, **fields: object) -> None:
        """Log `event` unless it was logged less than a period before `now` (monotonic seconds)."""
        if now - self._last.get(event, -self._period_s) < self._period_s:
            self._left_out[event] = self._left_out.get(event, 0) + 1
            return
        self._last[event] = now
        self._log.warning(event, **fields, suppressed=self._left_out.pop(event, 0))


def counter(name: str, documentation: str, labels: Sequence[str] = ()) -> Counter:
    """A counter `vendue_<name>_total`."""
    return Counter(f"vendue_{name}", documentation, labels)


class _Tally(Collector):
    """Tells a metrics reader what was counted in a plain dictionary."""

    def __init__(self, name: str, documentation: str, label: str) -> None:
        self.counts: TallyCounts[str] = TallyCounts()
        self._named = (f"vendue_{name}", documentation, (label,))

    def collect(self) -> Iterable[Metric]:
        name, documentation, labels = self._named
        told = CounterMetricFamily(name, documentation, labels=labels)
        for value, count in self.counts.items():
            told.add_metric((value,), count)
        yield told


def tally(name: str, documentation: str, label: str) -> "TallyCounts[str]":
    """A counter `vendue_<name>_total` of one label, which is counted up by its value: for what happens with
    every purchase, of which a `counter` would be a hundredth.
    """
    made = _Tally(name, documentation, label)
    REGISTRY.register(made)
    return made.counts


def gauge(name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
    """A gauge `vendue_<name>`."""
    return Gauge(f"vendue_{name}", documentation, labels)


def histogram(
    name: str, documentation: str, buckets: Sequence[float], labels: Sequence[str] = ()
) -> Histogram:
    """A histogram `vendue_<name>` with the given upper bounds."""
    return Histogram(f"vendue_{name}", documentation, labels, buckets=buckets)


RESTARTS: Final = gauge("worker_restarts", "How often the supervisor has started this worker again")
TASK_FAILURES: Final = counter("task_failures", "Tasks that ended by an exception nobody expected", ["task"])


def start_task(coroutine: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T | None]:
    """Run `coroutine` as a task root: an exception is logged and counted and ends that task alone.

    The caller owns the returned task: it keeps it, and cancels and awaits it at the end.
    """
    task = asyncio.get_running_loop().create_task(_root(coroutine, name), name=name)
    task.add_done_callback(lambda _: coroutine.close())  # cancelled before its first step, it never began
    return task


async def end_tasks(*tasks: "asyncio.Task[Any] | None") -> None:
    """Cancel `tasks` and return when they have ended; a cancellation of the caller is not swallowed."""
    running = [task for task in tasks if task is not None]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)


async def _root(coroutine: Coroutine[Any, Any, T], name: str) -> T | None:
    try:
        return await coroutine
    except Exception:  # noqa: BLE001 - a task root
        TASK_FAILURES.labels(task=name).inc()
        get_logger(__name__).exception("task_failed", task=name)
        return None
