"""How a peer joins and leaves a server: by WHIP and WHEP, or by Janus' own API."""
from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import threading
import time
import urllib.parse
import uuid

from engine import H264_FMTP, Engine, parse_sdp


# ------------------------------------------------------------------------------------------------ WHIP and WHEP
class Http:
    """WHIP and WHEP: POST the offer, get the answer, DELETE at the end."""

    def __init__(self, engine: Engine, whip, whep):
        self.e, self.whip, self.whep, self.where = engine, whip, whep, {}

    def call(self, method: str, url: str, body: str | None = None, publishes: bool = False):
        u = urllib.parse.urlsplit(url)
        cls = http.client.HTTPSConnection if u.scheme == "https" else http.client.HTTPConnection
        c = cls(u.hostname, u.port, timeout=self.e.a.timeout)
        head = {"Content-Type": "application/sdp"} if body else {}
        head |= dict(h.split(": ", 1) for h in self.e.a.header + (self.e.a.publish_header if publishes else []))
        try:
            c.request(method, u.path + ("?" + u.query if u.query else ""), body, head)
            r = c.getresponse()
            return r.status, r.getheader("Location"), r.read().decode()
        finally:
            c.close()

    def join(self, kind: int, url: str) -> int:
        pid = self.e.new(kind)
        url = url.replace("{i}", str(pid))
        status, location, answer = self.call("POST", url, self.e.offer(pid, kind == 1), kind == 1)
        if status not in (200, 201):
            raise OSError(f"{url} answered {status}: {answer[:200]}")
        if location:
            self.where[pid] = urllib.parse.urljoin(url, location), kind == 1
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
                where, publishes = self.where.pop(pid)
                self.call("DELETE", where, publishes=publishes)

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
