/* What was sent to a viewer under transport-wide numbers, and what its feedback says of it
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01). media/kernel/history.py is the same in Python. */
#include "kernel.h"

enum {
  HEAD_BYTES = 8,      /* base, count, reference time, feedback count */
  TICK_US = 250,       /* of a delta */
  REFERENCE_US = 64000 /* of the reference time */
};

struct reader {
  const uint8_t *at, *end;
};

uint16_t history_note(struct history *history, size_t size, uint64_t now_us) {
  uint64_t number = history->next++;
  history->sent_us[number % HISTORY_PACKETS] = (uint32_t)now_us;
  history->size[number % HISTORY_PACKETS] = (uint16_t)size;
  return (uint16_t)number;
}

/* The next status symbols: (their number in `*run`, at most 14 in `symbols`; a run of equal ones has one in it). Returns how
 * many stand in `symbols`, 0 when the chunks are cut off or empty. Sections 3.1.3 and 3.1.4. */
static int next_chunk(struct reader *reader, uint8_t *symbols, uint32_t *run) {
  if (reader->end - reader->at < 2) return 0;
  uint32_t chunk = (uint32_t)(reader->at[0] << 8 | reader->at[1]);
  reader->at += 2;
  if (!(chunk & 0x8000)) {
    symbols[0] = (uint8_t)(chunk >> 13);
    *run = chunk & 0x1fff;
    return *run ? 1 : 0;
  }
  *run = 1;
  int bits = chunk & 0x4000 ? 2 : 1, count = 14 / bits;
  for (int i = 0; i < count; i++) symbols[i] = (uint8_t)(chunk >> (14 - bits * (i + 1)) & ((1u << bits) - 1));
  return count;
}

/* Walk the chunks; with `statuses` (one per packet, room for `total`) keep them. Returns 0 when they are malformed. */
static int read_statuses(struct reader *reader, uint32_t total, uint8_t *statuses) {
  uint8_t symbols[14];
  for (uint32_t done = 0; done < total;) {
    uint32_t run;
    int count = next_chunk(reader, symbols, &run);
    if (!count) return 0;
    for (int i = 0; i < count && done < total; i++) {
      for (uint32_t k = 0; k < run && done < total; k++) statuses[done++] = symbols[i];
    }
  }
  return 1;
}

/* One packet's arrival (or loss, `arrived` 0) against what was sent. */
static void take(struct history *history, uint64_t number, int arrived, int64_t arrival_us, struct acked *out) {
  if (number >= history->next || history->next - number > HISTORY_PACKETS) {
    out->unknown++;
    return;
  }
  uint16_t *size = &history->size[number % HISTORY_PACKETS];
  if (!*size || (!arrived && *size & REPORTED_LOST)) return; /* told before */
  if (!arrived) {
    out->lost++;
    *size |= REPORTED_LOST;
    return;
  }
  if (*size & REPORTED_LOST) { /* it was only late */
    out->lost--;
    *size &= REPORTED_LOST - 1;
  }
  /* Both clocks run on; their difference is only known up to a constant, which the first delay takes away. */
  int64_t delay_us = (int32_t)((uint32_t)arrival_us - history->sent_us[number % HISTORY_PACKETS]);
  if (!history->has_delay) {
    history->has_delay = 1;
    history->first_delay_us = delay_us;
  }
  delay_us = (int32_t)(uint32_t)(delay_us - history->first_delay_us);
  if (!out->received || delay_us < out->delay_us) out->delay_us = delay_us;
  out->received++;
  out->octets += *size;
  if (out->received == 1 || arrival_us > out->arrived_us) out->arrived_us = arrival_us;
  *size = 0;
}

/* Whether the deltas of all packets that arrived are there. */
static int has_deltas(const uint8_t *statuses, uint32_t total, const struct reader *reader) {
  size_t needed = 0;
  for (uint32_t i = 0; i < total; i++) {
    if (statuses[i] == 3) return 0;
    needed += statuses[i];
  }
  return (size_t)(reader->end - reader->at) >= needed;
}

int history_acknowledge(struct history *history, const uint8_t *fci, size_t size, struct acked *out) {
  uint8_t statuses[HISTORY_PACKETS];
  if (size < HEAD_BYTES) return 0;
  uint16_t base = (uint16_t)(fci[0] << 8 | fci[1]);
  uint32_t total = (uint32_t)(fci[2] << 8 | fci[3]);
  if (!total || total > HISTORY_PACKETS) return 0; /* speaks of more than is remembered: nobody honest does */
  int64_t arrival_us = (int64_t)((uint32_t)fci[4] << 16 | (uint32_t)fci[5] << 8 | fci[6]) * REFERENCE_US;
  struct reader reader = {fci + HEAD_BYTES, fci + size};
  if (!read_statuses(&reader, total, statuses) || !has_deltas(statuses, total, &reader)) return 0;
  uint64_t number = history->next - (uint16_t)((uint16_t)history->next - base);
  for (uint32_t i = 0; i < total; i++, number++) {
    if (statuses[i] == 1) {
      arrival_us += (int64_t)*reader.at++ * TICK_US;
    } else if (statuses[i] == 2) {
      arrival_us += (int64_t)(int16_t)(reader.at[0] << 8 | reader.at[1]) * TICK_US;
      reader.at += 2;
    }
    take(history, number, statuses[i] != 0, arrival_us, out);
  }
  return 1;
}
