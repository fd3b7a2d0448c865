"""A layer of a published track: from the publisher's packets to frames on the show's own numbering.

The layer gives every packet a *track sequence* that only grows, whoever publishes: a new source, or the
end of a blanking, goes on after the last number. Prepared packets (12-byte header, track sequence, outgoing
timestamp) are cached once and sent by frame.
"""

from collections.abc import Callable

from media.forward.audience import Audience, Enter
from media.forward.cache import PacketCache
from media.forward.keyframes import KeyframeRequests
from media.forward.model import Codec, Kind
from media.forward.nack import NackGenerator
from media.forward.numbering import Numbering
from media.forward.pictures import PictureCounter, PictureNumbering
from media.forward.requests import Request
from media.forward.stats import Rate
from media.forward.subscription import Subscription
from media.forward.timeline import OutgoingTimeline, SourceClock
from media.kernel import MAX_BURST_PACKETS
from media.rtp import header, payloads
from media.rtp.h264_slices import has_b_slice
from media.rtp.header import Header
from media.rtp.sequence import unwrap16, unwrap32

VIDEO_CACHE_PACKETS = 2048
"""At least one second up to 2,000 packets a second (20 Mbit/s)."""
AUDIO_CACHE_PACKETS = 256
FRAME_WAIT_S = 0.002
"""A frame is sent when its marker comes or this long after its first packet."""
YOUNG_KEYFRAME_S = 1.0
"""A join replays the GOP when its keyframe is younger: in a storm one keyframe a second is enough."""
PAUSE_S = 0.25
"""A gap this long between packets of a layer is a pause of its encoder, or of all."""
REPAIR_AGE_TICKS = 5 * 90_000
PAD_BYTES = 16
"""Encoders cut a frame into packets that differ by a byte or two; padded to one size they leave as one
GSO message.
"""


Place = Callable[["PublishedLayer", SourceClock, int, float], int | None]
"""Where a layer lies on its track's timeline: `place(layer, clock, ticks, now)` is what to add to its
source's ticks to get the ticks of the source that leads the track, None while that is not known.
"""


