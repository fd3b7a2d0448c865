#!/usr/bin/env python3
"""Cheap WebRTC viewers and publishers for measuring media servers (WHIP/WHEP servers and Janus).  See README.md.

Standard library only; the media path is in rtcload.c (built on first use with gcc, OpenSSL and libsrtp2).
"""
from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import ctypes as C
import fcntl
import http.client
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass, field

HERE = os.path.dirname(os.path.abspath(__file__))
STATES = ["new", "checking", "dtls", "connected", "failed", "closed"]
FIELDS = ["t_start", "t_ice", "t_dtls", "t_first", "pkts", "bytes", "vpkts", "apkts", "lost", "late", "dups", "resets", "recovered", "dropped", "frames", "freezes", "max_gap_us", "lat_n", "lat_sum_us", "lat_max_us", "stamp_ok", "stamp_bad", "rtcp_rx", "rtcp_tx", "stun_req_rx", "stun_ok_rx", "nack_tx", "kernel_drops", "other_rx", "pli_rx", "fir_rx", "nack_rx", "nack_resent", "twcc_rx", "remb_rx", "rr_rx", "rtcp_bad", "t_last_rx"]
HIST_N, HIST_US = 20000, 100


class Stats(C.Structure):
    _fields_ = [("state", C.c_int32), ("srtp_profile", C.c_int32)] + [(f, C.c_uint64) for f in FIELDS]


def build() -> C.CDLL:
    so, src = os.path.join(HERE, "librtcload.so"), os.path.join(HERE, "rtcload.c")
    if not os.path.exists(so) or os.path.getmtime(so) < os.path.getmtime(src):
        subprocess.run(["gcc", "-O2", "-shared", "-fPIC", "-o", so, src, "-lssl", "-lcrypto", "-lsrtp2", "-lpthread"], check=True)
    lib = C.CDLL(so)
    for name in ("rl_fingerprint", "rl_peer_ufrag", "rl_peer_pwd"):
        getattr(lib, name).restype = C.c_char_p
    lib.rl_peer_ssrc.restype = C.c_uint32
    assert lib.rl_sizeof_stats() == C.sizeof(Stats), "rtcload.c and rtcload.py disagree"
    return lib


# --------------------------------------------------------------------------------------------------------- SDP
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

    def codec_lines(self, kind: str, pt: int) -> str:
        a = self.a
        if kind == "audio":
            return f"a=rtpmap:{pt} opus/48000/2\r\na=fmtp:{pt} minptime=10;useinbandfec=1\r\n"
        fb = "".join(f"a=rtcp-fb:{pt} {x}\r\n" for x in ("nack", "nack pli", "ccm fir"))
        if a.codec == "VP8":
            return f"a=rtpmap:{pt} VP8/90000\r\n{fb}"
        return f"a=rtpmap:{pt} H264/90000\r\n{fb}a=fmtp:{pt} {H264_FMTP}\r\n"

    def offer(self, pid: int, send: bool) -> str:
        a, out = self.a, self.head(("0", "1"))
        for mid, kind, pt in (("0", "audio", a.audio_pt), ("1", "video", a.video_pt)):
            out += (f"m={kind} 9 UDP/TLS/RTP/SAVPF {pt}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=mid:{mid}\r\n"
                    f"{self.transport(pid, 'actpass')}a={'sendonly' if send else 'recvonly'}\r\na=rtcp-mux\r\na=rtcp-rsize\r\n{self.codec_lines(kind, pt)}")
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


