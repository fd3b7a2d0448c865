/* How a prepared frame becomes a viewer's: header fields (RFC 3550 section 5.1) and the runs that GSO can carry. */
#include "kernel.h"

#include <string.h>

int group_runs(const struct packet *packets, int count, size_t tag, int gso, struct run *runs) {
  int number = 0;
  for (int first = 0; first < count;) {
    size_t segment = packets[first].size, total = segment + tag;
    int taken = 1;
    while (gso && first + taken < count) {
      size_t size = packets[first + taken].size;
      if (size > segment || total + size + tag > MAX_DATAGRAM_BYTES) break;
      total += size + tag;
      taken++;
      if (size < segment) break;
    }
    runs[number].first = first;
    runs[number].count = taken;
    number++;
    first += taken;
  }
  return number;
}

void rewrite(uint8_t *out, const struct packet *packet, const struct patch *patch) {
  memcpy(out, packet->bytes, packet->size);
  uint16_t seq = (uint16_t)((out[2] << 8 | out[3]) + patch->seq_offset);
  out[1] = (uint8_t)((out[1] & 0x80) | patch->payload_type);
  out[2] = (uint8_t)(seq >> 8);
  out[3] = (uint8_t)seq;
  out[8] = (uint8_t)(patch->ssrc >> 24);
  out[9] = (uint8_t)(patch->ssrc >> 16);
  out[10] = (uint8_t)(patch->ssrc >> 8);
  out[11] = (uint8_t)patch->ssrc;
}
