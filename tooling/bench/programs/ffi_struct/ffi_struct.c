#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
    long n = argc > 1 ? atol(argv[1]) : 50000000, total = 0;
    for (long i = 0; i < n; i++) {
        div_t parts = div(i, 7);
        total += (long)parts.quot + parts.rem;
    }
    printf("%ld\n", total);
}
