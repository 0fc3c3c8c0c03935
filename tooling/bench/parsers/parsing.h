// What the C parsers share: `PROGRAM recognise|tree FILE` reads the file and prints `accepted`, what the tree amounts to, or
// `rejected`.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Whether a text, which ends in a zero byte, is one of the language.
static bool recognise(const char *source, size_t length);

// The same; makes a tree and prints what it amounts to.
static bool tree(const char *source, size_t length);

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    FILE *file = fopen(argv[2], "rb");
    if (!file) return 1;
    fseek(file, 0, SEEK_END);
    size_t length = ftell(file);
    rewind(file);
    char *source = malloc(length + 1);
    if (fread(source, 1, length, file) != length) return 1;
    source[length] = 0;
    fclose(file);
    if (strcmp(argv[1], "tree") == 0) {
        if (!tree(source, length)) puts("rejected");
    } else {
        puts(recognise(source, length) ? "accepted" : "rejected");
    }
}
