// Lines of integer arithmetic by recursive descent.
#include "../parsing.h"

typedef struct Expr Expr;
struct Expr {
    char operator; // '+', '-', '*'; '~' is a sign, '0' a number.
    union {
        int64_t number;
        struct { Expr *left, *right; };
    };
};

static const char *blank(const char *p) {
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') p++;
    return p;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *accept_sum(const char *p);

static const char *accept_factor(const char *p) {
    if (is_digit(*p)) {
        while (is_digit(*p)) p++;
        return blank(p);
    }
    if (*p == '-') return accept_factor(blank(p + 1));
    if (*p != '(' || !(p = accept_sum(blank(p + 1))) || *p != ')') return NULL;
    return blank(p + 1);
}

static const char *accept_product(const char *p) {
    while ((p = accept_factor(p)) && *p == '*') p = blank(p + 1);
    return p;
}

static const char *accept_sum(const char *p) {
    while ((p = accept_product(p)) && (*p == '+' || *p == '-')) p = blank(p + 1);
    return p;
}

static bool recognise(const char *source, size_t length) {
    const char *p = blank(source), *end = source + length;
    while (p < end) {
        if (!(p = accept_sum(p)) || *p != ';') return false;
        p = blank(p + 1);
    }
    return true;
}

static Expr *make(char operator, Expr *left, Expr *right) {
    Expr *expr = malloc(sizeof(Expr));
    expr->operator = operator;
    expr->left = left;
    expr->right = right;
    return expr;
}

static Expr *build_sum(const char **p);

static Expr *build_factor(const char **p) {
    const char *q = *p;
    if (is_digit(*q)) {
        Expr *expr = malloc(sizeof(Expr));
        expr->operator = '0';
        expr->number = 0;
        for (; is_digit(*q); q++) expr->number = expr->number * 10 + (*q - '0');
        *p = blank(q);
        return expr;
    }
    if (*q == '-') {
        *p = blank(q + 1);
        Expr *inner = build_factor(p);
        return inner ? make('~', inner, NULL) : NULL;
    }
    if (*q != '(') return NULL;
    *p = blank(q + 1);
    Expr *inner = build_sum(p);
    if (!inner || **p != ')') return NULL;
    *p = blank(*p + 1);
    return inner;
}

static Expr *build_product(const char **p) {
    Expr *left = build_factor(p);
    while (left && **p == '*') {
        *p = blank(*p + 1);
        Expr *right = build_factor(p);
        left = right ? make('*', left, right) : NULL;
    }
    return left;
}

static Expr *build_sum(const char **p) {
    Expr *left = build_product(p);
    while (left && (**p == '+' || **p == '-')) {
        char operator = **p;
        *p = blank(*p + 1);
        Expr *right = build_product(p);
        left = right ? make(operator, left, right) : NULL;
    }
    return left;
}

static uint64_t evaluate(const Expr *expr) {
    switch (expr->operator) {
    case '0': return expr->number;
    case '~': return -evaluate(expr->left);
    case '+': return evaluate(expr->left) + evaluate(expr->right);
    case '-': return evaluate(expr->left) - evaluate(expr->right);
    default: return evaluate(expr->left) * evaluate(expr->right);
    }
}

static bool tree(const char *source, size_t length) {
    const char *p = blank(source), *end = source + length;
    Expr **lines = NULL;
    size_t count = 0, room = 0;
    while (p < end) {
        Expr *line = build_sum(&p);
        if (!line || *p != ';') return false;
        p = blank(p + 1);
        if (count == room) lines = realloc(lines, (room = room ? room * 2 : 64) * sizeof(Expr *));
        lines[count++] = line;
    }
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) total = total * 31 + evaluate(lines[i]);
    printf("%zu %lld\n", count, (long long)total);
    return true;
}
