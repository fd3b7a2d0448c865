"""The command line: exit codes, and what is printed for other programs."""

import os
import time
from pathlib import Path

import pytest

from server import tokens
from server.cli import main

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("VENDUE_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["sing"],
        ["demo", "--port", "x"],
        ["demo", "--port", "70000"],
        ["token", "--role", "boss", "--subject", "s"],
        ["token", "--role", "viewer"],
        ["check-config"],
        ["export"],
        ["verify"],
    ],
)
def test_wrong_usage_is_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("command", ["serve", "web", "media", "token", "export"])
def test_wrong_settings_are_2_and_named(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.toml"
    file.write_text("[hold]\nsecnds = 1\n")
    more = {"token": ["--role", "viewer", "--subject", "s"], "export": ["demo"]}.get(command, [])
    assert main([command, *more, "--config", str(file)]) == 2
    printed = capsys.readouterr()
    assert (printed.out, "hold.secnds" in printed.err) == ("", True)


def test_wrong_environment_is_2_for_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VENDUE_HOLD__SECNDS", "1")
    assert main(["demo"]) == 2
    assert "VENDUE_HOLD__SECNDS" in capsys.readouterr().err


def test_a_web_worker_alone_needs_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VENDUE_PAYMENTS__TEST_MODE", "true")
    assert main(["web"]) == 2
    assert "redis.url" in capsys.readouterr().err


def test_check_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = tmp_path / "good.toml"
    good.write_text("[payments]\ntest_mode = true\n")
    assert main(["check-config", str(good)]) == 0
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("prot = 1\n[http]\nport = -1\n")
    assert main(["check-config", str(wrong)]) == 1
    assert main(["check-config", str(tmp_path / "none.toml")]) == 1
    complaints = capsys.readouterr().err
    assert all(name in complaints for name in ("prot:", "http.port:", "none.toml"))


def test_token_prints_a_token_and_nothing_else(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["token", "--role", "creator", "--subject", "ann", "--show", "s1", "--data-dir", str(tmp_path)]
    assert main(words) == 0
    printed = capsys.readouterr()
    secret = (tmp_path / "auth.secret").read_text().strip()
    now_ms = time.time_ns() // 1_000_000
    claims = tokens.read(secret, printed.out.removesuffix("\n"), now_ms)
    assert isinstance(claims, tokens.Claims)
    assert (claims.subject, claims.role, claims.show, printed.err) == ("ann", "creator", "s1", "")
    assert 590 < claims.exp - now_ms / 1000 <= 601


def test_token_with_the_environments_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VENDUE_AUTH__SECRET", SECRET)
    assert main(["token", "--role", "viewer", "--subject", "bob", "--ttl-s", "5"]) == 0
    claims = tokens.read(SECRET, capsys.readouterr().out.strip(), time.time_ns() // 1_000_000)
    assert isinstance(claims, tokens.Claims)
    assert claims.show is None


@pytest.mark.parametrize("more", [["--show", "no/such"], ["--ttl-s", "0"], ["--subject", ""]])
def test_token_that_the_server_would_refuse_is_not_made(
    more: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VENDUE_AUTH__SECRET", SECRET)
    assert main(["token", "--role", "viewer", "--subject", "bob", *more]) == 2
    assert capsys.readouterr().out == ""


def test_export_without_a_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "demo", "--data-dir", str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
