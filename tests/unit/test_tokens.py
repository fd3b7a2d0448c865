"""Tokens: round trip, and every way in which one is refused."""

import jwt
import pytest

from server.errors import PROBLEMS
from server.tokens import Claims, Principal, TokenError, issue, read

SECRET = "s" * 32
NOW_MS = 1_700_000_000_000


def _issue(**changes: object) -> str:
    arguments: dict[str, object] = {
        "subject": "ann",
        "role": "viewer",
        "show": "s1",
        "ttl_s": 60,
        "now_ms": NOW_MS,
    }
    return issue(SECRET, **{**arguments, **changes})  # type: ignore[arg-type]


def _signed(**claims: object) -> str:
    base = {"sub": "ann", "role": "viewer", "exp": NOW_MS // 1000 + 60, "jti": "j"}
    return jwt.encode(
        {k: v for k, v in {**base, **claims}.items() if v is not None}, SECRET, algorithm="HS256"
    )


def test_a_token_says_what_it_was_issued_for() -> None:
    claims = read(SECRET, _issue(), NOW_MS)
    assert isinstance(claims, Claims)
    assert (claims.subject, claims.role, claims.show, claims.exp) == (
        "ann",
        "viewer",
        "s1",
        NOW_MS // 1000 + 60,
    )


def test_two_tokens_never_share_their_id() -> None:
    first, second = read(SECRET, _issue(), NOW_MS), read(SECRET, _issue(), NOW_MS)
    assert isinstance(first, Claims)
    assert isinstance(second, Claims)
    assert first.jti != second.jti


def test_expiry_is_judged_by_the_given_clock_to_the_millisecond() -> None:
    token = _issue(ttl_s=10)
    assert isinstance(read(SECRET, token, NOW_MS + 9_999), Claims)
    assert read(SECRET, token, NOW_MS + 10_000) is TokenError.EXPIRED


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "é",
        "x" * 5000,
        jwt.encode({"sub": "a", "role": "admin", "exp": 2**40, "jti": "j"}, "t" * 32, algorithm="HS256"),
        jwt.encode({"sub": "a", "role": "admin", "exp": 2**40, "jti": "j"}, "", algorithm="none"),
        jwt.encode({"sub": "a", "role": "admin", "exp": 2**40, "jti": "j"}, SECRET * 2, algorithm="HS384"),
        _signed(sub=None),
        _signed(sub=7),
        _signed(sub="a\nb"),
        _signed(role=None),
        _signed(role=""),
        _signed(show="no spaces"),
        _signed(show=3),
        _signed(exp=None),
        _signed(exp="soon"),
        _signed(exp=True),
        _signed(jti=None),
        _signed(jti=""),
    ],
)
def test_anything_else_is_invalid(token: str) -> None:
    assert read(SECRET, token, NOW_MS) is TokenError.INVALID


@pytest.mark.parametrize("changes", [{"subject": ""}, {"show": "a b"}, {"role": ""}, {"ttl_s": 0}])
def test_a_token_that_would_not_be_read_is_not_issued(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        _issue(**changes)


def test_a_token_of_one_show_has_no_role_on_another() -> None:
    one = Principal("ann", "p_x", "creator", "s1", "j", 1)
    every = Principal("ann", "p_x", "creator", None, "j", 1)
    assert (one.role_on("s1"), one.role_on("s2"), every.role_on("s2")) == ("creator", "", "creator")


def test_every_token_error_is_a_known_problem() -> None:
    assert all(error.value in PROBLEMS for error in TokenError)
