#ifndef RING_H
#define RING_H

#include <stddef.h>

#include "ring_stats.h"

/** The most bytes that a ring has room for. */
#define RING_LIMIT (1 << 16)

struct ring;

/**
 * A ring with room for some bytes.
 * @return null when there is no memory, or when it would be larger than RING_LIMIT
 */
struct ring *ring_open(size_t capacity);

/** Takes as many of the bytes as there is room for. */
size_t ring_push(struct ring *ring, const unsigned char *bytes, size_t length);

/** Gives the oldest byte, or -1. */
int ring_pop(struct ring *ring);

/** What the ring has seen so far. */
struct ring_stats ring_stats(const struct ring *ring);

void ring_close(struct ring *ring);

#endif
