/* What the two halves of the C kernel share: rewrite.c (pure: bytes in, bytes out) and send.c (keys, sockets, Python).
 *
 * Every buffer has a fixed bound and no packet allocates. The numbers are those of media/kernel/__init__.py. */
#ifndef VENDUE_KERNEL_H
#define VENDUE_KERNEL_H

#include <stddef.h>
#include <stdint.h>

enum {
  MAX_BURST_PACKETS = 64,     /* UDP_MAX_SEGMENTS before Linux 6.9 */
  MAX_PACKET_BYTES = 1436,    /* longest plain RTP packet: with tag, UDP and IPv6 1,500 bytes */
  MIN_RTP_BYTES = 12,         /* RFC 3550 section 5.1 */
  MAX_TRAILER_BYTES = 148,    /* SRTP_MAX_SRTCP_TRAILER_LEN of libsrtp 2 */
  MAX_DATAGRAM_BYTES = 65000, /* the system refuses a message above 65,507 before it is cut */
};

struct packet {
  const uint8_t *bytes;
  size_t size;
};

/* Neighbouring packets that one message can carry: equal sizes, only the last may be smaller. */
struct run {
  int first;
  int count;
};

/* What differs between one viewer's copy of a packet and everybody else's. */
struct patch {
  uint32_t ssrc;
  uint16_t seq_offset;
  uint8_t payload_type;
};

/* Cut a frame into runs; without GSO every packet is a run. `tag` is what encryption adds to each packet. `runs` has
 * room for `count` of them. Returns their number. */
int group_runs(const struct packet *packets, int count, size_t tag, int gso, struct run *runs);

/* Copy a prepared RTP packet (MIN_RTP_BYTES or more) to `out` as one viewer gets it. */
void rewrite(uint8_t *out, const struct packet *packet, const struct patch *patch);

#endif
