// SPDX-License-Identifier: MIT
//
// Runs a target over files, and over the files of folders, given as arguments. What ends it is the
// input it names last.
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/fuzz/fuzz.h"

static bool replay_file(const char *path)
{
    AUTO(buf_fini) struct buf bytes = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        return false;
    }
    char part[65536];
    for (size_t size; (size = fread(part, 1, sizeof part, file)) > 0;)
        buf_append(&bytes, part, size);
    (void)fclose(file);
    printf("%s\n", path);
    (void)fflush(stdout);
    // A copy of its very size, so that a sanitizer sees who reads beyond it.
    AUTO(mem_free) uint8_t *exact = mem_alloc(bytes.size + (bytes.size == 0));
    if (bytes.size > 0) memcpy(exact, bytes.data, bytes.size);
    (void)LLVMFuzzerTestOneInput(exact, bytes.size);
    return true;
}

static int replay_folder(const char *path)
{
    struct dirent **entries = NULL;
    int count = scandir(path, &entries, NULL, alphasort), replayed = 0;
    for (int i = 0; i < count; i++) {
        AUTO(buf_fini) struct buf name = {0};
        buf_printf(&name, "%s/%s", path, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.') replayed += replay_file(buf_text(&name));
        free(entries[i]);
    }
    free(entries);
    return replayed;
}

int main(int count, char **arguments)
{
    int replayed = 0;
    for (int i = 1; i < count; i++) {
        struct stat st;
        bool folder = stat(arguments[i], &st) == 0 && S_ISDIR(st.st_mode);
        replayed += folder ? replay_folder(arguments[i]) : replay_file(arguments[i]);
    }
    printf("%d inputs\n", replayed);
    return replayed > 0 ? 0 : 1;
}
