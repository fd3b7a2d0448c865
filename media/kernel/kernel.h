/* What the parts of the C kernel share: rewrite.c and history.c (pure: bytes in, bytes out), slots.c (the peers), send.c (keys
 * and the socket) and table.c (Python).
 *
 * Every buffer has a fixed bound and no packet allocates. The numbers are those of media/kernel/__init__.py. */
#ifndef VENDUE_KERNEL_H
#define VENDUE_KERNEL_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* sendmmsg: so this file comes before any other header */
#endif

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum {
  MAX_BURST_PACKETS = 64,     /* UDP_MAX_SEGMENTS before Linux 6.9 */
  EXTENSION_BYTES = 8,        /* one transport-wide number: RFC 8285 section 4.2, padded */
  MAX_PACKET_BYTES = 1428,    /* longest plain RTP packet: with extension, tag, UDP and IPv6 1,500 bytes */
  MIN_RTP_BYTES = 12,         /* RFC 3550 section 5.1 */
  MAX_TRAILER_BYTES = 148,    /* SRTP_MAX_SRTCP_TRAILER_LEN of libsrtp 2 */
  MAX_DATAGRAM_BYTES = 65000, /* the system refuses a message above 65,507 before it is cut */
  MAX_RTCP_BYTES = 1500,      /* an SRTCP datagram that is looked at */
  HISTORY_PACKETS = 1024,     /* a power of two; at 500 packets a second two seconds, longer than feedback takes */
  REPORTED_LOST = 0x8000,     /* no packet is so long */
  FLOOR_US = 10 * 1000 * 1000,
  QUIET_QUEUE_US = 20 * 1000, /* a queue below is no news */
  QUIET_US = 250 * 1000,      /* so long messages without news are added up */
  TOLD_US = 10 * 1000,        /* nothing is told more often, whatever a peer sends */
};

struct packet {
  const uint8_t *bytes;
  size_t size;
};

/* --- rewrite.c: how a prepared packet becomes a viewer's -------------------------------------------------------- */

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

/* Cut a frame into runs; without GSO every packet is a run. `more` is what a viewer's copy is longer than the packet.
 * `runs` has room for `count` of them. Returns their number. */
int group_runs(const struct packet *packets, int count, size_t more, int gso, struct run *runs);

/* Write the copy that one viewer gets to `out`, which has room for EXTENSION_BYTES more than the packet; with
 * `extension` (an id of 1 to 14) a transport-wide `number` stands behind the header. `patch` NULL: the header is the
 * viewer's already. Returns the copy's size. */
size_t rewrite(uint8_t *out, const struct packet *packet, const struct patch *patch, int extension, uint16_t number);

/* Whether an extension can be put behind the header: it has none yet, and no CSRC. */
int takes_extension(const struct packet *packet);

/* --- history.c: what was sent to a viewer when, and what its feedback says of it ---------------------------------- */

/* What feedback says: see media.kernel.Acked. */
struct acked {
  long received, lost, octets, unknown;
  long long queue_us, arrived_us;
};

/* The least delay of one or two windows of FLOOR_US, which stands for an empty path. */
struct delay_floor {
  int64_t newer_us, older_us;
  uint64_t since_us;
  int windows; /* 0: no delay is known yet */
};

/* The last packets under transport-wide numbers; `next` is the number (not wrapped) of the one to come. */
struct history {
  uint64_t next;
  int64_t first_delay_us; /* all delays are told relative to the first one */
  int has_delay;
  struct delay_floor floor;
  struct acked waiting; /* said by messages with no news in them, and not told yet */
  uint64_t told_us;
  uint32_t sent_us[HISTORY_PACKETS];
  uint16_t size[HISTORY_PACKETS]; /* 0: reported as received; with REPORTED_LOST: as lost so far */
};

/* Give a packet of this size its number. */
uint16_t history_note(struct history *history, size_t size, uint64_t now_us);

/* Read the FCI of a transport-wide feedback message (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1).
 * Writes what is to be told of it and of messages before it to `told`, which has room for two. Returns how many those are;
 * none when the message is malformed, which changes nothing. */
int history_acknowledge(struct history *history, const uint8_t *fci, size_t size, uint64_t now_us, struct acked *told);

/* The next transport-wide feedback of a plain compound from `*at` on, which moves behind it: its FCI, NULL when there is none.
 * `*others` becomes true when something else was passed, or bytes that are no RTCP. */
const uint8_t *next_feedback(const uint8_t *compound, size_t size, size_t *at, size_t *fci_size, int *others);

/* --- slots.c: the peers ------------------------------------------------------------------------------------------------ */

enum { MAX_ACKED = 1024 };

/* One peer. */
struct slot {
  void *context, *inbound; /* libsrtp's; NULL: free; nothing is taken. Their owners are kept alive by native.py */
  struct history *history; /* NULL: no transport-wide numbers */
  uint32_t generation, next_free;
  int tag, extension;
  socklen_t address_size;
  struct sockaddr_storage address;
};

/* Grows as peers come; a number is never used again. */
struct slots {
  struct slot *all;
  uint32_t capacity, first_free;
};

/* Digests of feedback that wait to be asked for. */
struct told {
  int count;
  struct {
    long long slot;
    struct acked acked;
  } entries[MAX_ACKED];
};

/* NULL when that peer has gone. */
struct slot *slots_find(const struct slots *slots, long long number);

/* A slot that nobody has, to be filled and taken; NULL when MAX_SLOTS are taken or memory is used up. */
struct slot *slots_free(struct slots *slots);

/* Returns the slot's number. */
uint64_t slots_take(struct slots *slots, struct slot *slot);

void slots_release(struct slots *slots, struct slot *slot);
void slots_end(struct slots *slots);

/* Take in the feedback of a plain compound; true when there is anything else in it. Without room in `told` the rest is
 * dropped. `history` NULL: no numbers were given, so none is believed. */
int take_feedback(struct told *told, long long number, struct history *history, const uint8_t *compound, size_t size,
                  uint64_t now_us);

/* --- send.c: encrypting and sending --------------------------------------------------------------------------------- */

enum {
  ARENA_BYTES = 256 * 1024, /* stays in the L2 cache; more than twice the largest frame */
  MAX_MESSAGES = 256,
};

typedef int (*protect_function)(void *context, void *packet, int *size); /* of libsrtp; srtp_unprotect_rtcp, too */

/* One viewer of a burst. */
struct job {
  struct slot *slot;
  struct patch patch;
};

struct outcome {
  long packets, octets, dropped;
};

struct message {
  struct iovec bytes;
  int packets, segment;
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))];
};

/* One non-blocking UDP socket and what waits to be sent through it. */
struct sender {
  int fd, gso;
  protect_function protect, protect_rtcp;
  int waiting; /* messages in the table */
  size_t arena_used;
  struct mmsghdr headers[MAX_MESSAGES];
  struct message messages[MAX_MESSAGES];
  uint8_t arena[ARENA_BYTES];
};

/* Send a frame to every job's viewer. */
void send_burst(struct sender *self, const struct packet *packets, int count, const struct job *jobs, long job_count,
                uint64_t now_us, struct outcome *out);

/* Send complete RTP packets to one viewer, in order. */
void send_packets(struct sender *self, const struct slot *slot, const struct packet *packets, int count, uint64_t now_us,
                  struct outcome *out);

/* Send one compound RTCP packet to one peer. */
void send_rtcp(struct sender *self, const struct slot *slot, const struct packet *packet, struct outcome *out);

#endif
