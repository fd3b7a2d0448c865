/* What the parts of the load engine share: peers, their counters, and who calls whom. See rtcload.c. */
#ifndef RTCLOAD_H
#define RTCLOAD_H
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <srtp2/srtp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAXP 16384
#define MAXTRACK 6
#define MAXCAND 8
#define BATCH 32
#define BUFSZ 2048
#define HIST_N 20000 /* latency histogram, 100 us a bucket, up to 2 s */
#define HIST_US 100
#define RING 2048
#define STAMP_LEN 30
#define TW_N 1024 /* transport-wide numbers that one feedback packet may cover */

enum { S_NEW, S_CHECKING, S_DTLS, S_CONNECTED, S_FAILED, S_CLOSED };
enum { K_VIEWER, K_PUBLISHER };

typedef struct {
  int32_t state, srtp_profile;
  uint64_t t_start, t_ice, t_dtls, t_first; /* CLOCK_REALTIME us; t_first = first media packet */
  uint64_t pkts, bytes, vpkts, apkts, lost, late, dups, resets, recovered, dropped;
  uint64_t frames, freezes, max_gap_us, lat_n, lat_sum_us, lat_max_us, stamp_ok, stamp_bad;
  uint64_t rtcp_rx, rtcp_tx, stun_req_rx, stun_ok_rx, nack_tx, kernel_drops, other_rx;
  uint64_t pli_rx, fir_rx, nack_rx, nack_resent, twcc_rx, remb_rx, rr_rx, rtcp_bad;
  uint64_t twcc_tx, rtx_rx;
  uint64_t t_last_rx;
} rl_stats;

typedef struct {
  uint32_t ssrc, last_ts;
  uint16_t max, base;
  uint8_t pt, used, video;
  uint32_t cycles;
  uint64_t rx, last_expected, last_rx;
  uint64_t last_marker_us;
  double jitter;
  int64_t last_transit;
  uint64_t bits[16]; /* seen bitmap, 1024 sequence numbers */
} track;

typedef struct {
  uint16_t len, seq;
  uint8_t data[1500];
} ringpkt;

typedef struct peer {
  int id, fd, kind, state, closing, in_epoll, loop, dtls_client, controlling, started;
  char lufrag[8], lpwd[32], rufrag[260], rpwd[260], rfp[120];
  uint8_t tiebreak[8];
  struct sockaddr_in cand[MAXCAND], sel, lastsrc;
  int ncand, selected, valid, nominated;
  SSL *ssl;
  const uint8_t *dg;
  int dglen;
  srtp_t in, out, pubout;
  int tag;
  uint64_t next_check, next_rr, next_consent, check_n, give_up;
  uint32_t my_ssrc, rnd;
  track tr[MAXTRACK];
  int have_stamp, pli_sent;
  /* transport-wide congestion control: extension id (0: not negotiated), RTX payload type, arrivals since tw_base */
  int tw_id, rtx_pt, tw_open;
  uint16_t tw_base, tw_max;
  uint8_t tw_count;
  uint64_t tw_next, *tw_arr;
  uint32_t stamp_ts;
  int64_t stamp_us;
  /* publisher */
  int publishing, vpt, apt;
  uint32_t vssrc, assrc, vts0, ats0;
  uint16_t vseq, aseq;
  uint64_t pub_first, pub_base, next_sr, vcount, acount, vbytes, abytes;
  uint32_t evi;
  int plain; /* plain RTP, no ICE or DTLS */
  struct sockaddr_in plainv, plaina;
  ringpkt *ring;
  pthread_mutex_t ringlock;
  rl_stats st;
} peer;

typedef struct {
  uint32_t t_us;
  uint8_t kind, marker, flags;
  uint16_t len;
  uint8_t *data;
} clipev;

typedef struct {
  pthread_t th;
  int ep, idx, np, npend;
  peer *list[MAXP];
  peer *pend[MAXP];
  pthread_mutex_t mu;
  struct mmsghdr mm[BATCH];
  struct iovec iov[BATCH];
  struct sockaddr_in sa[BATCH];
  uint8_t buf[BATCH][BUFSZ];
  uint8_t ctl[BATCH][64];
} loop_t;

extern peer *g_peer[MAXP];
extern int g_npeer, g_stop;
extern uint64_t g_hist[HIST_N + 1];
extern int g_nack, g_drop_ppm, g_pli, g_consent_ms;
extern pthread_mutex_t g_mu;

static inline uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (uint64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}
static inline void put16(uint8_t *p, uint16_t v) { p[0] = v >> 8, p[1] = v; }
static inline void put32(uint8_t *p, uint32_t v) { p[0] = v >> 24, p[1] = v >> 16, p[2] = v >> 8, p[3] = v; }
static inline uint16_t get16(const uint8_t *p) { return p[0] << 8 | p[1]; }
static inline uint32_t get32(const uint8_t *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static inline uint32_t xrand(peer *p) {
  uint32_t x = p->rnd;
  x ^= x << 13, x ^= x >> 17, x ^= x << 5;
  return p->rnd = x;
}

/* connect.c: a peer's way to SRTP keys */
int connect_init(const char *profiles);
void stun_request(peer *p, struct sockaddr_in *to);
void on_stun(peer *p, uint8_t *b, int n, struct sockaddr_in *from);
void on_dtls(peer *p, uint8_t *b, int n, struct sockaddr_in *from);

/* receive.c: what arrives, counted, and what is said of it */
void on_rtp(peer *p, uint8_t *b, int n, uint64_t arr);
void on_rtcp(peer *p, uint8_t *b, int n);
void send_rr(peer *p);
void send_twcc(peer *p);

/* publish.c */
void publish_end(void);
#endif
