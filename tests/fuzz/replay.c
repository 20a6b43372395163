// SPDX-License-Identifier: MIT
//
// Runs a target over corpora (NAME.txt: an input a line, in hex; what begins with # is a remark)
// and over single inputs, as they are in any other file. What ends it is the input it names last.
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

// A copy of its very size, so that a sanitizer sees who reads beyond it.
static void replay(const uint8_t *data, size_t size)
{
    AUTO(mem_free) uint8_t *exact = mem_alloc(size);
    if (size > 0) memcpy(exact, data, size);
    (void)LLVMFuzzerTestOneInput(exact, size);
}

static bool from_hex(const char *line, struct buf *out)
{
    buf_clear(out);
    size_t digits = strspn(line, "0123456789abcdef");
    if (digits % 2 != 0 || line[digits + strspn(line + digits, "\n")] != '\0') return false;
    for (size_t i = 0; i < digits; i += 2) {
        const char pair[] = {line[i], line[i + 1], '\0'};
        uint8_t byte = (uint8_t)strtoul(pair, NULL, 16);
        buf_append(out, &byte, 1);
    }
    return true;
}

static int replay_corpus(const char *path, FILE *file)
{
    AUTO(buf_fini) struct buf bytes = {0};
    AUTO(mem_free) char *line = NULL;
    size_t capacity = 0;
    int count = 0;
    for (int number = 1; getline(&line, &capacity, file) > 0; number++) {
        if (line[0] == '#') continue;
        printf("%s:%d\n", path, number);
        (void)fflush(stdout);
        if (!from_hex(line, &bytes)) return 0;
        replay(bytes.data, bytes.size);
        count++;
    }
    return count;
}

static int replay_file(const char *path, FILE *file)
{
    AUTO(buf_fini) struct buf bytes = {0};
    char part[65536];
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;)
        buf_append(&bytes, part, size);
    printf("%s\n", path);
    (void)fflush(stdout);
    replay(bytes.data, bytes.size);
    return 1;
}

int main(int count, char **arguments)
{
    int replayed = 0;
    for (int i = 1; i < count; i++) {
        const char *path = arguments[i], *end = strrchr(path, '.');
        FILE *file = fopen(path, "rb");
        if (file == NULL) {
            perror(path);
            return 1;
        }
        bool corpus = end != NULL && strcmp(end, ".txt") == 0;
        int more = corpus ? replay_corpus(path, file) : replay_file(path, file);
        (void)fclose(file);
        if (more == 0) return 1;
        replayed += more;
    }
    printf("%d inputs\n", replayed);
    return replayed > 0 ? 0 : 1;
}
