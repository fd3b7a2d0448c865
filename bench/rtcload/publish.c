/* publish.c: plays a pre-packetised clip (see clip.py) in real time. */
#include "rtcload.h"

static clipev *g_clip;
static uint32_t g_nclip, g_clip_us;
static int g_paused;
static pthread_t g_pubth;
static int g_pubth_on;

static void pub_sr(peer *p, uint32_t ssrc, uint32_t ts, uint64_t cnt, uint64_t bytes, struct sockaddr_in *to) {
  uint8_t b[128];
  uint64_t now = now_us();
  b[0] = 0x80, b[1] = 200, put16(b + 2, 6), put32(b + 4, ssrc);
  put32(b + 8, now / 1000000 + 2208988800u), put32(b + 12, (uint32_t)(((now % 1000000) << 32) / 1000000));
  put32(b + 16, ts), put32(b + 20, cnt), put32(b + 24, bytes);
  b[28] = 0x81, b[29] = 202, put16(b + 30, 3), put32(b + 32, ssrc);
  memcpy(b + 36, "\x01\x04load\0\0", 8);
  int n = 44;
  if (p->plain || srtp_protect_rtcp(p->pubout, b, &n)) return;
  sendto(p->fd, b, n, MSG_DONTWAIT, (void *)to, sizeof *to);
  p->st.rtcp_tx++;
}
static void *pub_main(void *a) {
  (void)a;
  static uint8_t bufs[256][1600];
  static struct mmsghdr mm[256];
  static struct iovec iov[256];
  while (!g_stop) {
    uint64_t soon = ~0ull, now = now_us();
    int any = 0;
    for (int i = 0; i < g_npeer; i++) {
      peer *p = g_peer[i];
      if (!p || p->kind != K_PUBLISHER || !p->publishing || p->closing || p->state != S_CONNECTED) continue;
      if (g_paused) {
        p->pub_base = 0;
        continue;
      }
      any = 1;
      if (!p->pub_first) p->pub_first = now;
      if (!p->pub_base) p->pub_base = now, p->evi = 0;
      int nm = 0;
      while (p->pub_base + g_clip[p->evi].t_us <= now && nm < 256) {
        clipev *e = &g_clip[p->evi];
        uint64_t nom = p->pub_base + e->t_us;
        uint8_t *b = bufs[nm];
        uint32_t vts = p->vts0 + (uint32_t)((nom - p->pub_first) * 9 / 100);
        uint32_t ats = p->ats0 + (uint32_t)((nom - p->pub_first) * 48 / 1000);
        int skip = (e->kind ? p->apt : p->vpt) <= 0;
        if (!skip) {
          b[0] = 0x80, b[1] = (e->marker ? 0x80 : 0) | (e->kind ? p->apt : p->vpt);
          put16(b + 2, e->kind ? p->aseq++ : p->vseq++);
          put32(b + 4, e->kind ? ats : vts), put32(b + 8, e->kind ? p->assrc : p->vssrc);
          memcpy(b + 12, e->data, e->len);
          if (e->flags & 1)
            for (int k = 0; k < 10; k++) b[12 + 19 + k] = 0x80 | ((nom >> (63 - 7 * k)) & 0x7f);
          int n = 12 + e->len;
          if (p->plain || srtp_protect(p->pubout, b, &n) == srtp_err_status_ok) {
            iov[nm].iov_base = b, iov[nm].iov_len = n;
            memset(&mm[nm], 0, sizeof mm[nm]);
            mm[nm].msg_hdr.msg_iov = &iov[nm], mm[nm].msg_hdr.msg_iovlen = 1;
            mm[nm].msg_hdr.msg_name = p->plain ? (e->kind ? &p->plaina : &p->plainv) : &p->sel;
            mm[nm].msg_hdr.msg_namelen = sizeof p->sel;
            nm++;
            if (e->kind)
              p->acount++, p->abytes += e->len, p->st.apkts++;
            else
              p->vcount++, p->vbytes += e->len, p->st.vpkts++, p->st.frames += e->marker;
            p->st.pkts++, p->st.bytes += n;
            if (!e->kind && p->ring) {
              pthread_mutex_lock(&p->ringlock);
              ringpkt *r = &p->ring[get16(b + 2) % RING];
              r->len = n, r->seq = get16(b + 2), memcpy(r->data, b, n > 1500 ? 1500 : n);
              pthread_mutex_unlock(&p->ringlock);
            }
          }
        }
        if (++p->evi == g_nclip) p->evi = 0, p->pub_base += g_clip_us;
      }
      for (int o = 0; o < nm;) {
        int r = sendmmsg(p->fd, mm + o, nm - o, 0);
        if (r <= 0) {
          if (errno == EAGAIN || errno == EWOULDBLOCK) {
            usleep(100);
            continue;
          }
          break;
        }
        o += r;
      }
      if (now >= p->next_sr && !p->plain) {
        p->next_sr = now + 1000000;
        if (p->vpt > 0) pub_sr(p, p->vssrc, p->vts0 + (uint32_t)((now - p->pub_first) * 9 / 100), p->vcount, p->vbytes, &p->sel);
        if (p->apt > 0) pub_sr(p, p->assrc, p->ats0 + (uint32_t)((now - p->pub_first) * 48 / 1000), p->acount, p->abytes, &p->sel);
      }
      uint64_t t = p->pub_base + g_clip[p->evi].t_us;
      if (t < soon) soon = t;
    }
    now = now_us();
    if (!any || soon == ~0ull)
      usleep(5000);
    else if (soon > now)
      usleep(soon - now > 5000 ? 5000 : soon - now);
  }
  return NULL;
}