# ------------------------------------------------------------------------------------------------ WHIP and WHEP
class Http:
    """WHIP and WHEP: POST the offer, get the answer, DELETE at the end."""

    def __init__(self, engine: Engine, whip, whep):
        self.e, self.whip, self.whep, self.where = engine, whip, whep, {}

    def call(self, method: str, url: str, body: str | None = None):
        u = urllib.parse.urlsplit(url)
        cls = http.client.HTTPSConnection if u.scheme == "https" else http.client.HTTPConnection
        c = cls(u.hostname, u.port, timeout=self.e.a.timeout)
        head = {"Content-Type": "application/sdp"} if body else {}
        head |= dict(h.split(": ", 1) for h in self.e.a.header)
        try:
            c.request(method, u.path + ("?" + u.query if u.query else ""), body, head)
            r = c.getresponse()
            return r.status, r.getheader("Location"), r.read().decode()
        finally:
            c.close()

    def join(self, kind: int, url: str) -> int:
        pid = self.e.new(kind)
        url = url.replace("{i}", str(pid))
        status, location, answer = self.call("POST", url, self.e.offer(pid, kind == 1))
        if status not in (200, 201):
            raise OSError(f"{url} answered {status}: {answer[:200]}")
        if location:
            self.where[pid] = urllib.parse.urljoin(url, location)
        r = parse_sdp(answer)
        # the answerer says active: it is the DTLS client
        self.e.start(pid, r, controlling=True, dtls_client=r.setup != "active")
        if kind == 1:
            pts = {m["kind"]: (m["pts"].get("OPUS" if m["kind"] == "audio" else self.e.a.codec) or [0])[0] for m in r.media if m["port"]}
            self.e.lib.rl_publish(pid, pts.get("video", 0), pts.get("audio", 0))
        return pid

    def publish(self) -> int:
        return self.join(1, self.whip)

    def view(self) -> int:
        return self.join(0, self.whep)

    def leave(self, pid: int) -> None:
        self.e.lib.rl_peer_close(pid)
        if pid in self.where:
            with contextlib.suppress(OSError):
                self.call("DELETE", self.where.pop(pid))

    def close(self) -> None:
        pass


# ------------------------------------------------------------------------------------------------------- Janus
class Janus:
    """Janus by its HTTP API: one session, a handle a peer.  VideoRoom (a publisher, N subscribers) or Streaming
    (an RTP mountpoint fed in plain RTP, N viewers)."""

    def __init__(self, engine: Engine, url: str, room: int, plugin: str, rtp_port: int):
        self.e, self.url, self.room, self.plugin, self.rtp_port = engine, url.rstrip("/"), room, plugin, rtp_port
        self.waits: dict[str, concurrent.futures.Future] = {}
        self.handles: dict[int, int] = {}
        self.feed = None
        self.sid = None
        self.sid = self.post("", janus="create")["data"]["id"]
        self.open = True
        threading.Thread(target=self.poll, daemon=True).start()

    def request(self, method, path, body=None, timeout=40.0):
        u = urllib.parse.urlsplit(self.url + path)
        c = http.client.HTTPConnection(u.hostname, u.port, timeout=timeout)
        try:
            c.request(method, u.path + ("?" + u.query if u.query else ""), json.dumps(body) if body else None, {"Content-Type": "application/json"})
            return json.loads(c.getresponse().read())
        finally:
            c.close()

    def post(self, path, **body):
        body.setdefault("transaction", uuid.uuid4().hex)
        r = self.request("POST", path, body)
        if r.get("janus") == "error":
            raise OSError(f"janus: {r['error']}")
        return r

    def poll(self):
        while self.open:
            try:
                r = self.request("GET", f"/{self.sid}?maxev=50")
            except (OSError, ValueError):
                time.sleep(0.1)
                continue
            for ev in r if isinstance(r, list) else [r]:
                f = self.waits.pop(ev.get("transaction", ""), None)
                if f:
                    f.set_result(ev)

    def attach(self, plugin=None) -> int:
        return self.post(f"/{self.sid}", janus="attach", plugin=plugin or self.plugin)["data"]["id"]

    def message(self, handle: int, body: dict, jsep=None):
        t, f = uuid.uuid4().hex, concurrent.futures.Future()
        self.waits[t] = f
        r = self.post(f"/{self.sid}/{handle}", janus="message", body=body, transaction=t, **({"jsep": jsep} if jsep else {}))
        if r["janus"] == "success":
            self.waits.pop(t, None)
        else:
            r = f.result(20)
        data = r.get("plugindata", {}).get("data", {})
        if "error" in data or r["janus"] == "error":
            raise OSError(f"janus: {data or r}")
        return data, r.get("jsep")

    def publish(self) -> int:
        a = self.e.a
        h, codec = self.attach(), a.codec.lower()
        if self.plugin.endswith("streaming"):
            body = {"request": "create", "type": "rtp", "id": self.room, "media": [
                {"type": "audio", "mid": "a", "port": self.rtp_port, "pt": a.audio_pt, "codec": "opus"},
                {"type": "video", "mid": "v", "port": self.rtp_port + 2, "pt": a.video_pt, "codec": codec,
                 **({"fmtp": H264_FMTP} if codec == "h264" else {})}]}
            with contextlib.suppress(OSError):
                self.message(h, {"request": "destroy", "id": self.room})
            self.message(h, body)
            pid = self.e.new(1)
            self.e.lib.rl_publish_plain(pid, b"127.0.0.1", self.rtp_port + 2, self.rtp_port, a.video_pt, a.audio_pt)
            return pid
        with contextlib.suppress(OSError):
            self.message(h, {"request": "create", "room": self.room, "publishers": 4, "videocodec": codec, "audiocodec": "opus",
                             "bitrate": 0, "fir_freq": 0})
        data, _ = self.message(h, {"request": "join", "ptype": "publisher", "room": self.room, "display": "load"})
        self.feed = data["id"]
        pid = self.e.new(1)
        self.handles[pid] = h
        _, jsep = self.message(h, {"request": "publish", "audiocodec": "opus", "videocodec": codec},
                               {"type": "offer", "sdp": self.e.offer(pid, True)})
        r = parse_sdp(jsep["sdp"])
        self.e.start(pid, r, controlling=True, dtls_client=r.setup != "active")
        self.e.lib.rl_publish(pid, a.video_pt, a.audio_pt)
        return pid

    def view(self) -> int:
        h = self.attach()
        if self.plugin.endswith("streaming"):
            _, jsep = self.message(h, {"request": "watch", "id": self.room})
        else:
            if self.feed is None:
                data, _ = self.message(h, {"request": "listparticipants", "room": self.room})
                self.feed = next(p["id"] for p in data["participants"] if p.get("publisher"))
            _, jsep = self.message(h, {"request": "join", "ptype": "subscriber", "room": self.room, "streams": [{"feed": self.feed}]})
        r, pid = parse_sdp(jsep["sdp"]), self.e.new(0)
        self.handles[pid] = h
        # start before the answer goes out: Janus begins its checks at once.  Janus offered, so it controls.
        self.e.start(pid, r, controlling=r.ice_lite, dtls_client=True)
        self.message(h, {"request": "start"}, {"type": "answer", "sdp": self.e.answer(pid, r)})
        return pid

    def leave(self, pid: int) -> None:
        self.e.lib.rl_peer_close(pid)
        if pid in self.handles:
            with contextlib.suppress(OSError):
                self.post(f"/{self.sid}/{self.handles.pop(pid)}", janus="detach")

    def close(self) -> None:
        self.open = False
        with contextlib.suppress(OSError):
            self.post(f"/{self.sid}", janus="destroy")


