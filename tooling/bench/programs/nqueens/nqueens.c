#include <stdio.h>
#include <stdlib.h>
typedef struct Cell { long head; const struct Cell *tail; } Cell;
typedef struct List { const Cell *head; const struct List *tail; } List;
static char *arena, *limit;
static void *alloc(size_t size) {
    if (arena + size > limit) { arena = malloc(1 << 20); limit = arena + (1 << 20); }
    void *p = arena; arena += size; return p;
}
static int safe(long q, long d, const Cell *qs) {
    for (; qs; qs = qs->tail, d++)
        if (qs->head == q || qs->head == q + d || qs->head == q - d) return 0;
    return 1;
}
static const List *extend(long n, const List *boards) {
    const List *out = NULL;
    for (; boards; boards = boards->tail)
        for (long q = n; q >= 1; q--)
            if (safe(q, 1, boards->head)) {
                Cell *c = alloc(sizeof *c); c->head = q; c->tail = boards->head;
                List *l = alloc(sizeof *l); l->head = c; l->tail = out; out = l;
            }
    return out;
}
int main(int argc, char **argv) {
    long n = atol(argv[1]), count = 0;
    List *start = alloc(sizeof *start); start->head = NULL; start->tail = NULL;
    const List *boards = start;
    for (long k = 0; k < n; k++) boards = extend(n, boards);
    for (; boards; boards = boards->tail) count++;
    printf("%ld\n", count);
}
