/* connect.c: ICE (STUN), DTLS 1.2 and the SRTP keys of a peer. */
#include "rtcload.h"

static SSL_CTX *g_ctx;
static X509 *g_cert;
static EVP_PKEY *g_key;
static char g_fp[120];

static uint32_t crc32_(const uint8_t *d, int n) {
  static uint32_t t[256];
  if (!t[1])
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t c = i;
      for (int k = 0; k < 8; k++) c = c & 1 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
      t[i] = c;
    }
  uint32_t c = ~0u;
  while (n--) c = t[(c ^ *d++) & 255] ^ (c >> 8);
  return ~c;
}
/* ------------------------------------------------------------------ STUN */
static int stun_attr(uint8_t *b, int o, uint16_t type, const void *v, int n) {
  put16(b + o, type), put16(b + o + 2, n);
  if (n) memcpy(b + o + 4, v, n);
  o += 4 + n;
  while (o & 3) b[o++] = 0;
  return o;
}
static int stun_finish(uint8_t *b, int o, const char *pwd) {
  uint8_t mac[20];
  unsigned ml = 20;
  put16(b + 2, o - 20 + 24);
  HMAC(EVP_sha1(), pwd, strlen(pwd), b, o, mac, &ml);
  o = stun_attr(b, o, 0x0008, mac, 20);
  put16(b + 2, o - 20 + 8);
  uint8_t f[4];
  put32(f, crc32_(b, o) ^ 0x5354554e);
  return stun_attr(b, o, 0x8028, f, 4);
}
void stun_request(peer *p, struct sockaddr_in *to) {
  uint8_t b[900];
  put16(b, 0x0001), put32(b + 4, 0x2112A442);
  for (int i = 0; i < 3; i++) put32(b + 8 + 4 * i, xrand(p));
  int o = 20;
  char u[600];
  int ul = snprintf(u, sizeof u, "%s:%s", p->rufrag, p->lufrag);
  o = stun_attr(b, o, 0x0006, u, ul);
  uint8_t pr[4];
  put32(pr, 1853693695u);
  o = stun_attr(b, o, 0x0024, pr, 4);
  o = stun_attr(b, o, p->controlling ? 0x802A : 0x8029, p->tiebreak, 8);
  if (p->controlling) o = stun_attr(b, o, 0x0025, NULL, 0);
  o = stun_finish(b, o, p->rpwd);
  sendto(p->fd, b, o, MSG_DONTWAIT, (void *)to, sizeof *to);
}
static void start_dtls(peer *p);
void on_stun(peer *p, uint8_t *b, int n, struct sockaddr_in *from) {
  if (n < 20 || get32(b + 4) != 0x2112A442) return;
  uint16_t type = get16(b);
  int use_cand = 0, err = 0;
  for (int o = 20; o + 4 <= n;) {
    uint16_t t = get16(b + o), l = get16(b + o + 2);
    if (o + 4 + l > n) break;
    if (t == 0x0025) use_cand = 1;
    if (t == 0x0009 && l >= 4) err = (b[o + 6] & 7) * 100 + b[o + 7];
    o += 4 + ((l + 3) & ~3);
  }
  if (type == 0x0001) {
    p->st.stun_req_rx++;
    uint8_t r[200], x[8] = {0, 1};
    put16(r, 0x0101), memcpy(r + 4, b + 4, 16);
    put16(x + 2, ntohs(from->sin_port) ^ 0x2112);
    put32(x + 4, ntohl(from->sin_addr.s_addr) ^ 0x2112A442);
    int o = stun_attr(r, 20, 0x0020, x, 8);
    o = stun_finish(r, o, p->lpwd);
    sendto(p->fd, r, o, MSG_DONTWAIT, (void *)from, sizeof *from);
    if (use_cand && !p->controlling) p->nominated = 1, p->lastsrc = *from;
    if (p->state == S_CHECKING) {
      int known = 0;
      for (int i = 0; i < p->ncand; i++)
        known |= p->cand[i].sin_port == from->sin_port && p->cand[i].sin_addr.s_addr == from->sin_addr.s_addr;
      if (!known && p->ncand < MAXCAND) p->cand[p->ncand++] = *from;
      if (!p->valid) stun_request(p, from); /* triggered check */
    }
  } else if (type == 0x0101) {
    p->st.stun_ok_rx++;
    if (!p->valid) p->valid = 1, p->lastsrc = *from;
  } else if (type == 0x0111 && err == 487) {
    p->controlling = !p->controlling;
  }
  if (p->state == S_CHECKING && p->valid && (p->controlling || p->nominated)) {
    p->sel = p->lastsrc, p->selected = 1, p->state = S_DTLS, p->st.t_ice = now_us();
    start_dtls(p);
  }
}

