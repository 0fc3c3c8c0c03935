#include <stdio.h>
#include <stdlib.h>
static int compare(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return x < y ? -1 : x > y;
}
int main(int argc, char **argv) {
    long n = argc > 1 ? atol(argv[1]) : 2000000;
    long *numbers = malloc(n * sizeof *numbers);
    for (long i = 0; i < n; i++) numbers[i] = i * 7919 % 1000003;
    qsort(numbers, n, sizeof *numbers, compare);
    printf("%ld\n", numbers[n / 2]);
}
