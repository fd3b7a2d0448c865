"""How many examples a property gets: `make fuzz` multiplies them all."""

import os

from hypothesis import HealthCheck, settings

TIMES = int(os.environ.get("FUZZ_TIMES", "1"))


def examples(count: int) -> settings:
    """Settings for so many examples, `FUZZ_TIMES` as many in a long run; machines are busy: no deadline."""
    return settings(
        max_examples=count * TIMES,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
