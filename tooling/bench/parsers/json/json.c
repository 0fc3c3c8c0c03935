// JSON (RFC 8259) by recursive descent. Text stays as it is written: escapes are checked, not replaced.
#include "../parsing.h"

typedef enum { NONE, TRUTH, NUMBER, TEXT, ITEMS, FIELDS } Kind;

typedef struct Value Value;

// An item of an array, or a field of an object, which has a name.
struct Value {
    Kind kind;
    const char *name;
    size_t name_length;
    union {
        bool truth;
        double number;
        struct { const char *text; size_t length; };
        struct { Value *values; size_t count; };
    };
};

// The values of the arrays and objects that are open.
static Value *stack;
static size_t height, room;

static Value *push(void) {
    if (height == room) {
        room = room ? room * 2 : 64;
        stack = realloc(stack, room * sizeof(Value));
    }
    return &stack[height++];
}

static const char *blank(const char *p) {
    while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') p++;
    return p;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool is_hex(char c) { return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

// Behind the closing quote; `p` is behind the opening one.
static const char *text(const char *p) {
    for (;;) {
        unsigned char c = *p;
        if (c == '"') return p + 1;
        if (c < ' ') return NULL;
        if (c != '\\') {
            p++;
            continue;
        }
        switch (p[1]) {
        case '"': case '\\': case '/': case 'b': case 'f': case 'n': case 'r': case 't':
            p += 2;
            break;
        case 'u':
            for (int i = 2; i < 6; i++)
                if (!is_hex(p[i])) return NULL;
            p += 6;
            break;
        default:
            return NULL;
        }
    }
}

static const char *digits(const char *p) {
    if (!is_digit(*p)) return NULL;
    while (is_digit(*p)) p++;
    return p;
}

static const char *number(const char *p) {
    if (*p == '-') p++;
    if (*p == '0') p++;
    else if (!(p = digits(p))) return NULL;
    if (*p == '.' && !(p = digits(p + 1))) return NULL;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-') p++;
        p = digits(p);
    }
    return p;
}

// Of a number that is known to be one. Exact where 53 bits and a power of ten that a double holds suffice [Clinger 1990].
static double number_value(const char *p, const char *end) {
    static const double POWERS[] = { 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const char *start = p;
    bool negative = *p == '-';
    uint64_t mantissa = 0;
    int exponent = 0, shown = 0;
    if (negative) p++;
    for (; is_digit(*p); p++, shown++) mantissa = mantissa * 10 + (*p - '0');
    if (*p == '.')
        for (p++; is_digit(*p); p++, shown++, exponent--) mantissa = mantissa * 10 + (*p - '0');
    if (p < end && (*p == 'e' || *p == 'E')) exponent += atoi(p + 1);
    if (shown > 15 || exponent < -22 || exponent > 22) return strtod(start, NULL);
    double value = (double)mantissa;
    value = exponent < 0 ? value / POWERS[-exponent] : value * POWERS[exponent];
    return negative ? -value : value;
}

static const char *accept(const char *p) {
    const char *word = NULL;
    switch (*p) {
    case '"': return text(p + 1);
    case 't': word = "true"; break;
    case 'f': word = "false"; break;
    case 'n': word = "null"; break;
    case '[':
        p = blank(p + 1);
        if (*p == ']') return p + 1;
        for (;; p = blank(p + 1)) {
            if (!(p = accept(p))) return NULL;
            p = blank(p);
            if (*p == ']') return p + 1;
            if (*p != ',') return NULL;
        }
    case '{':
        p = blank(p + 1);
        if (*p == '}') return p + 1;
        for (;; p = blank(p + 1)) {
            if (*p != '"' || !(p = text(p + 1))) return NULL;
            p = blank(p);
            if (*p != ':') return NULL;
            if (!(p = accept(blank(p + 1)))) return NULL;
            p = blank(p);
            if (*p == '}') return p + 1;
            if (*p != ',') return NULL;
        }
    default: return number(p);
    }
    size_t length = strlen(word);
    return strncmp(p, word, length) == 0 ? p + length : NULL;
}

// The values on the stack from `base` on become those of the value at `at`.
static void close_at(size_t at, Kind kind, size_t base) {
    size_t count = height - base;
    Value *values = malloc(count * sizeof(Value));
    memcpy(values, stack + base, count * sizeof(Value));
    height = base;
    stack[at].kind = kind;
    stack[at].values = values;
    stack[at].count = count;
}

// Fills the value at `at` of the stack.
static const char *build(const char *p, size_t at) {
    const char *end;
    switch (*p) {
    case '"':
        if (!(end = text(p + 1))) return NULL;
        stack[at].kind = TEXT;
        stack[at].text = p + 1;
        stack[at].length = end - p - 2;
        return end;
    case 't':
        if (strncmp(p, "true", 4)) return NULL;
        stack[at].kind = TRUTH;
        stack[at].truth = true;
        return p + 4;
    case 'f':
        if (strncmp(p, "false", 5)) return NULL;
        stack[at].kind = TRUTH;
        stack[at].truth = false;
        return p + 5;
    case 'n':
        if (strncmp(p, "null", 4)) return NULL;
        stack[at].kind = NONE;
        return p + 4;
    case '[': {
        size_t base = height;
        p = blank(p + 1);
        if (*p != ']')
            for (;; p++) {
                push();
                if (!(p = build(blank(p), height - 1))) return NULL;
                p = blank(p);
                if (*p == ']') break;
                if (*p != ',') return NULL;
            }
        close_at(at, ITEMS, base);
        return p + 1;
    }
    case '{': {
        size_t base = height;
        p = blank(p + 1);
        if (*p != '}')
            for (;; p = blank(p + 1)) {
                if (*p != '"' || !(end = text(p + 1))) return NULL;
                Value *field = push();
                field->name = p + 1;
                field->name_length = end - p - 2;
                p = blank(end);
                if (*p != ':' || !(p = build(blank(p + 1), height - 1))) return NULL;
                p = blank(p);
                if (*p == '}') break;
                if (*p != ',') return NULL;
            }
        close_at(at, FIELDS, base);
        return p + 1;
    }
    default:
        if (!(end = number(p))) return NULL;
        stack[at].kind = NUMBER;
        stack[at].number = number_value(p, end);
        return end;
    }
}

static long values, letters;
static double sum;

static void count(const Value *value) {
    values++;
    switch (value->kind) {
    case NONE: break;
    case TRUTH: letters += value->truth; break;
    case NUMBER: sum += value->number; break;
    case TEXT: letters += value->length; break;
    case ITEMS:
        for (size_t i = 0; i < value->count; i++) count(&value->values[i]);
        break;
    case FIELDS:
        for (size_t i = 0; i < value->count; i++) {
            letters += value->values[i].name_length;
            count(&value->values[i]);
        }
    }
}

static bool recognise(const char *source, size_t length) {
    const char *p = accept(blank(source));
    return p && blank(p) == source + length;
}

static bool tree(const char *source, size_t length) {
    push();
    const char *p = build(blank(source), 0);
    if (!p || blank(p) != source + length) return false;
    count(&stack[0]);
    printf("%ld %ld %ld\n", values, letters, (long)sum);
    return true;
}
