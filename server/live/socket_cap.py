"""How many viewer WebSockets one worker holds, in all and for one network address.

Pure counting: what an address is behind a proxy, and whose is not counted, is told by the caller's functions.
"""

from collections.abc import Callable

Client = tuple[str, int]


def _own_address(client: Client | None, _forwarded_for: str | None) -> str:
    return client[0] if client else ""


class SocketCap:
    """`address_of(client, forwarded_for)` names the address to count; `exempts(address)` lifts its own
    bound.
    """

    def __init__(
        self,
        *,
        total_max: int = 20_000,
        per_address_max: int = 20_000,
        address_of: Callable[[Client | None, str | None], str] = _own_address,
        exempts: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._total_max = total_max
        self._per_address_max = per_address_max
        self.address_of = address_of
        self.exempts = exempts
        self._by_address: dict[str, int] = {}
        self.total = 0

    def take(self, address: str) -> bool:
        """Count one more; False, and nothing is counted, when there is no room."""
        held = self._by_address.get(address, 0)
        if self.total >= self._total_max or (held >= self._per_address_max and not self.exempts(address)):
            return False
        self._by_address[address] = held + 1
        self.total += 1
        return True

    def give_back(self, address: str) -> None:
        """A counted one has ended."""
        held = self._by_address[address] - 1
        self.total -= 1
        if held:
            self._by_address[address] = held
        else:
            del self._by_address[address]
