"""The engine in rtcload.c and its parts, built on first use (gcc, OpenSSL, libsrtp2), and the SDP that its peers speak."""
from __future__ import annotations

import ctypes as C
import os
import random
import resource
import subprocess
import threading
import time
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
PARTS = ("rtcload.h", "rtcload.c", "connect.c", "receive.c", "publish.c")
STATES = ["new", "checking", "dtls", "connected", "failed", "closed"]
FIELDS = """t_start t_ice t_dtls t_first pkts bytes vpkts apkts lost late dups resets recovered dropped frames freezes
max_gap_us lat_n lat_sum_us lat_max_us stamp_ok stamp_bad rtcp_rx rtcp_tx stun_req_rx stun_ok_rx nack_tx kernel_drops
other_rx pli_rx fir_rx nack_rx nack_resent twcc_rx remb_rx rr_rx rtcp_bad twcc_tx rtx_rx
t_last_rx""".split()
HIST_N, HIST_US = 20000, 100


class Stats(C.Structure):
    _fields_ = [("state", C.c_int32), ("srtp_profile", C.c_int32)] + [(f, C.c_uint64) for f in FIELDS]


def build() -> C.CDLL:
    so, parts = os.path.join(HERE, "librtcload.so"), [os.path.join(HERE, part) for part in PARTS]
    if not os.path.exists(so) or os.path.getmtime(so) < max(map(os.path.getmtime, parts)):
        sources = [part for part in parts if part.endswith(".c")]
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", so, *sources, "-lssl", "-lcrypto", "-lsrtp2", "-lpthread"], check=True)
    lib = C.CDLL(so)
    for name in ("rl_fingerprint", "rl_peer_ufrag", "rl_peer_pwd"):
        getattr(lib, name).restype = C.c_char_p
    lib.rl_peer_ssrc.restype = C.c_uint32
    assert lib.rl_sizeof_stats() == C.sizeof(Stats), "rtcload.h and engine.py disagree"
    return lib


# --------------------------------------------------------------------------------------------------------- SDP
TWCC, TWCC_ID, RTX_PT = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01", 3, 103
H264_FMTP = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"


@dataclass
class Remote:
    """What the engine needs of the other side's SDP."""
    ufrag: str = ""
    pwd: str = ""
    fingerprint: str = ""
    setup: str = ""
    ice_lite: bool = False
    candidates: list[tuple[str, int]] = field(default_factory=list)
    media: list[dict] = field(default_factory=list)  # kind, mid, port, pts {codec: pt}
    twcc_id: int = 0


def parse_sdp(sdp: str) -> Remote:
    r, m = Remote(), None
    for line in sdp.replace("\r", "").split("\n"):
        if line.startswith("m="):
            p = line[2:].split()
            m = {"kind": p[0], "port": int(p[1]), "mid": str(len(r.media)), "pts": {}, "order": p[3:], "line": line, "dir": "sendrecv"}
            r.media.append(m)
        key, _, value = line[2:].partition(":") if line.startswith("a=") else ("", "", "")
        if key == "ice-ufrag":
            r.ufrag = r.ufrag or value
        elif key == "ice-pwd":
            r.pwd = r.pwd or value
        elif key == "ice-lite":
            r.ice_lite = True
        elif key == "fingerprint" and value.lower().startswith("sha-256"):
            r.fingerprint = r.fingerprint or value.split()[1]
        elif key == "setup":
            r.setup = r.setup or value
        elif key == "mid" and m is not None:
            m["mid"] = value
        elif key in ("sendonly", "recvonly", "inactive", "sendrecv") and m is not None:
            m["dir"] = key
        elif key == "rtpmap" and m is not None:
            pt, codec = value.split(None, 1)
            m["pts"].setdefault(codec.split("/")[0].upper(), []).append(int(pt))
        elif key == "extmap" and value.endswith(TWCC):
            r.twcc_id = int(value.split()[0].split("/")[0])
        elif key == "candidate":
            c = value.split()
            if c[1] == "1" and c[2].lower() == "udp" and c[4].replace(".", "").isdigit() and (c[4], int(c[5])) not in r.candidates:
                r.candidates.append((c[4], int(c[5])))
    return r


