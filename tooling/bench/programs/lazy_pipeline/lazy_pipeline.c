#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    long n = atol(argv[1]), sum = 0;
    for (long i = 0; i < n; i++) { long x = i * 3 + 1; if (x % 2 == 0) sum += x / 2; }
    printf("%ld\n", sum);
}
