"""The packets of a layer that viewers may ask for again, kept once however many viewers there are."""


class PacketCache:
    """A ring of prepared packets by track sequence number.

    Bounded by `capacity` packets (a power of two): a new packet takes the place of the one `capacity`
    before it. A sequence number never changes its content: the first packet put under it stays.
    """

    __slots__ = ("_mask", "_packets", "_sequences")

    def __init__(self, capacity: int) -> None:
        if capacity < 1 or capacity & (capacity - 1):
            raise ValueError("capacity must be a power of two")
        self._mask = capacity - 1
        self._packets: list[bytes] = [b""] * capacity
        self._sequences: list[int] = [-1] * capacity

    @property
    def capacity(self) -> int:
        """How many packets are kept at most."""
        return self._mask + 1

    def put(self, sequence: int, packet: bytes) -> bool:
        """Keep a packet; False when its number is known already or too old to be kept."""
        place = sequence & self._mask
        if self._sequences[place] >= sequence:
            return False
        self._sequences[place] = sequence
        self._packets[place] = packet
        return True

    def replace(self, sequence: int, packet: bytes) -> None:
        """Change a packet that nobody has been sent yet (padding for equal sizes)."""
        place = sequence & self._mask
        if self._sequences[place] == sequence:
            self._packets[place] = packet

    def get(self, sequence: int) -> bytes | None:
        """The packet with this number, None when it never came or is gone."""
        place = sequence & self._mask
        return self._packets[place] if self._sequences[place] == sequence else None
