/* What a host can do wrong, and what it is told. Prints what it sees. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "reml_embed.h"

static const char SOURCE[] =
    "use Core.Embed\n"
    "use Core.Env\n"
    "use Core.Process\n"
    "type Point = { x: Int }\n"
    "effect Ask { operation ask : Str -> Int }\n"
    "var total = 0\n"
    "fn add(n: Int) -> Int {\n"
    "  total := total + n\n"
    "  total\n"
    "}\n"
    "fn element(i: Int) -> Int = [1, 2, 3][i]\n"
    "fn deep(i: Int) -> Int = if i == 0 { 0 } else { 1 + deep(i + 1) }\n"
    "fn id<T>(x: T) -> T = x\n"
    "fn asks() -> Int = do Ask.ask(\"?\")\n"
    "fn point(p: Point) -> Int = p.x\n"
    "fn home() -> Option<Str> = Env.get(\"HOME\")\n"
    "fn small(x: u8) -> u8 = x\n"
    "fn bye() -> Int = { Process.exit(3) }\n"
    "fn back() -> Result<(), Str> = Embed.host(\"back\", []).map(|_| ())\n"
    "fn nested(x: [[[Int]]]) -> [[[Int]]] = x\n"
    "fn all(a: Bool, b: f32, c: [u8], d: Option<i16>) -> Str = \"\" ++ a.to_string() ++ b.to_string() ++ c.len().to_string() ++ d.unwrap_or(0).to_string()\n"
    "fn main() -> Str { \"ok\" }\n";

static const char *error_of(const reml_embed_context_t *context) {
    static char line[400];
    const char *message = reml_last_error(context);
    snprintf(line, sizeof line, "%s", message ? message : "(none)");
    /* The first line says what; the others where. */
    line[strcspn(line, "\n")] = 0;
    return line;
}

static void show(const char *what, reml_embed_context_t *context, reml_embed_status_t status) {
    printf("%s: %d%s%s\n", what, status, status ? " " : "", status ? error_of(context) : "");
}

static reml_embed_value_t integer(int64_t number) {
    reml_embed_value_t value = {.kind = REML_EMBED_INT};
    value.as.integer = number;
    return value;
}

static reml_embed_value_t bytes(reml_embed_kind_t kind, const char *data, size_t len) {
    reml_embed_value_t value = {.kind = kind};
    value.as.bytes.data = (const unsigned char *)data;
    value.as.bytes.len = len;
    return value;
}

static reml_embed_status_t call_back(void *context, const reml_embed_value_t *arguments, size_t count,
                                     reml_embed_value_t *result) {
    (void)arguments, (void)count, (void)result;
    show("a call from a call", context, reml_run(context, NULL));
    return 77;
}

/* Each thread has a context of its own, and all use the one they are given. */
static void *work(void *shared) {
    reml_embed_context_t *own = NULL;
    reml_embed_value_t one = integer(1), result = integer(0);
    reml_create_context(REML_EMBED_ABI_VERSION, &own);
    reml_load_module(own, (const unsigned char *)SOURCE, strlen(SOURCE));
    for (int i = 0; i < 500; i++) {
        reml_call(own, "add", &one, 1, &result);
        /* Refused while another thread uses it. */
        for (int tries = 0; reml_call(shared, "add", &one, 1, NULL) != REML_EMBED_STATUS_OK && tries < 100000; tries++) {
            sched_yield();
        }
    }
    reml_dispose_context(own);
    return (void *)(intptr_t)(result.as.integer == 500);
}

