/* What was sent to a viewer under transport-wide numbers, and what its feedback says of it
 * (draft-holmer-rmcat-transport-wide-cc-extensions-01). media/kernel/history.py is the same in Python.
 *
 * A viewer tells twenty times a second that all is well. What it says is added up and told four times a second, news at once. */
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
  if (!out->received || delay_us < out->queue_us) out->queue_us = delay_us;
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

/* How far a delay is above the least of the last 10 to 20 s. */
static int64_t above_floor(struct delay_floor *floor, int64_t delay_us, uint64_t now_us) {
  if (!floor->windows || now_us - floor->since_us >= FLOOR_US) {
    floor->older_us = floor->newer_us;
    floor->newer_us = delay_us;
    floor->since_us = now_us;
    if (floor->windows < 2) floor->windows++;
  }
  if (delay_us < floor->newer_us) floor->newer_us = delay_us;
  int64_t least_us = floor->windows == 2 && floor->older_us < floor->newer_us ? floor->older_us : floor->newer_us;
  return delay_us - least_us;
}

/* Add what one message says to what several say: the queue that stands is the least that was seen. */
static void add(struct acked *sum, const struct acked *message) {
  if (message->received) {
    if (!sum->received || message->queue_us < sum->queue_us) sum->queue_us = message->queue_us;
    if (!sum->received || message->arrived_us > sum->arrived_us) sum->arrived_us = message->arrived_us;
  }
  sum->received += message->received;
  sum->lost += message->lost;
  sum->octets += message->octets;
  sum->unknown += message->unknown;
}

/* What is to be told now: news with what waited before it, the sum of what is no news when its time has come. */
static int tell(struct history *history, const struct acked *message, uint64_t now_us, struct acked *told) {
  static const struct acked nothing;
  struct acked *waiting = &history->waiting;
  uint64_t silent_us = now_us - history->told_us;
  int held_back = waiting->lost || waiting->unknown, count = 0;
  int news = held_back || message->lost || message->unknown || message->queue_us >= QUIET_QUEUE_US;
  if (silent_us < (news ? TOLD_US : QUIET_US)) {
    add(waiting, message);
    return 0;
  }
  if (news) {
    if (waiting->received || held_back) told[count++] = *waiting;
    told[count++] = *message;
  } else {
    add(waiting, message);
    told[count++] = *waiting;
  }
  *waiting = nothing;
  history->told_us = now_us;
  return count;
}

/* One message's statuses against what was sent. */
static int digest(struct history *history, const uint8_t *fci, size_t size, struct acked *out) {
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

int history_acknowledge(struct history *history, const uint8_t *fci, size_t size, uint64_t now_us, struct acked *told) {
  struct acked message = {0, 0, 0, 0, 0, 0};
  if (!digest(history, fci, size, &message)) return 0;
  if (message.received) message.queue_us = above_floor(&history->floor, message.queue_us, now_us);
  return tell(history, &message, now_us, told);
}

const uint8_t *next_feedback(const uint8_t *compound, size_t size, size_t *at, size_t *fci_size, int *others) {
  while (*at < size) {
    const uint8_t *head = compound + *at;
    size_t left = size - *at, length = left < 4 ? 0 : 4 + 4 * (size_t)(head[2] << 8 | head[3]);
    if (left < 4 || head[0] >> 6 != 2 || length > left) break;
    size_t padding = head[0] & 0x20 ? head[length - 1] : 0;
    *at += length;
    if (head[1] != 205 || (head[0] & 0x1f) != 15 || 12 + padding > length || (head[0] & 0x20 && !padding)) {
      *others = 1;
      continue;
    }
    *fci_size = length - 12 - padding;
    return head + 12;
  }
  if (*at < size) *others = 1;
  return NULL;
}
