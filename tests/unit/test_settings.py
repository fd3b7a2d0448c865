"""Settings: what is refused is named, and what is not said has the documented default."""

import tomllib
from pathlib import Path
from typing import Any, cast

import pytest

from server.secret import FILE_NAME, with_secret
from server.settings import Settings, SettingsError, known_keys, load

MANUAL = Path(__file__).parents[2] / "config" / "vendue.toml"
SECRET = "0123456789abcdef0123456789abcdef"


def problems(
    text: str, tmp_path: Path, environ: dict[str, str] | None = None, *, serving: bool = False
) -> list[str]:
    file = tmp_path / "x.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as caught:
        load(file, environ=environ or {}, serving=serving)
    return caught.value.problems


def test_defaults() -> None:
    settings = load(environ={})
    assert (settings.http.port, settings.hold.seconds, settings.payments.test_mode) == (8080, 120, False)


def test_environment_wins_over_file(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("[http]\nport = 1\nhost = '::1'\n")
    settings = load(file, environ={"VENDUE_HTTP__PORT": "2", "PATH": "/bin", "VENDUE_DATA_DIR": "/d"})
    assert (settings.http.port, settings.http.host, settings.data_dir) == (2, "::1", Path("/d"))


def test_overrides_win_over_environment_and_defaults_lose(tmp_path: Path) -> None:
    environ = {"VENDUE_HTTP__PORT": "2"}
    settings = load(
        environ=environ, overrides={"http": {"port": 3}}, defaults={"http": {"port": 4, "host": "127.0.0.1"}}
    )
    assert (settings.http.port, settings.http.host) == (3, "127.0.0.1")


def test_lists_from_environment() -> None:
    settings = load(
        environ={
            "VENDUE_UDP__PUBLIC_IP": "192.0.2.1, 2001:db8::1",
            "VENDUE_HTTP__ALLOWED_ORIGINS": '["https://a.example"]',
            "VENDUE_ICE__SERVERS": '[{"urls": "stun:a.example"}]',
        }
    )
    assert settings.udp.public_ip == ("192.0.2.1", "2001:db8::1")
    assert settings.http.allowed_origins == ("https://a.example",)
    assert settings.ice.servers[0].urls == ("stun:a.example",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[hold]\nsecnds = 1", "hold.secnds: unknown setting (did you mean hold.seconds?)"),
        ("prot = 1", "prot: unknown setting"),
        ("[process]\nindex = 1", "process: unknown setting"),
        ("[http]\nport = 70000", "http.port: "),
        ("[http]\nport = 'x'", "http.port: "),
        ("http = 3", "http: "),
        ("[http]\ntrusted_proxies = ['10.0.0.0/8', 'proxy']", "http.trusted_proxies: 'proxy'"),
        ("[http]\npublic_url = 'live.example'", "http.public_url: must be an absolute"),
        ("[udp]\npublic_ip = ['192.0.2.1', 'live.example']", "udp.public_ip: 'live.example' is no IP"),
        ("[udp]\npublic_ip = ['0.0.0.0']", "udp.public_ip: '0.0.0.0' is no address that"),
        ("[redis]\nurl = 'localhost:6379'", "redis.url: must begin with"),
        ("[auth]\nsecret = 'short'", "auth.secret: must have at least 32 bytes"),
        ("[payments]\nstripe_api_base = 'api'", "payments.stripe_api_base: must be an absolute"),
        ("[workers]\nweb = 0", "workers.web: "),
        ("[ice]\nservers = [{username = 'u'}]", "ice.servers.0.urls: "),
        ("[ice]\nservers = [{urls = ['stun:x'], user = 'u'}]", "ice.servers.0.user: "),
        ("[ice]\nservers = [{urls = ['turn:x'], username = 'u', secret = 's'}]", "ice.servers.0.secret: "),
        ("[limits]\norders_per_s = 0", "limits.orders_per_s: "),
        ("[redis]\nurl = 'redis://store'", "auth.secret: required when redis.url is set"),
        ("[redis]\nwait_replicas = 1", "redis.wait_replicas: the embedded store"),
    ],
)
def test_wrong_keys_are_named(text: str, named: str, tmp_path: Path) -> None:
    (line,) = problems(text, tmp_path)
    assert line.startswith(named)


