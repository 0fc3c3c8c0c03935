#include <stdio.h>
#include <stdlib.h>
#include <string.h>
typedef struct Node { struct Node *left, *right; long value; int height; char key[24]; } Node;
static int height(Node *n) { return n ? n->height : 0; }
static void update(Node *n) { int l = height(n->left), r = height(n->right); n->height = 1 + (l > r ? l : r); }
static Node *rotate_right(Node *n) { Node *l = n->left; n->left = l->right; l->right = n; update(n); update(l); return l; }
static Node *rotate_left(Node *n) { Node *r = n->right; n->right = r->left; r->left = n; update(n); update(r); return r; }
static Node *balance(Node *n) {
    update(n);
    int d = height(n->left) - height(n->right);
    if (d > 1) { if (height(n->left->left) < height(n->left->right)) n->left = rotate_left(n->left); return rotate_right(n); }
    if (d < -1) { if (height(n->right->right) < height(n->right->left)) n->right = rotate_right(n->right); return rotate_left(n); }
    return n;
}
static Node *insert(Node *n, const char *key, long value) {
    if (!n) { n = malloc(sizeof *n); n->left = n->right = NULL; n->value = value; n->height = 1; strcpy(n->key, key); return n; }
    int c = strcmp(key, n->key);
    if (c < 0) n->left = insert(n->left, key, value);
    else if (c > 0) n->right = insert(n->right, key, value);
    else { n->value = value; return n; }
    return balance(n);
}
static long get(const Node *n, const char *key) {
    while (n) { int c = strcmp(key, n->key); if (c == 0) return n->value; n = c < 0 ? n->left : n->right; }
    return 0;
}
int main(int argc, char **argv) {
    long n = atol(argv[1]), sum = 0;
    Node *map = NULL;
    char key[24];
    for (long i = 0; i < n; i++) { sprintf(key, "key%ld", i * 7919 % n); map = insert(map, key, i); }
    for (long i = 0; i < n; i++) { sprintf(key, "key%ld", i); sum += get(map, key); }
    printf("%ld\n", sum);
}