class Engine:
    def __init__(self, a):
        self.a, self.lib = a, build()
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        if self.lib.rl_init(a.threads, a.srtp.encode(), a.rcvbuf):
            raise SystemExit("engine did not start")
        self.lib.rl_config(a.sweep_ms, a.rr_ms, a.consent_ms, int(a.nack), int(a.drop * 10_000), int(not a.no_pli))
        self.fp = self.lib.rl_fingerprint().decode()
        self.lock = threading.Lock()

    def new(self, kind: int) -> int:
        pid = self.lib.rl_peer_new(kind, self.a.bind.encode(), self.a.audio_pt)
        if pid < 0:
            raise OSError("no socket for a new peer")
        return pid

    def transport(self, pid: int, setup: str) -> str:
        return (f"a=ice-ufrag:{self.lib.rl_peer_ufrag(pid).decode()}\r\na=ice-pwd:{self.lib.rl_peer_pwd(pid).decode()}\r\n"
                f"a=fingerprint:sha-256 {self.fp}\r\na=setup:{setup}\r\n")

    def candidates(self, pid: int) -> str:
        return (f"a=candidate:1 1 udp 2130706431 {self.a.bind} {self.lib.rl_peer_port(pid)} typ host\r\na=end-of-candidates\r\n")

    def head(self, mids) -> str:
        return (f"v=0\r\no=- {random.getrandbits(62)} 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {' '.join(mids)}\r\n"
                "a=msid-semantic: WMS\r\n")

    def codec_lines(self, kind: str, pt: int, twcc: bool = False) -> str:
        a = self.a
        more = f"a=extmap:{TWCC_ID} {TWCC}\r\na=rtcp-fb:{pt} transport-cc\r\n" if twcc else ""
        if twcc and kind == "video":
            more += f"a=rtpmap:{RTX_PT} rtx/90000\r\na=fmtp:{RTX_PT} apt={pt}\r\n"
        if kind == "audio":
            return f"a=rtpmap:{pt} opus/48000/2\r\na=fmtp:{pt} minptime=10;useinbandfec=1\r\n{more}"
        fb = "".join(f"a=rtcp-fb:{pt} {x}\r\n" for x in ("nack", "nack pli", "ccm fir"))
        if a.codec == "VP8":
            return f"a=rtpmap:{pt} VP8/90000\r\n{fb}{more}"
        return f"a=rtpmap:{pt} H264/90000\r\n{fb}a=fmtp:{pt} {H264_FMTP}\r\n{more}"

    def offer(self, pid: int, send: bool) -> str:
        a, out = self.a, self.head(("0", "1"))
        twcc = a.twcc and not send
        for mid, kind, pt in (("0", "audio", a.audio_pt), ("1", "video", a.video_pt)):
            pts = f"{pt} {RTX_PT}" if twcc and kind == "video" else pt
            out += (f"m={kind} 9 UDP/TLS/RTP/SAVPF {pts}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=mid:{mid}\r\n"
                    f"{self.transport(pid, 'actpass')}a={'sendonly' if send else 'recvonly'}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n{self.codec_lines(kind, pt, twcc)}")
            if send:
                ssrc = self.lib.rl_peer_ssrc(pid, int(kind == "audio"))
                out += f"a=msid:load {kind}\r\na=ssrc:{ssrc} cname:load\r\na=ssrc:{ssrc} msid:load {kind}\r\n"
            out += self.candidates(pid)
        return out

    def answer(self, pid: int, r: Remote) -> str:
        out = self.head([m["mid"] for m in r.media])
        for m in r.media:
            codec = "OPUS" if m["kind"] == "audio" else self.a.codec
            pts = m["pts"].get(codec) or [int(m["order"][0])]
            out += (f"m={m['kind']} 9 UDP/TLS/RTP/SAVPF {pts[0]}\r\nc=IN IP4 0.0.0.0\r\na=mid:{m['mid']}\r\n{self.transport(pid, 'active')}"
                    f"a=recvonly\r\na=rtcp-mux\r\n{self.codec_lines(m['kind'], pts[0])}{self.candidates(pid)}")
        return out

    def start(self, pid: int, r: Remote, controlling: bool, dtls_client: bool) -> None:
        for ip, port in r.candidates or self.a.server_candidate:
            self.lib.rl_peer_candidate(pid, ip.encode(), port)
        if self.a.twcc and r.twcc_id:
            self.lib.rl_peer_twcc(pid, r.twcc_id, RTX_PT, self.a.twcc_ms)
        self.lib.rl_peer_start(pid, r.ufrag.encode(), r.pwd.encode(), r.fingerprint.encode(), int(controlling), int(dtls_client),
                               int(self.a.timeout * 1000))

    def stats(self, pid: int) -> Stats:
        s = Stats()
        self.lib.rl_peer_stats(pid, C.byref(s))
        return s

    def wait(self, pids, timeout: float) -> int:
        end = time.time() + timeout
        while time.time() < end:
            states = [self.stats(p).state for p in pids]
            if all(s >= 3 for s in states):
                break
            time.sleep(0.05)
        return sum(1 for p in pids if self.stats(p).state == 3)

    def hist(self, reset=False):
        buf = (C.c_uint64 * (HIST_N + 1))()
        self.lib.rl_hist(buf, int(reset))
        return buf