# ------------------------------------------------------------------------------------------------- measurement
TICK = os.sysconf("SC_CLK_TCK")


def cpu(pids) -> tuple[float, float]:
    """User and system seconds of the processes, all their threads, from /proc/PID/stat."""
    user = sys_ = 0.0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat") as f:
            p = f.read().rsplit(")", 1)[1].split()
            user, sys_ = user + int(p[11]) / TICK, sys_ + int(p[12]) / TICK
    return user, sys_


def rss_mb(pids) -> float:
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open(f"/proc/{pid}/status") as f:
            total += sum(int(x.split()[1]) for x in f if x.startswith("VmRSS"))
    return total / 1024


def udp_snmp() -> dict:
    with open("/proc/net/snmp") as f:
        k, v = (x.split() for x in f if x.startswith("Udp:"))
    return dict(zip(k[1:], map(int, v[1:])))


@contextlib.contextmanager
def locked(path):
    if not path:
        yield
        return
    with open(path) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield


def quantiles(hist, qs) -> list:
    total, out = sum(hist), []
    for q in qs:
        if not total:
            out.append(None)
            continue
        want, seen = q * total, 0
        for i, n in enumerate(hist):
            seen += n
            if seen >= want and n:
                out.append(i * HIST_US / 1000)
                break
    return out


def run(a) -> int:
    e = Engine(a)
    peer = Janus(e, a.janus, a.room, "janus.plugin." + a.plugin, a.rtp_port) if a.janus else Http(e, a.whip, a.whep)
    rows, viewers, pubs = [], [], []
    try:
        if not a.no_publish:
            if e.lib.rl_clip_load(a.clip.encode()) <= 0:
                raise SystemExit(f"cannot load {a.clip}: make it with clip.py")
            e.lib.rl_pause(int(not a.join_live))
            pubs = [peer.publish() for _ in range(a.publishers)]
            if e.wait(pubs, a.timeout) < len(pubs):
                raise SystemExit(f"publisher: {STATES[e.stats(pubs[0]).state]}")
        for n in a.n:
            with locked(a.lock):
                row = step(a, e, peer, viewers, pubs, n)
            rows.append(row)
            print(json.dumps(row), flush=True)
    finally:
        with concurrent.futures.ThreadPoolExecutor(a.parallel) as pool:
            list(pool.map(peer.leave, viewers + pubs))
        peer.close()
        time.sleep(0.1)
        e.lib.rl_shutdown()
        if a.out:
            with open(a.out, "w") as f:
                json.dump(rows, f, indent=1)
        table(a, rows)
    return 0 if rows and all(r["connected"] == r["n"] for r in rows) else 1


