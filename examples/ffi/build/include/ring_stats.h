#ifndef RING_STATS_H
#define RING_STATS_H

#include <stdint.h>

/** Counts over the life of a ring. */
struct ring_stats {
  uint64_t pushed;
  uint64_t popped;
  /** Bytes for which there was no room. */
  uint64_t refused;
};

#endif
