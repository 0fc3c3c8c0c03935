#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    long n = atol(argv[1]), total = 0;
    for (int round = 0; round < 5; round++) {
        size_t len = 0, cap = 64;
        char *s = malloc(cap), piece[32];
        for (long i = 0; i < n; i++) {
            int k = sprintf(piece, "item %ld,", i);
            while (len + k + 1 > cap) s = realloc(s, cap *= 2);
            memcpy(s + len, piece, k + 1); len += k;
        }
        for (char *p = s, *q; p < s + len && (q = strchr(p, ',')); p = q + 1) {
            char *field = malloc(q - p + 1);
            memcpy(field, p, q - p); field[q - p] = 0;
            total += strlen(field);
            free(field);
        }
        free(s);
    }
    printf("%ld\n", total);
}
