#include <stdio.h>
#include <stdlib.h>
/* The counter lives in memory; reading and writing it are calls, as operations are. */
static long state;
__attribute__((noinline)) static long get(void) { return state; }
__attribute__((noinline)) static void put(long next) { state = next; }
int main(int argc, char **argv) {
    state = argc > 1 ? atol(argv[1]) : 50000000;
    for (;;) {
        long n = get();
        if (n == 0) break;
        put(n - 1);
    }
    printf("%ld\n", get());
}
