#include <stdio.h>
#include <stdlib.h>
/* The walk as a state machine with a stack of its own. */
typedef struct Tree { struct Tree *left; long value; struct Tree *right; } Tree;
typedef struct { Tree *stack[64]; int top; Tree *next; } Walk;
static Tree *build(long depth) {
    if (!depth) return NULL;
    Tree *half = build(depth - 1), *tree = malloc(sizeof *tree);
    *tree = (Tree){half, depth, half};
    return tree;
}
static int next(Walk *walk, long *value) {
    for (; walk->next; walk->next = walk->next->left) walk->stack[walk->top++] = walk->next;
    if (!walk->top) return 0;
    Tree *tree = walk->stack[--walk->top];
    *value = tree->value;
    walk->next = tree->right;
    return 1;
}
int main(int argc, char **argv) {
    Walk walk = {.next = build(argc > 1 ? atol(argv[1]) : 24)};
    long total = 0, value;
    while (next(&walk, &value)) total += value;
    printf("%ld\n", total);
}