/* ------------------------------------------------------------------ DTLS */
static int bio_write(BIO *b, const char *d, int n) {
  peer *p = BIO_get_data(b);
  sendto(p->fd, d, n, MSG_DONTWAIT, (void *)&p->sel, sizeof p->sel);
  return n;
}
static int bio_read(BIO *b, char *d, int n) {
  peer *p = BIO_get_data(b);
  BIO_clear_retry_flags(b);
  if (!p->dg) {
    BIO_set_retry_read(b);
    return -1;
  }
  int k = p->dglen < n ? p->dglen : n;
  memcpy(d, p->dg, k);
  p->dg = NULL;
  return k;
}
static long bio_ctrl(BIO *b, int c, long n, void *v) {
  (void)b, (void)n, (void)v;
  switch (c) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
    case BIO_CTRL_DGRAM_GET_FALLBACK_MTU: return 1200;
    case BIO_CTRL_DGRAM_GET_MTU_OVERHEAD: return 28;
  }
  return 0;
}
static int bio_create(BIO *b) {
  BIO_set_init(b, 1);
  return 1;
}
static BIO_METHOD *g_bm;
static unsigned dtls_timer(SSL *s, unsigned prev) {
  (void)s;
  return prev == 0 ? 150000 : prev >= 1000000 ? 1000000 : prev * 2;
}
static int verify_any(int ok, X509_STORE_CTX *c) {
  (void)ok, (void)c;
  return 1;
}
static void fp_of(X509 *x, char *out) {
  uint8_t md[32];
  unsigned n = 32;
  X509_digest(x, EVP_sha256(), md, &n);
  for (int i = 0; i < 32; i++) sprintf(out + 3 * i, i < 31 ? "%02X:" : "%02X", md[i]);
}
static srtp_t mk_srtp(int gcm, int inbound, uint8_t *key) {
  srtp_policy_t pol;
  memset(&pol, 0, sizeof pol);
  if (gcm) {
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&pol.rtp);
    srtp_crypto_policy_set_aes_gcm_128_16_auth(&pol.rtcp);
  } else {
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&pol.rtp);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&pol.rtcp);
  }
  pol.ssrc.type = inbound ? ssrc_any_inbound : ssrc_any_outbound;
  pol.key = key, pol.window_size = 1024, pol.allow_repeat_tx = 1;
  srtp_t s = NULL;
  if (srtp_create(&s, &pol) != srtp_err_status_ok) return NULL;
  return s;
}
static void dtls_done(peer *p) {
  X509 *x = SSL_get_peer_certificate(p->ssl);
  char fp[120] = "";
  if (x) fp_of(x, fp), X509_free(x);
  if (p->rfp[0] && strcasecmp(fp, p->rfp)) {
    p->state = S_FAILED;
    return;
  }
  SRTP_PROTECTION_PROFILE *pr = SSL_get_selected_srtp_profile(p->ssl);
  if (!pr) {
    p->state = S_FAILED;
    return;
  }
  int gcm = pr->id == SRTP_AEAD_AES_128_GCM;
  int kl = 16, sl = gcm ? 12 : 14;
  uint8_t m[64], ck[32], sk[32];
  SSL_export_keying_material(p->ssl, m, 2 * (kl + sl), "EXTRACTOR-dtls_srtp", 19, NULL, 0, 0);
  memcpy(ck, m, kl), memcpy(ck + kl, m + 2 * kl, sl);
  memcpy(sk, m + kl, kl), memcpy(sk + kl, m + 2 * kl + sl, sl);
  uint8_t *tx = p->dtls_client ? ck : sk, *rx = p->dtls_client ? sk : ck;
  p->tag = gcm ? 16 : 10;
  p->in = mk_srtp(gcm, 1, rx), p->out = mk_srtp(gcm, 0, tx);
  if (p->kind == K_PUBLISHER) p->pubout = mk_srtp(gcm, 0, tx);
  p->st.srtp_profile = pr->id;
  p->st.t_dtls = now_us();
  p->next_rr = p->st.t_dtls + 200000 + xrand(p) % 800000;
  p->next_consent = p->st.t_dtls + xrand(p) % (1000 * g_consent_ms + 1);
  p->state = S_CONNECTED;
}
static void dtls_step(peer *p) {
  int r = SSL_do_handshake(p->ssl);
  if (r == 1) {
    if (p->state == S_DTLS) dtls_done(p);
  } else {
    int e = SSL_get_error(p->ssl, r);
    if (e != SSL_ERROR_WANT_READ && e != SSL_ERROR_WANT_WRITE) p->state = S_FAILED;
    ERR_clear_error();
  }
}
static void start_dtls(peer *p) {
  p->ssl = SSL_new(g_ctx);
  BIO *b = BIO_new(g_bm);
  BIO_set_data(b, p);
  SSL_set_bio(p->ssl, b, b);
  SSL_set_options(p->ssl, SSL_OP_NO_QUERY_MTU);
  SSL_set_mtu(p->ssl, 1200);
  DTLS_set_timer_cb(p->ssl, dtls_timer);
  if (p->dtls_client)
    SSL_set_connect_state(p->ssl), dtls_step(p);
  else
    SSL_set_accept_state(p->ssl);
}
void on_dtls(peer *p, uint8_t *b, int n, struct sockaddr_in *from) {
  if (!p->ssl) {
    if (p->state != S_CHECKING || p->dtls_client) return;
    /* DTLS client hello came before our own check was answered: take its source */
    p->sel = *from, p->selected = 1, p->state = S_DTLS, p->st.t_ice = now_us();
    start_dtls(p);
  }
  p->dg = b, p->dglen = n;
  if (p->state == S_DTLS)
    dtls_step(p);
  else {
    char t[2048];
    int r = SSL_read(p->ssl, t, sizeof t);
    if (r <= 0 && SSL_get_error(p->ssl, r) == SSL_ERROR_ZERO_RETURN) p->state = S_CLOSED; /* close_notify */
    ERR_clear_error();
  }
  p->dg = NULL;
}

