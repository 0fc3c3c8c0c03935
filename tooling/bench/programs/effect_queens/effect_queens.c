#include <stdio.h>
#include <stdlib.h>
static long board[64];
static int safe(long column, long queen) {
    for (long d = 1; d <= column; d++) {
        long q = board[column - d];
        if (q == queen || q == queen + d || q == queen - d) return 0;
    }
    return 1;
}
static long count(long size, long column) {
    if (column == size) return 1;
    long total = 0;
    for (long row = 1; row <= size; row++)
        if (safe(column, row)) { board[column] = row; total += count(size, column + 1); }
    return total;
}
int main(int argc, char **argv) {
    printf("%ld\n", count(argc > 1 ? atol(argv[1]) : 12, 0));
}