class PublishedLayer:
    """One layer (rid) of a track; its track sequences begin with `first`."""

    def __init__(
        self,
        kind: Kind,
        rid: str,
        *,
        timeline: OutgoingTimeline,
        pictures: PictureCounter,
        emit: Callable[[Request], None],
        on_frame: Callable[["PublishedLayer", list[bytes]], None],
        place: Place,
        enter: Enter,
        first: int,
    ) -> None:
        video = kind is Kind.VIDEO
        self.kind = kind
        self.rid = rid
        self.timeline = timeline
        self.codec: Codec | None = None
        self.cache = PacketCache(VIDEO_CACHE_PACKETS if video else AUDIO_CACHE_PACKETS)
        self.audience = Audience(rid, self.cache, emit, enter)
        self.nack = NackGenerator()
        self.keyframes = KeyframeRequests()
        self.blanked = False
        self.bitrate = Rate()
        self.frames = Rate()
        self.size: tuple[int, int] | None = None
        self.keyframe_interval_s: float | None = None
        self.b_frames = False
        self.duplicates = 0
        self.arrived_at = self.resumed_at = float("-inf")
        self.place_ticks: int | None = None
        """See `Place`; None: nothing of this layer can be sent."""
        self._on_frame = on_frame
        self._place = place
        self._pictures = PictureNumbering(pictures)
        self._newest_ticks: int | None = None
        self._later_ticks: int | None = None
        self._later_by = 0
        self._clock: SourceClock | None = None
        self._numbering = Numbering(first)
        self.audience.sent_until = self._numbering.next
        self._frame_ticks: int | None = None
        self._keyframe_ticks: int | None = None
        self._keyframe_first: int | None = None
        self._keyframe_at = 0.0
        self._batch: list[bytes] = []
        self._batch_first = self._batch_end = 0
        self._batch_entry = False
        self.flush_at: float | None = None
        """When the frame being collected must be sent although it is not whole."""

    # --- the source ---------------------------------------------------------------------------------

    def attach(self, codec: Codec, clock: SourceClock) -> None:
        """Packets come from another source from now on: continue the numbering and the timeline."""
        self.flush()
        self.codec = codec
        self.audience.codec = codec.name
        self._clock = clock
        self._frame_ticks = None
        self.size = None
        self.b_frames = False
        self._restart()

    def detach(self) -> None:
        """The source has gone; viewers keep what they have."""
        self.flush()
        self.nack.clear()
        self._clock = None
        self.place_ticks = None

    def unplace(self) -> None:
        """Where the layer lies on the timeline is to be found out again."""
        if self.place_ticks is not None:
            self.flush()
            self.place_ticks = None
            self._restart()

    def _restart(self) -> None:
        self._numbering.restart()
        self._pictures.restart()
        self._newest_ticks = self._later_ticks = None
        self._keyframe_ticks = self._keyframe_first = None
        self.nack.clear()
        self.audience.interrupt()

    def blank(self, *, blanked: bool) -> None:
        """Drop what comes (true) or go on with the next keyframe (false)."""
        if blanked == self.blanked:
            return
        self.flush()
        self.blanked = blanked
        self._restart()
        if not blanked and self.audience.waiting:
            self.keyframes.ask()

    def join(self, subscription: Subscription, now: float) -> None:
        """Start sending to a viewer: the GOP so far when it is young, else from the next keyframe."""
        first = self._keyframe_first
        if (
            first is not None
            and self.codec is not None
            and subscription.accepts(self.codec.name)
            and now - self._keyframe_at <= YOUNG_KEYFRAME_S
            and first < self.audience.sent_until
            and self.cache.get(first) is not None
        ):
            self.audience.replay(subscription, first)
            return
        self.audience.wait(subscription)
        if self.kind is Kind.VIDEO and self._clock and not self.blanked and not self._batch_entry:
            self.keyframes.ask()

    def nacks_due(self, now: float) -> list[int]:
        """Source sequence numbers to ask the publisher for again now, ascending but for a wrap."""
        due = [self._numbering.source(sequence) for sequence in self.nack.due(now)]
        if self.nack.gave_up:
            self.nack.gave_up = False
            if self.kind is Kind.VIDEO:
                self.keyframes.ask()
        return due

    # --- packets ------------------------------------------------------------------------------------

    def receive_repair(self, packet: bytes, head: Header, now: float) -> None:
        """A media packet that came as RTX, unwrapped. Browsers fill their probes with packets that may be
        many seconds old; taken for news, one would look like a source that began again.
        """
        if self._missing(head):
            self.receive(packet, head, now)
        else:
            self.duplicates += 1

    def receive(self, packet: bytes, head: Header, now: float) -> None:
        """A media packet of the attached source, short enough to be sent on."""
        clock = self._clock
        if clock is None:
            return
        self._note_arrival(len(packet), now)
        ticks = clock.unwrap(head.timestamp)
        if self._note_time(ticks, clock, now) or self._numbering.jumped(head.sequence):
            self.flush()
            self._restart()
        if self.blanked or self.place_ticks is None:
            # its first keyframe comes before its place is known, and may be its only one for long
            self._note_size(packet[head.payload_start : head.payload_end])
            return
        expected = self._numbering.next
        sequence = self._numbering.number(head.sequence)
        if sequence is None:
            return
        payload = packet[head.payload_start : head.payload_end]
        if self.codec is not None:
            payload = self._begin_frame(sequence, ticks, payload, self.codec.name)
        prepared = header.build(0, sequence, self._timestamp(ticks), 0, payload, marker=head.marker)
        if not self.cache.put(sequence, prepared):
            self.duplicates += 1
            return
        if sequence >= expected:
            self._numbering.next = sequence + 1
            if sequence > expected:
                self.nack.gap(expected, sequence, now)
        else:
            self.nack.arrived(sequence, now)
        entry = self.kind is Kind.AUDIO or self._note_keyframe(sequence, ticks, payload, now)
        if sequence < (self._batch_first if self._batch else self.audience.sent_until):
            self.audience.late(prepared, sequence)
            self._on_frame(self, [prepared])
        else:
            self._collect(sequence, prepared, entry=entry, last=head.marker, now=now)

    def _note_arrival(self, size: int, now: float) -> None:
        self.bitrate.add(size)
        if now - self.arrived_at > PAUSE_S:
            self.resumed_at = now
        self.arrived_at = now

    def _missing(self, head: Header) -> bool:
        sequence = self._numbering.peek(head.sequence)
        if sequence is None or self._frame_ticks is None or self.cache.get(sequence) is not None:
            return False
        age = self._frame_ticks - unwrap32(head.timestamp, self._frame_ticks)
        return abs(age) < REPAIR_AGE_TICKS

    def _begin_frame(self, sequence: int, ticks: int, payload: bytes, codec: str) -> bytes:
        """The payload as it is sent. A keyframe is only given other numbers when nothing of it was sent."""
        new = self._newest_ticks is None or ticks > self._newest_ticks
        begins = new and payloads.is_keyframe(codec, payload)
        if new:
            self._newest_ticks = ticks
        if begins and self.rid:
            self._later_ticks = ticks
            self._later_by = self.timeline.later_by(ticks + (self.place_ticks or 0))
        return self._pictures.renumber(payload, sequence, begins=begins) if codec == "vp8" else payload

    def _timestamp(self, ticks: int) -> int:
        later = self._later_by if ticks == self._later_ticks else 0
        return self.timeline.out(ticks + (self.place_ticks or 0) + later)

    def _note_time(self, ticks: int, clock: SourceClock, now: float) -> bool:
        """Keep the timeline: a frame's first packet tells when it arrived. True when the source has begun
        again elsewhere.
        """
        if self._frame_ticks is not None and clock.late(ticks, self._frame_ticks):
            return False
        jumped = clock.arrived(ticks, now * 1000)
        if jumped or self._frame_ticks is None or self.place_ticks is None:
            self.flush()
            self.place_ticks = self._place(self, clock, ticks, now)
        self._frame_ticks = ticks
        self.frames.add(1)
        return jumped

    def _note_keyframe(self, sequence: int, ticks: int, payload: bytes, now: float) -> bool:
        """Whether a keyframe begins with this packet."""
        codec = self.codec
        if codec is None or not payloads.is_keyframe(codec.name, payload):
            self.b_frames = self.b_frames or (
                codec is not None and codec.name == "h264" and has_b_slice(payload)
            )
            return False
        if self._keyframe_ticks is not None and ticks <= self._keyframe_ticks:
            if ticks == self._keyframe_ticks and sequence < (self._keyframe_first or 0):
                self._keyframe_first = sequence
            return False
        if self._keyframe_ticks is not None:
            self.keyframe_interval_s = now - self._keyframe_at
        self._keyframe_ticks, self._keyframe_first, self._keyframe_at = ticks, sequence, now
        self._note_size(payload)
        self.keyframes.arrived()
        return True

    def _note_size(self, payload: bytes) -> None:
        if self.codec is not None:
            self.size = payloads.frame_size(self.codec.name, payload) or self.size

    # --- frames -------------------------------------------------------------------------------------

    def _collect(self, sequence: int, prepared: bytes, *, entry: bool, last: bool, now: float) -> None:
        if self._batch and prepared[4:8] != self._batch[-1][4:8]:
            self.flush()
        if not self._batch:
            self._batch_first = sequence
            self.flush_at = now + FRAME_WAIT_S
        self._batch.append(prepared)
        self._batch_end = max(self._batch_end, sequence + 1)
        self._batch_entry |= entry
        if last or self.kind is Kind.AUDIO or len(self._batch) == MAX_BURST_PACKETS:
            self.flush()

    def flush(self) -> None:
        """Send the frame collected so far."""
        self.flush_at = None
        if not self._batch:
            return
        packets, self._batch = self._batch, []
        entry, self._batch_entry = self._batch_entry, False
        first = self._batch_first
        if len(packets) > 1:
            self._equalise(packets)
        if not entry and self.audience.waiting and not self.keyframes.wanted:
            self.keyframes.ask()
        self.audience.frame(packets, first, self._batch_end, entry=entry)
        self._on_frame(self, packets)

    def _equalise(self, packets: list[bytes]) -> None:
        """Pad the packets of a frame, all but its last, to one size where it takes a few bytes only."""
        size = max(map(len, packets))
        for index, packet in enumerate(packets[:-1]):
            if 0 < size - len(packet) <= PAD_BYTES:
                packets[index] = padded = header.pad(packet, size)
                near = self._batch_end
                self.cache.replace(unwrap16(int.from_bytes(packet[2:4]), near), padded)
