"""`redis.url`: what it may be, and what a wrong one says."""

import pytest

from server.store.topology import Target, UnsupportedStoreUrl, parse_url


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("redis://localhost", Target(host="localhost")),
        ("redis://h:7000/2", Target(host="h", port=7000, db=2)),
        ("redis://:secret@h", Target(host="h", password="secret")),
        ("rediss://me:se%40cret@h", Target(host="h", username="me", password="se@cret", tls=True)),
        ("redis://[::1]:6380", Target(host="::1", port=6380)),
        ("unix:///run/store.sock", Target(path="/run/store.sock")),
        ("unix:///run/store.sock?db=3", Target(path="/run/store.sock", db=3)),
    ],
)
def test_urls(url: str, target: Target) -> None:
    assert parse_url(url) == target


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis+sentinel://h", "not in this version"),
        ("redis+cluster://h", "not in this version"),
        ("http://h", "rediss://"),
        ("redis://", "host is missing"),
        ("redis://h:port", "not a number"),
        ("redis://h/zero", "not a number"),
        ("unix://relative/path", "absolute path"),
        ("", "rediss://"),
    ],
)
def test_wrong_urls_say_what_is_wrong(url: str, says: str) -> None:
    with pytest.raises(UnsupportedStoreUrl, match=says):
        parse_url(url)


def test_a_target_shows_no_password() -> None:
    target = parse_url("redis://me:secret@h:1/2")
    assert "secret" not in repr(target)
    assert "secret" not in target.redis_url
    assert target.redis_url == "redis://h:1/2"
    assert parse_url("redis://[::1]:6380").redis_url == "redis://[::1]:6380/0"
