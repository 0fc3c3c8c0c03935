/* Reml programs inside of a C program.
 *
 * A context holds one program: its module is loaded from text, compiled in memory, and its functions are called as often as the host likes. What the program
 * keeps in module variables stays between calls. A panic, or `exit`, ends the program and not the host; the next call begins it anew.
 *
 * What a program may do is decided as by `remlc run`: nothing but computing and printing, unless the host permits it.
 *
 * A context may be used by any thread, by one at a time; different contexts are independent. All functions may be given a context that does not exist (any more):
 * they answer REML_EMBED_STATUS_INVALID_ARGUMENT. Text is UTF-8.
 */
#ifndef REML_EMBED_H
#define REML_EMBED_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What `reml_create_context` must be given. */
#define REML_EMBED_ABI_VERSION "0.1.0"

typedef struct reml_embed_context reml_embed_context_t;

typedef enum reml_embed_status {
    REML_EMBED_STATUS_OK = 0,
    /* Compilation or the program failed; `reml_last_error` has the reason. */
    REML_EMBED_STATUS_ERROR = 1,
    /* This library is not of the version that the host was made for. */
    REML_EMBED_STATUS_ABI_MISMATCH = 2,
    /* No code can be made for this machine. */
    REML_EMBED_STATUS_UNSUPPORTED_TARGET = 3,
    /* A null pointer where there must be none, text that is not UTF-8, no such context. */
    REML_EMBED_STATUS_INVALID_ARGUMENT = 4
} reml_embed_status_t;

typedef enum reml_embed_kind {
    REML_EMBED_UNIT = 0,
    REML_EMBED_BOOL = 1,
    REML_EMBED_INT = 2,
    REML_EMBED_FLOAT = 3,
    REML_EMBED_TEXT = 4,
    REML_EMBED_BYTES = 5,
    REML_EMBED_LIST = 6
} reml_embed_kind_t;

/* A value on its way into a program or out of it.
 *
 *   Reml                                  kind
 *   ()                                    UNIT
 *   Bool                                  BOOL
 *   i8 i16 i32 i64 Int, u8 u16 u32        INT; one that does not fit is refused
 *   f32 f64 Float                         FLOAT
 *   Str                                   TEXT
 *   [u8]                                  BYTES
 *   [T] List<T>                           LIST
 *   Option<T>                             UNIT, or what T is
 */
typedef struct reml_embed_value {
    reml_embed_kind_t kind;
    union {
        /* BOOL: 0 or 1. */
        int64_t boolean;
        int64_t integer;
        double number;
        /* TEXT and BYTES. Text need not end with a NUL character; that of results does, behind its length. */
        struct {
            const unsigned char *data;
            size_t len;
        } bytes;
        struct {
            const struct reml_embed_value *items;
            size_t len;
        } list;
    } as;
} reml_embed_value_t;

/* A function of the host. It runs on the thread and the stack of whoever called the program. For success it fills `*result`, which is UNIT before, and returns
 * REML_EMBED_STATUS_OK; for anything else the program gets an error, with the text in `*result` if there is one. What `*result` points to must stay until the next call of
 * the function, or the end of the context. It must not return in any other way, and cannot use the context it was called from. */
typedef reml_embed_status_t (*reml_embed_function_t)(void *user_data, const reml_embed_value_t *arguments,
                                                     size_t count, reml_embed_value_t *result);

/* Makes a context. `abi_version` must be REML_EMBED_ABI_VERSION. */
reml_embed_status_t reml_create_context(const char *abi_version, reml_embed_context_t **out);

/* Compiles a module. Replaces what was loaded before; its program ends. Modules that it uses are looked for in the current directory. */
reml_embed_status_t reml_load_module(reml_embed_context_t *context, const unsigned char *source, size_t len);

/* The same for a file, beside which other modules are looked for. */
reml_embed_status_t reml_load_file(reml_embed_context_t *context, const char *path);

/* Calls a function without parameters, `main` for NULL, and prints its result unless that is `()`. An `Err` is an error. */
reml_embed_status_t reml_run(reml_embed_context_t *context, const char *entrypoint);

/* Calls a function at the top level of the module. `result` may be NULL; what it points to stays until the next use of the context. The error of a function that
 * gives an `Err` is in `reml_last_error`. */
reml_embed_status_t reml_call(reml_embed_context_t *context, const char *function, const reml_embed_value_t *arguments,
                              size_t count, reml_embed_value_t *result);

/* Lets programs of the context call a function of the host, with `Core.Embed.host(name, arguments)`. A later one of the same name replaces it. */
reml_embed_status_t reml_register_function(reml_embed_context_t *context, const char *name,
                                           reml_embed_function_t function, void *user_data);

/* Says what programs that are loaded from now on may do: flags as `remlc run` takes them, between blanks, such as "--allow-read=data --deny-env". They replace those of
 * an earlier call. */
reml_embed_status_t reml_permit(reml_embed_context_t *context, const char *flags);

/* Records what the host does with the context, and what programs that are loaded from now on do, in an audit log. Several contexts may share one. */
reml_embed_status_t reml_set_audit_log(reml_embed_context_t *context, const char *path);

/* Ends the program and frees everything that the context has given. */
reml_embed_status_t reml_dispose_context(reml_embed_context_t *context);

/* What went wrong in the last use of the context that failed, NULL if none has. For a NULL context: in the last `reml_create_context` of this thread that failed.
 * It stays until the next use of the context. */
const char *reml_last_error(const reml_embed_context_t *context);

#ifdef __cplusplus
}
#endif

#endif