int rl_clip_load(const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f) return -1;
  char m[8];
  uint32_t h[2];
  if (fread(m, 1, 8, f) != 8 || memcmp(m, "RTPCLIP1", 8) || fread(h, 4, 2, f) != 2) return fclose(f), -2;
  g_clip_us = h[0], g_nclip = h[1];
  g_clip = calloc(g_nclip, sizeof *g_clip);
  for (uint32_t i = 0; i < g_nclip; i++) {
    struct __attribute__((packed)) {
      uint32_t t;
      uint8_t kind, marker, flags, pad;
      uint16_t len, pad2;
    } e;
    if (fread(&e, sizeof e, 1, f) != 1) return fclose(f), -3;
    g_clip[i] = (clipev){e.t, e.kind, e.marker, e.flags, e.len, malloc(e.len)};
    if (fread(g_clip[i].data, 1, e.len, f) != e.len) return fclose(f), -4;
  }
  fclose(f);
  return g_nclip;
}
void rl_publish(int id, int vpt, int apt) {
  peer *p = g_peer[id];
  p->vpt = vpt, p->apt = apt, p->publishing = 1;
  pthread_mutex_lock(&g_mu);
  if (!g_pubth_on) g_pubth_on = 1, pthread_create(&g_pubth, NULL, pub_main, NULL);
  pthread_mutex_unlock(&g_mu);
}
/* plain RTP publisher (no ICE, DTLS or SRTP), e.g. to a Janus streaming mountpoint */
void rl_publish_plain(int id, const char *ip, int vport, int aport, int vpt, int apt) {
  peer *p = g_peer[id];
  p->plain = 1, p->plainv.sin_family = p->plaina.sin_family = AF_INET;
  inet_pton(AF_INET, ip, &p->plainv.sin_addr), p->plaina.sin_addr = p->plainv.sin_addr;
  p->plainv.sin_port = htons(vport), p->plaina.sin_port = htons(aport);
  p->state = S_CONNECTED;
  rl_publish(id, vpt, apt);
}
void rl_pause(int on) { g_paused = on; }
void publish_end(void) {
  if (g_pubth_on) pthread_join(g_pubth, NULL);
}
