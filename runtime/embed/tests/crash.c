/* A program whose C code crashes. With an argument, the host handles the signal itself. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "reml_embed.h"

static const char SOURCE[] = "module Host.Crash\n"
                             "\n"
                             "use Core.Unsafe.Ptr.{Ptr}\n"
                             "\n"
                             "extern \"C\" fn strlen(text: Ptr<u8>) -> usize\n"
                             "\n"
                             "fn width() -> Int = unsafe { strlen(Ptr.null()) } as Int\n";

static void handle(int number) {
    static const char text[] = "the host has seen it\n";
    (void)number;
    _exit(write(STDERR_FILENO, text, sizeof text - 1) == sizeof text - 1 ? 7 : 8);
}

int main(int argc, char **argv) {
    reml_embed_context_t *context = NULL;
    (void)argv;
    if (argc > 1) {
        signal(SIGSEGV, handle);
    }
    if (reml_create_context("0.1.0", &context) != REML_EMBED_STATUS_OK ||
        reml_permit(context, "--allow-ffi") != REML_EMBED_STATUS_OK ||
        reml_load_module(context, (const unsigned char *)SOURCE, strlen(SOURCE)) != REML_EMBED_STATUS_OK) {
        return 1;
    }
    return reml_run(context, "width") == REML_EMBED_STATUS_OK ? 2 : 3;
}
