/* receive.c: RTP and RTCP of a peer, counted from clear headers; reports, NACKs and transport-wide feedback. */
#include "rtcload.h"

static const uint8_t STAMP_UUID[17] = "LIVESHOPLATENCY1";

static track *get_track(peer *p, uint32_t ssrc) {
  for (int i = 0; i < MAXTRACK; i++) {
    if (p->tr[i].used && p->tr[i].ssrc == ssrc) return &p->tr[i];
    if (!p->tr[i].used) {
      p->tr[i].used = 1, p->tr[i].ssrc = ssrc;
      return &p->tr[i];
    }
  }
  return NULL;
}
static void send_rtcp(peer *p, uint8_t *b, int n) {
  if (!p->out || srtp_protect_rtcp(p->out, b, &n)) return;
  sendto(p->fd, b, n, MSG_DONTWAIT, (void *)&p->sel, sizeof p->sel);
  p->st.rtcp_tx++;
}
static void send_nack(peer *p, track *t, uint16_t first, int count) {
  while (count > 0) {
    uint8_t b[256];
    int k = count > 17 ? 17 : count;
    b[0] = 0x81, b[1] = 205, put16(b + 2, 3), put32(b + 4, p->my_ssrc), put32(b + 8, t->ssrc);
    put16(b + 12, first), put16(b + 14, (1u << (k - 1)) - 1);
    send_rtcp(p, b, 16);
    p->st.nack_tx += k;
    first += k, count -= k;
  }
}
/* Feedback of draft-holmer-rmcat-transport-wide-cc-extensions-01, in two-bit status vectors of 7 numbers. */
void send_twcc(peer *p) {
  static const int64_t UNIT_US = 250, REF_US = 64000;
  static __thread uint8_t b[20 + TW_N / 7 * 2 + 2 + TW_N * 2 + 64];
  int count = (uint16_t)(p->tw_max - p->tw_base) + 1, o = 20;
  uint64_t first = 0;
  for (int i = 0; i < count && !first; i++) first = p->tw_arr[(uint16_t)(p->tw_base + i) % TW_N];
  int64_t ref = first / REF_US, last = ref * REF_US;
  int deltas = o + 2 * ((count + 6) / 7);
  for (int i = 0; i < count; i += 7) {
    uint16_t chunk = 0xC000;
    for (int k = 0; k < 7 && i + k < count; k++) {
      uint64_t *arr = &p->tw_arr[(uint16_t)(p->tw_base + i + k) % TW_N];
      if (!*arr) continue;
      int64_t d = ((int64_t)*arr - last) / UNIT_US;
      last += d * UNIT_US, *arr = 0;
      if (d >= 0 && d < 256)
        chunk |= 1 << (12 - 2 * k), b[deltas++] = d;
      else
        chunk |= 2 << (12 - 2 * k), put16(b + deltas, (uint16_t)d), deltas += 2;
    }
    put16(b + o, chunk), o += 2;
  }
  int n = deltas;
  while (n & 3) b[n++] = 0;
  b[0] = 0x8F, b[1] = 205, put16(b + 2, n / 4 - 1), put32(b + 4, p->my_ssrc), put32(b + 8, p->tr[0].ssrc);
  put16(b + 12, p->tw_base), put16(b + 14, count), put32(b + 16, (uint32_t)ref << 8 | p->tw_count++);
  send_rtcp(p, b, n);
  p->st.twcc_tx++, p->tw_open = 0;
}
static void note_twcc(peer *p, const uint8_t *b, int n, uint64_t arr) {
  int h = 12 + 4 * (b[0] & 15);
  if (!(b[0] & 0x10) || n < h + 4 || get16(b + h) != 0xBEDE) return;
  int end = h + 4 + 4 * get16(b + h + 2);
  for (int o = h + 4; o < end && end <= n;) {
    int id = b[o] >> 4, len = (b[o] & 15) + 1;
    if (!b[o]) {
      o++;
      continue;
    }
    if (id == p->tw_id && len == 2 && o + 3 <= end) {
      uint16_t seq = get16(b + o + 1);
      if (!p->tw_open) p->tw_open = 1, p->tw_base = p->tw_max = seq;
      int16_t d = (int16_t)(seq - p->tw_base);
      if (d < 0) return; /* reported as lost already */
      if (d >= TW_N) send_twcc(p), p->tw_open = 1, p->tw_base = p->tw_max = seq;
      if ((int16_t)(seq - p->tw_max) > 0) p->tw_max = seq;
      p->tw_arr[seq % TW_N] = arr;
    }
    o += 1 + len;
  }
}
void on_rtp(peer *p, uint8_t *b, int n, uint64_t arr) {
  if (n < 12 + 4) return;
  if (g_drop_ppm && (xrand(p) % 1000000) < (uint32_t)g_drop_ppm) {
    p->st.dropped++;
    return;
  }
  if (p->tw_id) note_twcc(p, b, n, arr);
  if (p->rtx_pt && (b[1] & 0x7f) == p->rtx_pt) {
    p->st.rtx_rx++;
    return;
  }
  uint16_t seq = get16(b + 2);
  uint32_t ts = get32(b + 4), ssrc = get32(b + 8);
  rl_stats *st = &p->st;
  track *t = get_track(p, ssrc);
  if (!st->pkts) st->t_first = arr;
  st->pkts++, st->bytes += n, st->t_last_rx = arr;
  if (!t) return;
  if (!t->rx) {
    t->pt = b[1] & 0x7f, t->max = t->base = seq;
    t->video = (t->pt != p->apt);
    memset(t->bits, 0, sizeof t->bits);
    t->bits[(seq >> 6) & 15] |= 1ull << (seq & 63);
  } else {
    int16_t d = (int16_t)(seq - t->max);
    if (d > 0 && d < 3000) {
      if (seq < t->max) t->cycles++;
      for (int i = 1; i < d && i < 1024; i++) {
        uint16_t s = t->max + i;
        t->bits[(s >> 6) & 15] &= ~(1ull << (s & 63));
      }
      t->bits[(seq >> 6) & 15] |= 1ull << (seq & 63);
      if (d > 1) {
        st->lost += d - 1;
        if (g_nack && t->video && d < 200) send_nack(p, t, t->max + 1, d - 1);
      }
      t->max = seq;
    } else if (d <= 0 && d > -1000) {
      uint64_t m = 1ull << (seq & 63), *w = &t->bits[(seq >> 6) & 15];
      if (*w & m)
        st->dups++;
      else
        *w |= m, st->late++, st->recovered++, st->lost--;
    } else {
      st->resets++, t->max = t->base = seq, t->rx = 0, t->cycles = 0, t->last_expected = t->last_rx = 0;
    }
  }
  t->rx++;
  int64_t transit = (int64_t)(arr * (t->video ? 90 : 48) / 1000) - (int64_t)ts;
  if (t->last_transit) {
    int64_t d = (int64_t)(int32_t)(transit - t->last_transit);
    t->jitter += ((d < 0 ? -d : d) - t->jitter) / 16;
  }
  t->last_transit = transit;
  if (!t->video) {
    st->apkts++;
    return;
  }
  st->vpkts++;
  if (b[1] & 0x80) {
    if (t->last_marker_us && arr > t->last_marker_us) {
      uint64_t g = arr - t->last_marker_us;
      if (g > st->max_gap_us) st->max_gap_us = g;
      if (g > 200000) st->freezes++;
    }
    t->last_marker_us = arr, st->frames++;
  }
  if (p->have_stamp) {
    int64_t lat = (int64_t)arr - (p->stamp_us + (int64_t)(int32_t)(ts - p->stamp_ts) * 100 / 9);
    if (lat < 0) lat = 0;
    st->lat_n++, st->lat_sum_us += lat;
    if ((uint64_t)lat > st->lat_max_us) st->lat_max_us = lat;
    int k = lat / HIST_US;
    __atomic_fetch_add(&g_hist[k < HIST_N ? k : HIST_N], 1, __ATOMIC_RELAXED);
  } else if (p->in && n < 200) {
    int h = 12 + 4 * (b[0] & 15);
    if ((b[0] & 0x10) && n > h + 4) h += 4 + 4 * get16(b + h + 2);
    if (n - h - p->tag == STAMP_LEN) {
      uint8_t c[256];
      int cn = n;
      memcpy(c, b, n);
      if (srtp_unprotect(p->in, c, &cn) == srtp_err_status_ok && cn - h == STAMP_LEN && !memcmp(c + h + 3, STAMP_UUID, 16)) {
        int64_t v = 0;
        for (int i = 0; i < 10; i++) v = v << 7 | (c[h + 19 + i] & 0x7f);
        p->stamp_us = v, p->stamp_ts = ts, p->have_stamp = 1, st->stamp_ok++;
      } else
        st->stamp_bad++;
    }
  }
}
void on_rtcp(peer *p, uint8_t *b, int n) {
  p->st.rtcp_rx++;
  if (p->kind != K_PUBLISHER || !p->in) return;
  if (srtp_unprotect_rtcp(p->in, b, &n)) {
    p->st.rtcp_bad++;
    return;
  }
  for (int o = 0; o + 8 <= n;) {
    int pt = b[o + 1], fmt = b[o] & 31, l = 4 + 4 * get16(b + o + 2);
    if (o + l > n) break;
    if (pt == 201) p->st.rr_rx++;
    if (pt == 206 && fmt == 1) p->st.pli_rx++;
    if (pt == 206 && fmt == 4) p->st.fir_rx++;
    if (pt == 206 && fmt == 15) p->st.remb_rx++;
    if (pt == 205 && fmt == 15) p->st.twcc_rx++;
    if (pt == 205 && fmt == 1 && p->ring && get32(b + o + 8) == p->vssrc)
      for (int k = o + 12; k + 4 <= o + l; k += 4) {
        uint16_t pid = get16(b + k), blp = get16(b + k + 2);
        for (int i = 0; i < 17; i++)
          if (i == 0 || (blp >> (i - 1)) & 1) {
            uint16_t s = pid + i;
            p->st.nack_rx++;
            pthread_mutex_lock(&p->ringlock);
            ringpkt *r = &p->ring[s % RING];
            if (r->len && r->seq == s)
              sendto(p->fd, r->data, r->len, MSG_DONTWAIT, (void *)&p->sel, sizeof p->sel), p->st.nack_resent++;
            pthread_mutex_unlock(&p->ringlock);
          }
      }
    o += l;
  }
}
void send_rr(peer *p) {
  uint8_t b[400];
  int nb = 0, o = 8;
  for (int i = 0; i < MAXTRACK && nb < 4; i++) {
    track *t = &p->tr[i];
    if (!t->used || !t->rx) continue;
    uint32_t ext = (t->cycles << 16) + t->max;
    uint64_t expected = (uint64_t)ext - t->base + 1;
    int64_t lost = (int64_t)expected - (int64_t)t->rx;
    int64_t ei = expected - t->last_expected, ri = t->rx - t->last_rx, li = ei - ri;
    t->last_expected = expected, t->last_rx = t->rx;
    put32(b + o, t->ssrc);
    put32(b + o + 4, (lost > 0 ? (uint32_t)lost & 0x7fffff : 0));
    b[o + 4] = ei > 0 && li > 0 ? (uint8_t)((li << 8) / ei) : 0;
    put32(b + o + 8, ext), put32(b + o + 12, (uint32_t)t->jitter);
    put32(b + o + 16, 0), put32(b + o + 20, 0);
    o += 24, nb++;
  }
  if (!nb) return;
  b[0] = 0x80 | nb, b[1] = 201, put16(b + 2, o / 4 - 1), put32(b + 4, p->my_ssrc);
  b[o] = 0x81, b[o + 1] = 202, put16(b + o + 2, 3), put32(b + o + 4, p->my_ssrc); /* SDES CNAME "load" */
  memcpy(b + o + 8, "\x01\x04load\0\0", 8);
  o += 16;
  if (g_pli && !p->pli_sent)
    for (int i = 0; i < MAXTRACK; i++)
      if (p->tr[i].used && p->tr[i].video) {
        b[o] = 0x81, b[o + 1] = 206, put16(b + o + 2, 2), put32(b + o + 4, p->my_ssrc), put32(b + o + 8, p->tr[i].ssrc);
        o += 12, p->pli_sent = 1;
        break;
      }
  send_rtcp(p, b, o);
}
