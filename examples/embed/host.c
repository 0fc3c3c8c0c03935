/* A shop in C, whose prices are a program in Reml.
 *
 *     cc host.c -I include -L lib -lreml_embed -o host && ./host prices.reml
 */
#include <stdio.h>
#include <string.h>

#include "reml_embed.h"

struct article {
    const char *name;
    int64_t cents;
};

static const struct article ARTICLES[] = {{"pen", 250}, {"notebook", 490}, {"lamp", 3900}};

/* What the program asks for. `user_data` counts how often. */
static reml_embed_status_t price_of(void *user_data, const reml_embed_value_t *arguments, size_t count,
                                    reml_embed_value_t *result) {
    static char message[80];
    ++*(int *)user_data;
    if (count == 1 && arguments[0].kind == REML_EMBED_TEXT) {
        const char *name = (const char *)arguments[0].as.bytes.data;
        for (size_t i = 0; i < sizeof ARTICLES / sizeof *ARTICLES; i++) {
            if (strcmp(ARTICLES[i].name, name) == 0) {
                result->kind = REML_EMBED_INT;
                result->as.integer = ARTICLES[i].cents;
                return REML_EMBED_STATUS_OK;
            }
        }
        snprintf(message, sizeof message, "the shop has no %.40s", name);
        result->kind = REML_EMBED_TEXT;
        result->as.bytes.data = (const unsigned char *)message;
        result->as.bytes.len = strlen(message);
    }
    return REML_EMBED_STATUS_ERROR;
}

static reml_embed_value_t text(const char *text) {
    reml_embed_value_t value = {.kind = REML_EMBED_TEXT};
    value.as.bytes.data = (const unsigned char *)text;
    value.as.bytes.len = strlen(text);
    return value;
}

/* Prints what an order costs. `code` may be NULL. */
static void order(reml_embed_context_t *shop, const char *first, const char *second, const char *code) {
    reml_embed_value_t articles[2] = {text(first), text(second)};
    reml_embed_value_t arguments[2] = {{.kind = REML_EMBED_LIST}, {.kind = REML_EMBED_UNIT}};
    reml_embed_value_t result;
    arguments[0].as.list.items = articles;
    arguments[0].as.list.len = 2;
    if (code != NULL) {
        arguments[1] = text(code);
    }
    if (reml_call(shop, "price", arguments, 2, &result) == REML_EMBED_STATUS_OK) {
        printf("%s and %s: %lld cents\n", first, second, (long long)result.as.integer);
    } else {
        printf("%s and %s: %s\n", first, second, reml_last_error(shop));
    }
}

int main(int argc, char **argv) {
    reml_embed_context_t *shop = NULL;
    reml_embed_value_t result;
    int questions = 0;

    if (argc != 2 || reml_create_context(REML_EMBED_ABI_VERSION, &shop) != REML_EMBED_STATUS_OK) {
        fprintf(stderr, "no context: %s\n", argc == 2 ? reml_last_error(NULL) : "name the program");
        return 1;
    }
    reml_register_function(shop, "price_of", price_of, &questions);
    if (reml_load_file(shop, argv[1]) != REML_EMBED_STATUS_OK) {
        fprintf(stderr, "%s\n", reml_last_error(shop));
        reml_dispose_context(shop);
        return 1;
    }
    order(shop, "pen", "lamp", NULL);
    order(shop, "pen", "lamp", "STUDENT");
    order(shop, "pen", "pen", "FRIEND");
    order(shop, "pen", "desk", NULL);
    if (reml_call(shop, "order_count", NULL, 0, &result) == REML_EMBED_STATUS_OK) {
        printf("%lld orders, %d questions\n", (long long)result.as.integer, questions);
    }
    fflush(stdout);
    reml_run(shop, NULL);
    reml_dispose_context(shop);
    return 0;
}
