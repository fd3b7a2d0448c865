"""`redis.url`: what it may be, and what a wrong one says."""

import msgspec
import pytest

from server.store.topology import Clustered, Target, UnsupportedStoreUrl, Watched, parse_url


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


def test_sentinels() -> None:
    watched = parse_url(
        "redis+sentinel://me:pass@a:1,[::1],c/main/2?tls=1&sentinel_username=you&sentinel_password=p"
    )
    assert isinstance(watched, Watched)
    theirs = Target(username="you", password="p", tls=True)
    addresses = [("a", 1), ("::1", 26379), ("c", 26379)]
    assert list(watched.sentinels) == [
        msgspec.structs.replace(theirs, host=host, port=port) for host, port in addresses
    ]
    assert watched.name == "main"
    assert watched.at("h", 7) == Target("h", 7, db=2, username="me", password="pass", tls=True)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("redis+sentinel://h", "name of what the Sentinels watch"),
        ("redis+sentinel://h,/main", "host is missing"),
        ("redis+sentinel://h:x/main", "not a number"),
        ("redis+cluster://h/1", "no databases"),
        ("redis+cluster://", "host is missing"),
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


def test_a_cluster() -> None:
    node = Target(username="me", password="pass")
    nodes = (msgspec.structs.replace(node, host="a", port=1), msgspec.structs.replace(node, host="::1"))
    assert parse_url("redis+cluster://me:pass@a:1,[::1]") == Clustered(nodes, node)


def test_a_target_shows_no_password() -> None:
    target, other = parse_url("redis://me:secret@h:1/2"), parse_url("redis://[::1]:6380")
    assert isinstance(target, Target)
    assert isinstance(other, Target)
    assert "secret" not in repr(target)
    assert "secret" not in target.redis_url
    assert target.redis_url == "redis://h:1/2"
    assert other.redis_url == "redis://[::1]:6380/0"
