/* What the Reml program comes to without futures: calls. */
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static long step(long n) {
  return n % 7;
}

int main(int argc, char **argv) {
  long n = argc > 1 ? atol(argv[1]) : 1000, sum = 0;
  for (long i = 0; i < n; i++) sum += step(i);
  printf("%ld\n", sum);
  return 0;
}