/* ------------------------------------------------------------------ our certificate */
const char *rl_fingerprint(void) { return g_fp; }
int connect_init(const char *profiles) {
  g_key = EVP_EC_gen("P-256");
  g_cert = X509_new();
  X509_set_version(g_cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(g_cert), 1 + (now_us() & 0xfffffff));
  X509_gmtime_adj(X509_getm_notBefore(g_cert), -86400);
  X509_gmtime_adj(X509_getm_notAfter(g_cert), 86400L * 30);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(g_cert), "CN", MBSTRING_ASC, (void *)"rtcload", -1, -1, 0);
  X509_set_issuer_name(g_cert, X509_get_subject_name(g_cert));
  X509_set_pubkey(g_cert, g_key);
  X509_sign(g_cert, g_key, EVP_sha256());
  fp_of(g_cert, g_fp);
  g_ctx = SSL_CTX_new(DTLS_method());
  SSL_CTX_set_min_proto_version(g_ctx, DTLS1_2_VERSION);
  SSL_CTX_use_certificate(g_ctx, g_cert);
  SSL_CTX_use_PrivateKey(g_ctx, g_key);
  SSL_CTX_set_verify(g_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, verify_any);
  SSL_CTX_set_session_cache_mode(g_ctx, SSL_SESS_CACHE_OFF);
  if (SSL_CTX_set_tlsext_use_srtp(g_ctx, profiles)) return -2;
  g_bm = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "peer");
  BIO_meth_set_write(g_bm, bio_write), BIO_meth_set_read(g_bm, bio_read);
  BIO_meth_set_ctrl(g_bm, bio_ctrl), BIO_meth_set_create(g_bm, bio_create);
  return 0;
}
