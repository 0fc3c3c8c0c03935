#include <stdio.h>
#include <stdlib.h>
typedef struct Node { struct Node *left, *right; } Node;
static Node *make(int depth) {
    Node *n = malloc(sizeof *n);
    n->left = depth ? make(depth - 1) : NULL;
    n->right = depth ? make(depth - 1) : NULL;
    return n;
}
static long check(const Node *n) { return n->left ? 1 + check(n->left) + check(n->right) : 1; }
static void drop(Node *n) { if (n) { drop(n->left); drop(n->right); free(n); } }
int main(int argc, char **argv) {
    int max = atoi(argv[1]);
    Node *stretch = make(max + 1);
    printf("stretch %ld\n", check(stretch));
    drop(stretch);
    Node *keep = make(max);
    for (int d = 4; d <= max; d += 4) {
        long n = 1L << (max - d + 4), sum = 0;
        for (long i = 0; i < n; i++) { Node *t = make(d); sum += check(t); drop(t); }
        printf("%ld trees of depth %d: %ld\n", n, d, sum);
    }
    printf("kept %ld\n", check(keep));
    drop(keep);
}
