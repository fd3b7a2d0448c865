/* How a prepared packet becomes a viewer's: header fields (RFC 3550 section 5.1), a transport-wide number (RFC 8285) and the
 * runs that GSO can carry. */
#include "kernel.h"

#include <string.h>

int group_runs(const struct packet *packets, int count, size_t more, int gso, struct run *runs) {
  int number = 0;
  for (int first = 0; first < count;) {
    size_t segment = packets[first].size, total = segment + more;
    int taken = 1;
    while (gso && first + taken < count) {
      size_t size = packets[first + taken].size;
      if (size > segment || total + size + more > MAX_DATAGRAM_BYTES) break;
      total += size + more;
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

int takes_extension(const struct packet *packet) {
  return packet->size >= MIN_RTP_BYTES && (packet->bytes[0] & 0xdf) == 0x80;
}

size_t rewrite(uint8_t *out, const struct packet *packet, const struct patch *patch, int extension, uint16_t number) {
  size_t size = packet->size;
  if (extension) {
    uint8_t *block = out + MIN_RTP_BYTES;
    memcpy(out, packet->bytes, MIN_RTP_BYTES);
    memcpy(block + EXTENSION_BYTES, packet->bytes + MIN_RTP_BYTES, size - MIN_RTP_BYTES);
    out[0] |= 0x10;
    block[0] = 0xbe;
    block[1] = 0xde;
    block[2] = 0;
    block[3] = 1; /* 32-bit words that follow */
    block[4] = (uint8_t)(extension << 4 | 1);
    block[5] = (uint8_t)(number >> 8);
    block[6] = (uint8_t)number;
    block[7] = 0;
    size += EXTENSION_BYTES;
  } else {
    memcpy(out, packet->bytes, size);
  }
  if (patch) {
    uint16_t seq = (uint16_t)((out[2] << 8 | out[3]) + patch->seq_offset);
    out[1] = (uint8_t)((out[1] & 0x80) | patch->payload_type);
    out[2] = (uint8_t)(seq >> 8);
    out[3] = (uint8_t)seq;
    out[8] = (uint8_t)(patch->ssrc >> 24);
    out[9] = (uint8_t)(patch->ssrc >> 16);
    out[10] = (uint8_t)(patch->ssrc >> 8);
    out[11] = (uint8_t)patch->ssrc;
  }
  return size;
}