def step(a, e, peer, viewers, pubs, n) -> dict:
    """Add viewers up to n, let them run, measure one window."""
    if not a.no_publish:
        e.lib.rl_pause(int(not a.join_live))
        time.sleep(0.3)
    want, errors = n - len(viewers), []
    c0, t0, me0 = cpu(a.pid), time.time(), os.times()

    def one(_):
        try:
            return peer.view()
        except Exception as x:  # noqa: BLE001 - counted and shown
            errors.append(repr(x))
            return None

    with concurrent.futures.ThreadPoolExecutor(a.parallel) as pool:
        new = [p for p in pool.map(one, range(want)) if p is not None]
    e.wait(new, a.timeout)
    c1, t1 = cpu(a.pid), time.time()
    viewers += new
    alive = [p for p in viewers if e.stats(p).state == 3]
    ds = [e.stats(p) for p in new]
    setup_ms = sorted((s.t_dtls - s.t_start) / 1000 for s in ds if s.t_dtls)
    if not a.no_publish:
        e.lib.rl_pause(0)
    time.sleep(a.warm)
    e.lib.rl_window()
    e.hist(reset=True)
    snmp0, before, c2, w0, me2 = udp_snmp(), [e.stats(p) for p in alive], cpu(a.pid), time.time(), os.times()
    pub0 = [e.stats(p) for p in pubs]
    time.sleep(a.window)
    c3, w1, after, me3, snmp1 = cpu(a.pid), time.time(), [e.stats(p) for p in alive], os.times(), udp_snmp()
    pub1 = [e.stats(p) for p in pubs]
    if not a.no_publish and not a.join_live:
        e.lib.rl_pause(1)
    w = w1 - w0

    def delta(f, x=before, y=after):
        return sum(getattr(q, f) - getattr(p, f) for p, q in zip(x, y))

    pkts, used, load = delta("pkts"), sum(c3) - sum(c2), me3.user + me3.system - me2.user - me2.system
    per = [q.pkts - p.pkts for p, q in zip(before, after)]
    p50, p95, p99, p999 = quantiles(e.hist(), (0.5, 0.95, 0.99, 0.999))
    r = {
        "name": a.name, "n": n, "connected": len(alive), "errors": len(errors), "error": errors[:1],
        "join_s": round(t1 - t0, 3), "join_cpu_ms": round((sum(c1) - sum(c0)) / max(want, 1) * 1000, 2),
        "setup_ms_p50": round(setup_ms[len(setup_ms) // 2], 1) if setup_ms else None,
        "window_s": round(w, 2), "pkts_s": round(pkts / w), "mbit_s": round(delta("bytes") * 8 / w / 1e6, 1),
        "cpu": round(used / w, 3), "cpu_user": round((c3[0] - c2[0]) / w, 3), "cpu_sys": round((c3[1] - c2[1]) / w, 3),
        "us_per_pkt": round(used / pkts * 1e6, 2) if pkts and a.pid else None,
        "pub_pkts_s": round(delta("pkts", pub0, pub1) / w) if pubs else None,
        "lost": delta("lost"), "loss_pct": round(100 * delta("lost") / max(pkts + delta("lost"), 1), 4), "dups": delta("dups"),
        "late": delta("late"), "resets": delta("resets"), "dropped_on_purpose": delta("dropped"), "recovered": delta("recovered"),
        "nack_tx": delta("nack_tx"), "min_viewer_pkts_s": round(min(per, default=0) / w, 1), "max_viewer_pkts_s": round(max(per, default=0) / w, 1),
        "silent": sum(1 for x in per if not x), "freezes_200ms": delta("freezes"),
        "max_frame_gap_ms": round(max((s.max_gap_us for s in after), default=0) / 1000, 1),
        "lat_ms_p50": p50, "lat_ms_p95": p95, "lat_ms_p99": p99, "lat_ms_p999": p999,
        "lat_ms_max": round(max((s.lat_max_us for s in after), default=0) / 1000, 1), "lat_viewers": sum(1 for s in after if s.stamp_ok),
        "load_cpu": round(load / w, 3), "load_us_per_pkt": round(load / pkts * 1e6, 2) if pkts else None,
        "viewer_kernel_drops": sum(s.kernel_drops for s in after), "udp_rcvbuf_errors": snmp1["RcvbufErrors"] - snmp0["RcvbufErrors"],
        "rss_mb": round(rss_mb(a.pid), 1), "pub_pli": sum(s.pli_rx for s in pub1), "pub_fir": sum(s.fir_rx for s in pub1),
        "pub_nack": sum(s.nack_rx for s in pub1), "pub_twcc": sum(s.twcc_rx for s in pub1), "pub_remb": sum(s.remb_rx for s in pub1),
        "rtcp_rx_per_viewer_s": round(delta("rtcp_rx") / max(len(alive), 1) / w, 2), "srtp_profile": after[0].srtp_profile if after else None,
        "loadavg": os.getloadavg()[0],
    }
    return r


def table(a, rows) -> None:
    cols = ["n", "connected", "pkts_s", "mbit_s", "cpu", "cpu_user", "cpu_sys", "us_per_pkt", "loss_pct", "lat_ms_p50", "lat_ms_p99", "lat_ms_max",
            "join_cpu_ms", "setup_ms_p50", "load_cpu", "rss_mb"]
    print(f"\n{a.name}\n" + " ".join(f"{c:>12}" for c in cols), file=sys.stderr)
    for r in rows:
        print(" ".join(f"{r[c]!s:>12}" for c in cols), file=sys.stderr)


def main() -> int:
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--name", default="server", help="a name for the rows")
    ap.add_argument("--whip", help="WHIP URL to publish to")
    ap.add_argument("--whep", help="WHEP URL to view from ({i} becomes a number of the viewer)")
    ap.add_argument("--header", action="append", default=[], help='for example "Authorization: Bearer x"')
    ap.add_argument("--janus", help="Janus HTTP API, for example http://127.0.0.1:8088/janus")
    ap.add_argument("--plugin", default="videoroom", choices=["videoroom", "streaming"])
    ap.add_argument("--room", type=int, default=4321)
    ap.add_argument("--rtp-port", type=int, default=15000, help="Janus streaming: first of 4 ports for plain RTP")
    ap.add_argument("-n", default="50", help="viewers, for example 50,100,200: each is one measurement, viewers are added")
    ap.add_argument("--pid", default="", help="processes of the server, comma separated, whose CPU is measured")
    ap.add_argument("--window", type=float, default=20)
    ap.add_argument("--warm", type=float, default=3)
    ap.add_argument("--no-publish", action="store_true", help="something else publishes")
    ap.add_argument("--publishers", type=int, default=1)
    ap.add_argument("--join-live", action="store_true", help="keep publishing while viewers join (default: paused, so that the CPU of joins is seen alone)")
    ap.add_argument("--clip", default=os.path.join(HERE, "clip.rtpclip"))
    ap.add_argument("--codec", default="H264", choices=["H264", "VP8"])
    ap.add_argument("--audio-pt", type=int, default=111)
    ap.add_argument("--video-pt", type=int, default=102)
    ap.add_argument("--srtp", default="SRTP_AES128_CM_SHA1_80", help="or SRTP_AEAD_AES_128_GCM, or both joined by ':'")
    ap.add_argument("--bind", default="127.0.0.1")
    ap.add_argument("--server-candidate", action="append", default=[], help="ip:port, if the server's SDP has none")
    ap.add_argument("--parallel", type=int, default=16, help="joins under way at once")
    ap.add_argument("--timeout", type=float, default=15)
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--sweep-ms", type=int, default=5)
    ap.add_argument("--rr-ms", type=int, default=1000)
    ap.add_argument("--consent-ms", type=int, default=2500)
    ap.add_argument("--rcvbuf", type=int, default=1 << 20)
    ap.add_argument("--nack", action="store_true", help="send NACKs for gaps")
    ap.add_argument("--drop", type=float, default=0.0, help="percent of received media to throw away (to see NACK recovery)")
    ap.add_argument("--no-pli", action="store_true")
    ap.add_argument("--lock", help="flock this file around each measurement")
    ap.add_argument("--out", help="write the rows as JSON")
    a = ap.parse_args()
    a.n = [int(x) for x in a.n.split(",")]
    a.pid = [int(x) for x in a.pid.replace(" ", ",").split(",") if x]
    a.server_candidate = [(x.rsplit(":", 1)[0], int(x.rsplit(":", 1)[1])) for x in a.server_candidate]
    if not a.janus and not (a.whep and (a.whip or a.no_publish)):
        ap.error("give --whip and --whep (or --whep and --no-publish), or --janus")
    return run(a)


if __name__ == "__main__":
    sys.exit(main())
