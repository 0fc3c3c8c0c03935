#include <stdio.h>
#include <stdlib.h>
static long sum;
__attribute__((noinline)) static void emit(long x) { sum += x; }
int main(int argc, char **argv) {
    long n = argc > 1 ? atol(argv[1]) : 50000000;
    for (long i = 0; i <= n; i++) emit(i);
    printf("%ld\n", sum);
}
