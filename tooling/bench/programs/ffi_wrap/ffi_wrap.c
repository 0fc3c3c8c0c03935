#include <stdio.h>
#include <stdlib.h>
extern int toupper(int);
int main(int argc, char **argv) {
    long n = argc > 1 ? atol(argv[1]) : 100000000, total = 0;
    for (long i = 0; i < n; i++) total += toupper(i % 128);
    printf("%ld\n", total);
}
