#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    long n = atol(argv[1]), total = 0;
    unsigned char *composite = malloc(n + 1);
    for (int round = 0; round < 20; round++) {
        memset(composite, 0, n + 1);
        for (long i = 2; i * i <= n; i++)
            if (!composite[i]) for (long j = i * i; j <= n; j += i) composite[j] = 1;
        for (long i = 2; i <= n; i++) total += !composite[i];
    }
    printf("%ld\n", total);
}
