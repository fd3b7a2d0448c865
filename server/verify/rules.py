"""All rules, in the order in which they are applied; docs/verify.md is made from this. Pure."""

from typing import Final

from server.verify import (
    rules_bag,
    rules_coupons,
    rules_draws,
    rules_lots,
    rules_orders,
    rules_policy,
    rules_prices,
    rules_record,
    rules_reductions,
    rules_sale,
    rules_show,
    rules_waiting,
)
from server.verify.rule import Rule

LINES = Rule(1, "Every line is an entry or a seal", "As the server writes them, each ended by a newline.")
CONTIGUOUS = Rule(
    2,
    "Seqs are contiguous",
    "From 1, or from the checkpoint that the file begins at, without a gap or a repeat.",
)
CHAIN = Rule(
    3,
    "The chain of hashes holds",
    'hash_n = SHA-256(hash_{n-1} ‖ bytes of entry n), from SHA-256("vendue-log-v1" ‖ 0 ‖ show); a seal says\n'
    "hash_n for the entry before it, and the first digits of every hash since the seal before, which name\n"
    "the entry that was changed.",
)
SIGNATURES = Rule(
    4,
    "Every seal is signed with the key",
    "Ed25519, with the key given; without one, with the key that the first seal names.",
)
PLACE = Rule(
    5, "A seal belongs where it stands", "It names this show, its epoch at that entry, and that entry's seq."
)
SEALED = Rule(6, "Every entry is sealed", "The last line is a seal.")
CHECKPOINTS = Rule(
    41,
    "A checkpoint says the state that its log has led to",
    "Its `state` is the digest of the replayed state, its hash that of the seal before it, and it is signed\n"
    "with the key. A file may begin at one, with the state itself before it.",
)
SHAPE = Rule(15, "An entry says what its kind says", "Its body has the fields that the rules look at.")

FILE_RULES: Final = (LINES, CONTIGUOUS, CHAIN, SIGNATURES, PLACE, SEALED, CHECKPOINTS)
RULES: Final[tuple[Rule, ...]] = (
    *rules_show.RULES,
    *rules_prices.RULES,
    *rules_reductions.RULES,
    *rules_record.RULES,
    *rules_orders.RULES,
    *rules_sale.RULES,
    *rules_lots.RULES,
    *rules_bag.RULES,
    *rules_waiting.RULES,
    *rules_draws.RULES,
    *rules_coupons.RULES,
    *rules_policy.RULES,
)
"""What is asked of every entry."""
ALL: Final = tuple(sorted((*FILE_RULES, SHAPE, *RULES), key=lambda rule: rule.number))


def as_markdown() -> str:
    """The numbered list for docs/verify.md."""
    parts = [
        f"{rule.number}. **{rule.title}.** " + " ".join(" ".join(rule.why.split()).split()) for rule in ALL
    ]
    return "\n".join(parts) + "\n"
