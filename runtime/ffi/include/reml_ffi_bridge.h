/* What C code that is linked with a Reml program can call: the counters of the bridge, and marks for who owns what passes it.
 *
 * The functions are in the runtime, which executables contain and remlc has, too. All of them may be called from any thread. */

#ifndef REML_FFI_BRIDGE_H
#define REML_FFI_BRIDGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint64_t total_calls;
    uint64_t success_calls;
    uint64_t borrowed_results;
    uint64_t transferred_results;
    uint64_t null_results;
} reml_ffi_bridge_metrics_t;

/* Bytes of memory. */
typedef struct {
    void *data;
    size_t length;
} reml_span_t;

/* A text in UTF-8, without a zero byte at its end. */
typedef struct {
    const uint8_t *data;
    int64_t length;
} reml_string_t;

/* What has been counted since the process began, or since the last reset. */
reml_ffi_bridge_metrics_t reml_ffi_bridge_get_metrics(void);
/* The part of the calls that have succeeded; 1.0 when there was none. */
double reml_ffi_bridge_pass_rate(void);
void reml_ffi_bridge_reset_metrics(void);
/* Counts a call: 0 for one that has succeeded, anything else for one that has failed. */
void reml_ffi_bridge_record_status(int status);

/* Mark where a pointer is borrowed for a call, or becomes the caller's. They give the pointer itself. */
void *reml_ffi_acquire_borrowed(void *pointer);
void *reml_ffi_acquire_transferred(void *pointer);
/* Frees memory that has come from malloc and is the caller's. */
void reml_ffi_release_transferred(void *pointer);
/* The same for results, which are counted: as borrowed, as transferred, or, when the pointer is NULL, as null results. */
void *reml_ffi_acquire_borrowed_result(void *pointer);
void *reml_ffi_acquire_transferred_result(void *pointer);

/* The bytes of a text, and the text of bytes, where they are. NULL data has the length 0. */
reml_span_t reml_ffi_box_string(const reml_string_t *text);
reml_string_t reml_ffi_unbox_span(const reml_span_t *span);

#ifdef __cplusplus
}
#endif

#endif
