#include <stdio.h>
#include <stdlib.h>
__attribute__((noinline)) static long run(long n, long seed) {
    if (!n) return seed;
    long rest = run(n - 1, seed);
    return labs(n - 503 * rest + 37) % 1009;
}
int main(int argc, char **argv) {
    long seed = 0;
    for (long times = argc > 1 ? atol(argv[1]) : 1000; times; times--) seed = run(5000, seed);
    printf("%ld\n", seed);
}
