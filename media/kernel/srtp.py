"""SRTP sending state, and the one place that reaches into pylibsrtp's private names (checked on pylibsrtp 1.0.0).

pylibsrtp copies every packet twice and allocates per call; the fan-out protects in place in its own buffer instead.
"""

from pylibsrtp import Policy, Session

RESEND_WINDOW_PACKETS = 2048
"""How far back a byte-identical resend may reach: the capacity of a video track's packet cache."""


def sending_session(profile: int, key_and_salt: bytes) -> Session:
    """The state that protects everything sent to one peer (all SSRCs); `profile` is a `Policy.SRTP_PROFILE_*`.

    Repeats are allowed because a viewer without RTX gets its retransmissions byte-identical (same key, same nonce,
    same bytes); the rewriter guarantees that no sequence number is ever given to two contents.
    """
    policy = Policy(key=key_and_salt, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
    policy.allow_repeat_tx = True
    policy.window_size = RESEND_WINDOW_PACKETS
    return Session(policy)
