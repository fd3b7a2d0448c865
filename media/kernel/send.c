/* Encrypting and sending: for each viewer the frame is copied, patched and encrypted into the arena; when the arena or the
 * message table is full, one sendmmsg sends what is there. A viewer's frame is one message where its packets have equal
 * sizes (UDP_SEGMENT). Nothing here touches Python, so the GIL is released around it.
 *
 * libsrtp is the one that pylibsrtp carries: its functions come as addresses, so nothing is linked. */
#include "kernel.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* linux/udp.h */
#endif

static int is_full(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

static int knows_no_gso(int error) {
  return error == EIO || error == EINVAL || error == EOPNOTSUPP || error == ENOPROTOOPT;
}

static void count_message(const struct message *message, int ok, struct outcome *out) {
  if (!ok) {
    out->dropped += message->packets;
    return;
  }
  out->packets += message->packets;
  out->octets += (long)message->bytes.iov_len;
}

/* One datagram at a time, for the message that taught us that the device cannot cut. */
static void send_cut(struct sender *self, const struct msghdr *header, const struct message *message, struct outcome *out) {
  const uint8_t *bytes = message->bytes.iov_base;
  size_t left = message->bytes.iov_len;
  while (left > 0) {
    size_t size = left < (size_t)message->segment ? left : (size_t)message->segment;
    if (sendto(self->fd, bytes, size, MSG_DONTWAIT, header->msg_name, header->msg_namelen) < 0) {
      out->dropped++;
    } else {
      out->packets++;
      out->octets += (long)size;
    }
    bytes += size;
    left -= size;
  }
}

/* Send what waits. A full socket drops the rest (the policy of media.kernel); a dead address costs its viewer alone. */
static void flush(struct sender *self, struct outcome *out) {
  for (int at = 0; at < self->waiting;) {
    int taken = sendmmsg(self->fd, &self->headers[at], (unsigned)(self->waiting - at), MSG_DONTWAIT);
    if (taken > 0) {
      for (int end = at + taken; at < end; at++) count_message(&self->messages[at], 1, out);
      continue;
    }
    if (errno == EINTR) continue;
    if (is_full(errno)) {
      for (; at < self->waiting; at++) count_message(&self->messages[at], 0, out);
      break;
    }
    if (self->messages[at].segment && knows_no_gso(errno)) {
      self->gso = 0;
      send_cut(self, &self->headers[at].msg_hdr, &self->messages[at], out);
    } else {
      count_message(&self->messages[at], 0, out);
    }
    at++;
  }
  self->waiting = 0;
  self->arena_used = 0;
}

static void enqueue(struct sender *self, const struct slot *slot, uint8_t *bytes, size_t size, int packets, int segment) {
  struct message *message = &self->messages[self->waiting];
  struct msghdr *header = &self->headers[self->waiting].msg_hdr;
  message->bytes.iov_base = bytes;
  message->bytes.iov_len = size;
  message->packets = packets;
  message->segment = segment;
  memset(header, 0, sizeof *header);
  header->msg_name = (void *)&slot->address;
  header->msg_namelen = slot->address_size;
  header->msg_iov = &message->bytes;
  header->msg_iovlen = 1;
  if (segment) {
    header->msg_control = message->control;
    header->msg_controllen = sizeof message->control;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    control->cmsg_level = IPPROTO_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    uint16_t value = (uint16_t)segment;
    memcpy(CMSG_DATA(control), &value, sizeof value);
  }
  self->waiting++;
}

/* Encrypt one viewer's copy of the frame into the arena; its packets lie behind one another. Returns 0 when libsrtp
 * refused one: a hole would break the run, so the viewer's NACK brings all of it. */
static int protect_frame(struct sender *self, const struct job *job, const struct packet *packets, int count,
                         uint64_t now_us, size_t *ends) {
  const struct slot *slot = job->slot;
  size_t at = self->arena_used;
  for (int i = 0; i < count; i++) {
    uint16_t number = slot->history ? history_note(slot->history, packets[i].size, now_us) : 0;
    size_t plain = rewrite(self->arena + at, &packets[i], &job->patch, slot->extension, number);
    int size = (int)plain;
    if (self->protect(slot->context, self->arena + at, &size)) return 0;
    if ((size_t)size != plain + (size_t)slot->tag) return 0;
    at += (size_t)size;
    ends[i] = at;
  }
  return 1;
}

/* What a viewer's copy of a packet is longer than the packet. */
static size_t longer(const struct slot *slot) { return (size_t)slot->tag + (slot->extension ? EXTENSION_BYTES : 0); }

void send_burst(struct sender *self, const struct packet *packets, int count, const struct job *jobs, long job_count,
                uint64_t now_us, struct outcome *out) {
  struct run runs[MAX_BURST_PACKETS];
  size_t ends[MAX_BURST_PACKETS], plain = 0, more = SIZE_MAX;
  int number = 0, gso = self->gso;
  for (int i = 0; i < count; i++) plain += packets[i].size;
  for (long j = 0; j < job_count; j++) {
    const struct job *job = &jobs[j];
    if (longer(job->slot) != more || gso != self->gso) {
      more = longer(job->slot);
      gso = self->gso;
      number = group_runs(packets, count, more, gso, runs);
    }
    size_t room = plain + (size_t)count * more + MAX_TRAILER_BYTES;
    if (self->arena_used + room > ARENA_BYTES || self->waiting + number > MAX_MESSAGES) flush(self, out);
    if (!protect_frame(self, job, packets, count, now_us, ends)) {
      out->dropped += count;
      continue;
    }
    size_t start = self->arena_used;
    for (int r = 0; r < number; r++) {
      size_t end = ends[runs[r].first + runs[r].count - 1];
      int segment = runs[r].count > 1 ? (int)(packets[runs[r].first].size + more) : 0;
      enqueue(self, job->slot, self->arena + start, end - start, runs[r].count, segment);
      start = end;
    }
    self->arena_used = start;
  }
  flush(self, out);
}

/* One packet behind what waits. `extension` 0: none. */
static void send_one(struct sender *self, const struct slot *slot, protect_function protect, const struct packet *packet,
                     int extension, uint16_t number, struct outcome *out) {
  if (self->arena_used + packet->size + EXTENSION_BYTES + MAX_TRAILER_BYTES > ARENA_BYTES ||
      self->waiting == MAX_MESSAGES) {
    flush(self, out);
  }
  uint8_t *at = self->arena + self->arena_used;
  int size = (int)rewrite(at, packet, NULL, extension, number);
  if (protect(slot->context, at, &size)) {
    out->dropped++;
    return;
  }
  self->arena_used += (size_t)size;
  enqueue(self, slot, at, (size_t)size, 1, 0);
}

void send_packets(struct sender *self, const struct slot *slot, const struct packet *packets, int count, uint64_t now_us,
                  struct outcome *out) {
  for (int i = 0; i < count; i++) {
    int extension = takes_extension(&packets[i]) ? slot->extension : 0;
    uint16_t number = extension ? history_note(slot->history, packets[i].size, now_us) : 0;
    send_one(self, slot, self->protect, &packets[i], extension, number, out);
  }
  flush(self, out);
}

void send_rtcp(struct sender *self, const struct slot *slot, const struct packet *packet, struct outcome *out) {
  send_one(self, slot, self->protect_rtcp, packet, 0, 0, out);
  flush(self, out);
}