int main(void) {
    reml_embed_context_t *context = NULL, *none = NULL;
    reml_embed_value_t result, values[4];
    unsigned char zeros[3] = {0xff, 0, 0};

    show("another version", none, reml_create_context("0.0.9", &none));
    show("no version", none, reml_create_context(NULL, &none));
    show("no place", none, reml_create_context("0.1.0", NULL));
    show("created", context, reml_create_context("0.1.0", &context));
    show("no context", none, reml_run(NULL, "main"));
    show("nothing loaded", context, reml_run(context, NULL));
    show("no source", context, reml_load_module(context, NULL, 0));
    show("not text", context, reml_load_module(context, zeros, 3));
    show("wrong source", context, reml_load_module(context, (const unsigned char *)"fn f() -> Int = \"a\"", 19));
    show("no file", context, reml_load_file(context, "/does/not/exist.reml"));
    show("wrong flags", context, reml_permit(context, "--allow-everything"));
    show("no log", context, reml_set_audit_log(context, "/does/not/exist.log"));
    show("loaded", context, reml_load_module(context, (const unsigned char *)SOURCE, strlen(SOURCE)));
    fflush(stdout);
    show("main", context, reml_run(context, NULL));
    show("no such function", context, reml_run(context, "nothing"));
    show("no name", context, reml_call(context, NULL, NULL, 0, NULL));
    show("too few", context, reml_call(context, "add", NULL, 0, NULL));
    show("no arguments", context, reml_call(context, "add", NULL, 1, NULL));
    values[0] = bytes(REML_EMBED_TEXT, "5", 1);
    show("text for an integer", context, reml_call(context, "add", values, 1, NULL));
    values[0] = bytes(REML_EMBED_TEXT, "\xff", 1);
    show("not UTF-8", context, reml_call(context, "add", values, 1, NULL));
    values[0] = bytes(REML_EMBED_TEXT, NULL, 5);
    show("null text", context, reml_call(context, "add", values, 1, NULL));
    values[0].kind = 99;
    show("no such kind", context, reml_call(context, "add", values, 1, NULL));
    values[0].kind = REML_EMBED_LIST, values[0].as.list.items = values, values[0].as.list.len = 1;
    show("a list in itself", context, reml_call(context, "nested", values, 1, NULL));
    values[0] = integer(256);
    show("too large", context, reml_call(context, "small", values, 1, NULL));
    show("generic", context, reml_call(context, "id", values, 1, NULL));
    show("effect", context, reml_call(context, "asks", NULL, 0, NULL));
    show("record", context, reml_call(context, "point", values, 1, NULL));
    show("denied", context, reml_call(context, "home", NULL, 0, NULL));
    puts(reml_last_error(context));
    values[0] = integer(5);
    show("add", context, reml_call(context, "add", values, 1, &result));
    show("a panic", context, reml_call(context, "element", values, 1, NULL));
    show("add", context, reml_call(context, "add", values, 1, &result));
    printf("after a panic the program is new: %lld\n", (long long)result.as.integer);
    show("no end", context, reml_call(context, "deep", values, 1, NULL));
    show("exit", context, reml_call(context, "bye", NULL, 0, NULL));
    show("no host function", context, reml_call(context, "back", NULL, 0, NULL));
    show("no function", context, reml_register_function(context, "back", NULL, NULL));
    show("registered", context, reml_register_function(context, "back", call_back, context));
    show("back", context, reml_call(context, "back", NULL, 0, NULL));
    values[0] = integer(1), values[0].kind = REML_EMBED_BOOL;
    values[1].kind = REML_EMBED_FLOAT, values[1].as.number = 1.5;
    values[2] = bytes(REML_EMBED_BYTES, "\0\xff\0", 3);
    values[3].kind = REML_EMBED_UNIT;
    show("all kinds", context, reml_call(context, "all", values, 4, &result));
    printf("%s, of %zu\n", (const char *)result.as.bytes.data, result.as.bytes.len);

    pthread_t threads[4];
    int fine = 0;
    reml_call(context, "element", values, 0, NULL);
    show("loaded", context, reml_load_module(context, (const unsigned char *)SOURCE, strlen(SOURCE)));
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, work, context);
    }
    for (int i = 0; i < 4; i++) {
        void *well;
        pthread_join(threads[i], &well);
        fine += (int)(intptr_t)well;
    }
    values[0] = integer(0);
    show("shared", context, reml_call(context, "add", values, 1, &result));
    printf("%d threads were served, and together they counted to %lld\n", fine, (long long)result.as.integer);
    show("disposed", context, reml_dispose_context(context));
    show("again", context, reml_dispose_context(context));
    show("used afterwards", context, reml_run(context, NULL));
    return 0;
}
