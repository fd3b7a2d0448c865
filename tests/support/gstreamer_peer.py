"""A GStreamer webrtcbin that publishes over WHIP or plays over WHEP: (whip|whep) URL TOKEN [h264|vp8].

Run with the system's Python, which has the bindings (gi); nothing but the standard library beside them.
Prints `peer <state>` as the connection's state changes and `frame <kind> <n>` for what was decoded.
"""
# pyright: basic, reportMissingImports=false, reportMissingModuleSource=false, reportAttributeAccessIssue=false
# The bindings are made at run time: there is nothing for a type checker to read.

import sys
import urllib.request
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402

ENCODERS = {
    "h264": (
        "openh264enc bitrate=500000 complexity=low gop-size=30 ! video/x-h264,profile=constrained-baseline"
        " ! h264parse ! rtph264pay config-interval=-1 aggregate-mode=zero-latency ! "
        "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000"
    ),
    "vp8": (
        "vp8enc deadline=1 keyframe-max-dist=30 ! rtpvp8pay picture-id-mode=15-bit ! "
        "application/x-rtp,media=video,encoding-name=VP8,payload=96,clock-rate=90000"
    ),
}
SENDER = (
    "webrtcbin name=peer bundle-policy=max-bundle "
    "videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=30/1 ! videoconvert ! "
    "{encoder} ! peer. "
    "audiotestsrc is-live=true wave=ticks ! audioconvert ! audioresample ! opusenc ! rtpopuspay ! "
    "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000 ! peer."
)
RECEIVED = (
    ("video", "application/x-rtp,media=video,encoding-name=H264,payload=96,clock-rate=90000"),
    ("audio", "application/x-rtp,media=audio,encoding-name=OPUS,payload=97,clock-rate=48000"),
)


class Session:
    """One webrtcbin and its WHIP or WHEP exchange."""

    def __init__(self, kind: str, url: str, token: str, codec: str) -> None:
        self.url, self.token = url, token
        self.frames = {"video": 0, "audio": 0}
        if kind == "whip":
            self.pipeline: Any = Gst.parse_launch(SENDER.format(encoder=ENCODERS[codec]))
        else:
            self.pipeline = Gst.parse_launch(
                "webrtcbin name=peer bundle-policy=max-bundle fakesrc ! fakesink"
            )
        self.peer: Any = self.pipeline.get_by_name("peer")
        self.peer.connect("notify::connection-state", self.told)
        self.peer.connect("notify::ice-gathering-state", self.gathered)
        self.peer.connect("pad-added", self.receive)
        if kind == "whip":
            index = 0
            while transceiver := self.peer.emit("get-transceiver", index):
                transceiver.set_property("direction", GstWebRTC.WebRTCRTPTransceiverDirection.SENDONLY)
                index += 1
        else:
            for media, caps in RECEIVED:
                wanted = caps.replace("encoding-name=H264", f"encoding-name={codec.upper()}")
                self.peer.emit(
                    "add-transceiver",
                    GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY,
                    Gst.Caps.from_string(wanted if media == "video" else caps),
                )
        self.peer.connect("on-negotiation-needed", self.offer)
        self.pipeline.set_state(Gst.State.PLAYING)

    def offer(self, _peer: Any) -> None:
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.offered))

    def offered(self, promise: Any) -> None:
        reply = promise.get_reply()  # the bindings let the offer live as long as the reply that holds it
        description = reply.get_value("offer")
        self.peer.emit("set-local-description", description, Gst.Promise.new())

    def gathered(self, peer: Any, _what: Any) -> None:
        """The whole offer at once, as WHIP wants it."""
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            GLib.idle_add(self.exchange)

    def exchange(self) -> bool:
        offer = self.peer.get_property("local-description").sdp.as_text()
        headers = {"Content-Type": "application/sdp"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        request = urllib.request.Request(self.url, offer.encode(), headers)
        with urllib.request.urlopen(request, timeout=10) as response:
            answer = response.read().decode()
        _, sdp = GstSdp.SDPMessage.new_from_text(answer)
        description = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, sdp)
        self.peer.emit("set-remote-description", description, Gst.Promise.new())
        return False

    def told(self, peer: Any, _what: Any) -> None:
        print("peer", peer.get_property("connection-state").value_nick, flush=True)

    def receive(self, _peer: Any, pad: Any) -> None:
        if pad.direction != Gst.PadDirection.SRC:
            return
        decode = Gst.ElementFactory.make("decodebin", None)
        decode.connect("pad-added", self.decoded)
        self.pipeline.add(decode)
        decode.sync_state_with_parent()
        pad.link(decode.get_static_pad("sink"))

    def decoded(self, _decode: Any, pad: Any) -> None:
        kind = pad.get_current_caps().to_string().partition("/")[0]
        sink = Gst.ElementFactory.make("fakesink", None)
        sink.set_property("sync", False)
        sink.set_property("signal-handoffs", True)
        sink.connect("handoff", self.count, kind)
        self.pipeline.add(sink)
        sink.sync_state_with_parent()
        pad.link(sink.get_static_pad("sink"))

    def count(self, _sink: Any, _buffer: Any, _pad: Any, kind: str) -> None:
        self.frames[kind] += 1
        if self.frames[kind] % 30 == 0:
            print("frame", kind, self.frames[kind], flush=True)


if __name__ == "__main__":
    Gst.init(None)
    loop = GLib.MainLoop()
    kind, url, token = sys.argv[1:4]
    session = Session(kind, url, token, sys.argv[4] if len(sys.argv) > 4 else "h264")
    loop.run()
