#include <stdio.h>
#include <stdlib.h>
typedef struct Cell { long head; struct Cell *tail; } Cell;
static Cell *cons(long head) { Cell *c = malloc(sizeof *c); c->head = head; c->tail = NULL; return c; }
static void drop(Cell *c) { while (c) { Cell *t = c->tail; free(c); c = t; } }
static Cell *map(Cell *xs, long (*f)(long)) {
    Cell *out = NULL, **end = &out;
    for (Cell *c = xs; c; c = c->tail) { *end = cons(f(c->head)); end = &(*end)->tail; }
    drop(xs);
    return out;
}
static Cell *filter(Cell *xs, int (*f)(long)) {
    Cell *out = NULL, **end = &out;
    for (Cell *c = xs; c; c = c->tail) if (f(c->head)) { *end = cons(c->head); end = &(*end)->tail; }
    drop(xs);
    return out;
}
static long triple(long i) { return i * 3 + 1; }
static int even(long x) { return x % 2 == 0; }
static long half(long x) { return x / 2; }
int main(int argc, char **argv) {
    long n = atol(argv[1]), total = 0;
    for (int round = 0; round < 5; round++) {
        Cell *xs = NULL, **end = &xs;
        for (long i = 0; i < n; i++) { *end = cons(i); end = &(*end)->tail; }
        xs = map(filter(map(xs, triple), even), half);
        for (Cell *c = xs; c; c = c->tail) total += c->head;
        drop(xs);
    }
    printf("%ld\n", total);
}
