"""The host candidates of an ICE-lite agent, which has no others."""

from collections.abc import Sequence


def candidate_lines(
    addresses: Sequence[tuple[str, int]], tcp_addresses: Sequence[tuple[str, int]] = ()
) -> list[str]:
    """One line for each host and port (RFC 8839 §5.1, RFC 6544 §4.5), in the configured order, UDP first."""
    lines = [
        f"a=candidate:{number} 1 udp {_priority(126, number)} {host} {port} typ host"
        for number, (host, port) in enumerate(addresses, start=1)
    ]
    lines += [
        f"a=candidate:{number} 1 tcp {_priority(90, number)} {host} {port} typ host tcptype passive"
        for number, (host, port) in enumerate(tcp_addresses, start=len(lines) + 1)
    ]
    return [*lines, "a=end-of-candidates"]


def _priority(kind: int, number: int) -> int:
    """RFC 8445 §5.1.2.1 for component 1."""
    return (kind << 24) + ((65535 - number) << 8) + 255
