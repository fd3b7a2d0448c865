"""Offers as the senders and players in the field write them, shortened to what an answerer looks at."""

FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)
H264 = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
TWCC = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
MID = "urn:ietf:params:rtp-hdrext:sdes:mid"


def _transport(setup: str) -> list[str]:
    return [
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=ice-ufrag:Yk3b",
        "a=ice-pwd:7Tz9qkGmPUJ0cCNdWqfE5Wd1",
        "a=ice-options:trickle",
        f"a=fingerprint:{FINGERPRINT}",
        f"a=setup:{setup}",
    ]


def _video_codec(number: int, name: str, fmtp: str = "", rtx: int | None = None) -> list[str]:
    lines = [f"a=rtpmap:{number} {name}/90000"]
    lines += [
        f"a=rtcp-fb:{number} {one}" for one in ("goog-remb", "transport-cc", "ccm fir", "nack", "nack pli")
    ]
    if fmtp:
        lines.append(f"a=fmtp:{number} {fmtp}")
    if rtx is not None:
        lines += [f"a=rtpmap:{rtx} rtx/90000", f"a=fmtp:{rtx} apt={number}"]
    return lines


def chrome(direction: str = "sendonly", setup: str = "actpass") -> str:
    """Chromium: audio and video, every codec that it has, VP8 before H264."""
    audio = [
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9",
        "c=IN IP4 0.0.0.0",
        *_transport(setup),
        "a=mid:0",
        f"a=extmap:3 {TWCC}",
        f"a=extmap:4 {MID}",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:111 opus/48000/2",
        "a=rtcp-fb:111 transport-cc",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:63 red/48000/2",
        "a=fmtp:63 111/111",
        "a=rtpmap:9 G722/8000",
    ]
    video = [
        "m=video 9 UDP/TLS/RTP/SAVPF 96 97 103 104 107 108 109 114 98 99 116 117",
        "c=IN IP4 0.0.0.0",
        *_transport(setup),
        "a=mid:1",
        "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
        f"a=extmap:3 {TWCC}",
        f"a=extmap:4 {MID}",
        "a=extmap:10 urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
        f"a={direction}",
        "a=rtcp-mux",
        "a=rtcp-rsize",
        *_video_codec(96, "VP8", rtx=97),
        *_video_codec(103, "H264", H264.replace("42e01f", "42001f"), rtx=104),
        *_video_codec(107, "H264", H264.replace("mode=1", "mode=0"), rtx=108),
        *_video_codec(109, "H264", H264, rtx=114),
        *_video_codec(98, "VP9", "profile-id=0", rtx=99),
        "a=rtpmap:116 red/90000",
        "a=rtpmap:117 ulpfec/90000",
    ]
    if direction == "sendonly":
        audio += ["a=msid:stream audio", "a=ssrc:1001 cname:x", "a=ssrc:1001 msid:stream audio"]
        video += [
            "a=msid:stream video",
            "a=ssrc-group:FID 2001 2002",
            "a=ssrc:2001 cname:x",
            "a=ssrc:2002 cname:x",
        ]
    head = ["v=0", "o=- 46117317 2 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE 0 1"]
    head += ["a=extmap-allow-mixed", "a=msid-semantic: WMS stream"]
    return "\r\n".join([*head, *audio, *video]) + "\r\n"


def ffmpeg() -> str:
    """FFmpeg's WHIP muxer: session-level nothing, no RTX, `setup:passive`."""
    lines = ["v=0", "o=FFmpeg 4489045141692799359 2 IN IP4 127.0.0.1", "s=FFmpegPublishSession", "t=0 0"]
    lines += ["a=group:BUNDLE 0 1", "a=extmap-allow-mixed", "a=msid-semantic: WMS"]
    for mid, media in enumerate((["audio", 111, "opus/48000/2", ""], ["video", 106, "H264/90000", H264])):
        kind, number, codec, fmtp = media
        lines += [f"m={kind} 9 UDP/TLS/RTP/SAVPF {number}", "c=IN IP4 0.0.0.0", *_transport("passive")]
        lines += [f"a=mid:{mid}", "a=sendonly", f"a=msid:FFmpeg {kind}", "a=rtcp-mux"]
        lines += [f"a=rtpmap:{number} {codec}"]
        lines += [f"a=fmtp:{number} {fmtp}"] if fmtp else []
        lines += [f"a=ssrc:{3000 + mid} cname:FFmpeg", f"a=ssrc:{3000 + mid} msid:FFmpeg {kind}"]
    return "\r\n".join(lines) + "\r\n"


def without(sdp: str, *beginnings: str) -> str:
    """The description without the lines that begin so."""
    return "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith(beginnings))
