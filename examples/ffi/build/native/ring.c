/* A queue of bytes in a buffer of fixed size. */

#include <stdlib.h>

#include "ring.h"

struct ring {
  size_t capacity, start, length;
  struct ring_stats stats;
  unsigned char bytes[];
};

struct ring *ring_open(size_t capacity) {
  if (capacity > RING_LIMIT) return NULL;
  struct ring *ring = calloc(1, sizeof *ring + capacity);
  if (ring) ring->capacity = capacity;
  return ring;
}

size_t ring_push(struct ring *ring, const unsigned char *bytes, size_t length) {
  size_t room = ring->capacity - ring->length;
  size_t taken = length < room ? length : room;
  for (size_t i = 0; i < taken; i++)
    ring->bytes[(ring->start + ring->length++) % ring->capacity] = bytes[i];
  ring->stats.pushed += taken;
  ring->stats.refused += length - taken;
  return taken;
}

int ring_pop(struct ring *ring) {
  if (ring->length == 0) return -1;
  unsigned char byte = ring->bytes[ring->start];
  ring->start = (ring->start + 1) % ring->capacity;
  ring->length--;
  ring->stats.popped++;
  return byte;
}

struct ring_stats ring_stats(const struct ring *ring) {
  return ring->stats;
}

void ring_close(struct ring *ring) {
  free(ring);
}
