#include <stdio.h>
#include <stdlib.h>
static long seed = 42;
static long next(void) { return seed = (seed * 1103515245 + 12345) % 2147483648; }
int main(int argc, char **argv) {
    long n = argc > 1 ? atol(argv[1]) : 50000000, total = 0;
    for (; n; n--) total = (total + next()) % 1000003;
    printf("%ld\n", total);
}
