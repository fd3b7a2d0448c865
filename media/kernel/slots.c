/* The connected peers: where and under which keys something is sent to each, and what their feedback has told. */
#include "kernel.h"

#include <stdlib.h>
#include <string.h>

enum {
  MAX_SLOTS = 1 << 16, /* peers at once; a slot's number carries the generation above these bits */
  FIRST_SLOTS = 64,
};

struct slot *slots_find(const struct slots *slots, long long number) {
  uint64_t index = (uint64_t)number & (MAX_SLOTS - 1);
  if (number < 0 || index >= slots->capacity) return NULL;
  struct slot *slot = &slots->all[index];
  return slot->context && slot->generation == (uint64_t)number >> 16 ? slot : NULL;
}

static int grow(struct slots *slots) {
  uint32_t capacity = slots->capacity ? slots->capacity * 2 : FIRST_SLOTS;
  if (capacity > MAX_SLOTS) return 0;
  struct slot *all = realloc(slots->all, capacity * sizeof *all);
  if (!all) return 0;
  memset(all + slots->capacity, 0, (capacity - slots->capacity) * sizeof *all);
  for (uint32_t i = slots->capacity; i < capacity; i++) all[i].next_free = i + 1; /* the last: capacity = none */
  slots->all = all;
  slots->first_free = slots->capacity;
  slots->capacity = capacity;
  return 1;
}

struct slot *slots_free(struct slots *slots) {
  return slots->first_free < slots->capacity || grow(slots) ? &slots->all[slots->first_free] : NULL;
}

uint64_t slots_take(struct slots *slots, struct slot *slot) {
  slots->first_free = slot->next_free;
  slot->generation++;
  return (uint64_t)slot->generation << 16 | (uint64_t)(slot - slots->all);
}

void slots_release(struct slots *slots, struct slot *slot) {
  free(slot->history);
  slot->history = NULL;
  slot->context = NULL;
  slot->next_free = slots->first_free;
  slots->first_free = (uint32_t)(slot - slots->all);
}

void slots_end(struct slots *slots) {
  for (uint32_t i = 0; i < slots->capacity; i++) free(slots->all[i].history);
  free(slots->all);
}

int take_feedback(struct told *told, long long number, struct history *history, const uint8_t *compound, size_t size,
                  uint64_t now_us) {
  int others = 0;
  size_t at = 0, fci_size = 0;
  const uint8_t *fci;
  while ((fci = next_feedback(compound, size, &at, &fci_size, &others))) {
    struct acked acked[2];
    int count = history ? history_acknowledge(history, fci, fci_size, now_us, acked) : 0;
    if (told->count + count > MAX_ACKED) continue;
    for (int i = 0; i < count; i++) {
      told->entries[told->count].slot = number;
      told->entries[told->count++].acked = acked[i];
    }
  }
  return others;
}