def test_stripe_needs_its_keys_and_an_address(tmp_path: Path) -> None:
    lines = problems("[payments]\ngateway = 'stripe'", tmp_path)
    named = ["payments.stripe_secret_key", "payments.stripe_webhook_secret", "http.public_url"]
    assert [line.split(":")[0] for line in lines] == named
    keys = "stripe_secret_key = 'sk_1'\nstripe_webhook_secret = 'whsec_1'"
    text = f"[http]\npublic_url = 'https://live.example'\n[payments]\ngateway = 'stripe'\n{keys}"
    (tmp_path / "right.toml").write_text(text)
    settings = load(tmp_path / "right.toml", environ={})
    assert not {"sk_1", "whsec_1"} & set(repr(settings).replace("'", " ").split())


def test_every_wrong_key_is_named_at_once(tmp_path: Path) -> None:
    lines = problems("[http]\nprot = 1\nport = 'x'\n[hod]\n", tmp_path, {"VENDUE_HOLD__SECNDS": "1"})
    assert [line.split(":")[0] for line in lines] == ["VENDUE_HOLD__SECNDS", "http.prot", "hod", "http.port"]


def test_a_file_that_is_not_there_or_not_toml(tmp_path: Path) -> None:
    assert "x.toml" in problems("[http\n", tmp_path)[0]
    with pytest.raises(SettingsError, match=r"no\.toml: No such file"):
        load(tmp_path / "no.toml", environ={})


def test_kubernetes_service_links_are_not_settings() -> None:
    links = {
        "VENDUE_SERVICE_HOST": "10.0.0.1",
        "VENDUE_PORT": "tcp://10.0.0.1:80",
        "VENDUE_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert load(environ=links).http.port == 8080
    with pytest.raises(SettingsError, match="VENDUE_PORT: unknown setting"):
        load(environ={"VENDUE_PORT": "9000"})


def test_serving_needs_an_outspoken_test_mode(tmp_path: Path) -> None:
    assert problems("", tmp_path, serving=True)[0].startswith("payments.test_mode: must be true")
    load(environ={"VENDUE_PAYMENTS__TEST_MODE": "true"}, serving=True)


def test_a_run_directory_too_deep_for_a_socket_is_named(tmp_path: Path) -> None:
    text = f"run_dir = '/{'x' * 100}'\n[payments]\ntest_mode = true"
    assert problems(text, tmp_path, serving=True)[0].startswith("run_dir: ")


def test_the_manual_has_every_key_with_its_default() -> None:
    written: dict[str, Any] = tomllib.loads(MANUAL.read_text())
    flat = {
        f"{section}.{key}" if isinstance(values, dict) else section
        for section, values in written.items()
        for key in (cast("dict[str, Any]", values) if isinstance(values, dict) else [section])
    }
    assert flat == set(known_keys()) - {"run_dir"}
    assert "# run_dir = " in MANUAL.read_text()
    from_manual = load(MANUAL, environ={})
    shop = from_manual.payments.model_copy(update={"test_mode": False})
    assert from_manual.model_copy(update={"payments": shop}) == Settings()


def test_secret_is_made_once_and_private(tmp_path: Path) -> None:
    settings = load(environ={}, overrides={"data_dir": tmp_path / "deep" / "data"})
    first = with_secret(settings).auth.secret
    file = tmp_path / "deep" / "data" / FILE_NAME
    assert len(first) >= 32
    assert file.stat().st_mode & 0o777 == 0o600
    assert with_secret(settings).auth.secret == first
    assert [path.name for path in file.parent.iterdir()] == [FILE_NAME]


def test_configured_secret_makes_no_file(tmp_path: Path) -> None:
    settings = load(environ={"VENDUE_AUTH__SECRET": SECRET}, overrides={"data_dir": tmp_path / "data"})
    assert with_secret(settings).auth.secret == SECRET
    assert not (tmp_path / "data").exists()


def test_damaged_secret_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text("x\n")
    with pytest.raises(SettingsError, match=r"auth\.secret"):
        with_secret(load(environ={}, overrides={"data_dir": tmp_path}))
    assert (tmp_path / FILE_NAME).read_text() == "x\n"


def test_secrets_are_not_shown() -> None:
    assert SECRET not in repr(load(environ={"VENDUE_AUTH__SECRET": SECRET}))
