// SPDX-License-Identifier: MIT
//
// The identity file is two lines of text, so that a person sees what it is:
//
//     cfgsync identity 1
//     <the seed as 64 hexadecimal digits>
//
// Hexadecimal goes through libsodium, whose conversion does not branch on the secret.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "agent/base/flush.h"
#include "agent/base/log.h"
#include "agent/base/own.h"
#include "crypto/hash.h"
#include "crypto/identity_priv.h"

#define IDENTITY_HEAD "cfgsync identity 1\n"

enum {
    HEAD_BYTES = sizeof IDENTITY_HEAD - 1,
    HEX_BYTES = 2 * SEED_BYTES,
    FILE_BYTES = HEAD_BYTES + HEX_BYTES + 1,
    TEMP_NAME_MAX = 256,
    TEMP_RANDOM_BYTES = 8,
};

static enum err write_all(int fd, const char *text, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t wrote = write(fd, text + done, size - done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return log_errno(LOG_CRYPTO, "write", slice_text("identity"));
        done += (size_t)wrote;
    }
    return ERR_OK;
}

// The text ends where the NUL of sodium_bin2hex stands, which the final newline replaces.
static enum err write_seed(int fd, const uint8_t seed[SEED_BYTES])
{
    char text[FILE_BYTES];
    memcpy(text, IDENTITY_HEAD, HEAD_BYTES);
    (void)sodium_bin2hex(text + HEAD_BYTES, HEX_BYTES + 1, seed, SEED_BYTES);
    text[FILE_BYTES - 1] = '\n';
    enum err err = write_all(fd, text, sizeof text);
    crypto_wipe(text, sizeof text);
    return err;
}

// The mode at creation is 0600 less the umask, so at no time more; fchmod gives back what a umask
// took from the owner.
static enum err write_temp(int dir_fd, const char *temp, const uint8_t seed[SEED_BYTES])
{
    AUTO(fd_close)
    int fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return log_errno(LOG_CRYPTO, "openat", slice_text(temp));
    enum err err = ERR_OK;
    if (fchmod(fd, 0600) != 0) err = log_errno(LOG_CRYPTO, "fchmod", slice_text(temp));
    if (err == ERR_OK) err = write_seed(fd, seed);
    if (err == ERR_OK && flush_file(fd) != 0)
        err = log_errno(LOG_CRYPTO, "fsync", slice_text(temp));
    if (err != ERR_OK) (void)unlinkat(dir_fd, temp, 0);
    return err;
}

// The directory is opened anew, because the caller's descriptor may be O_PATH or AT_FDCWD.
static enum err sync_dir(int dir_fd)
{
    AUTO(fd_close) int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return log_errno(LOG_CRYPTO, "openat", slice_text("."));
    if (flush_file(fd) != 0) return log_errno(LOG_CRYPTO, "fsync", slice_text("."));
    return ERR_OK;
}

// linkat and not rename, because a rename would silently replace the identity of another init.
static enum err publish(int dir_fd, const char *temp, const char *name)
{
    enum err err = ERR_OK;
    if (linkat(dir_fd, temp, dir_fd, name, 0) != 0) {
        err = errno == EEXIST ? ERR_CHANGED : log_errno(LOG_CRYPTO, "linkat", slice_text(name));
    }
    (void)unlinkat(dir_fd, temp, 0);
    return err == ERR_OK ? sync_dir(dir_fd) : err;
}

static enum err create_file(int dir_fd, const char *name, const uint8_t seed[SEED_BYTES])
{
    uint8_t random[TEMP_RANDOM_BYTES];
    char hex[2 * TEMP_RANDOM_BYTES + 1];
    char temp[TEMP_NAME_MAX];
    crypto_random(random, sizeof random);
    hex_lower(random, sizeof random, hex);
    int length = snprintf(temp, sizeof temp, "%s.%s", name, hex);
    if (length < 0 || (size_t)length >= sizeof temp) return ERR_TOO_BIG;
    enum err err = write_temp(dir_fd, temp, seed);
    return err == ERR_OK ? publish(dir_fd, temp, name) : err;
}

enum err identity_create(int dir_fd, const char *name, struct identity **out)
{
    uint8_t seed[SEED_BYTES];
    crypto_random(seed, sizeof seed);
    enum err err = create_file(dir_fd, name, seed);
    if (err == ERR_OK) *out = identity_from_seed(seed);
    crypto_wipe(seed, sizeof seed);
    return err;
}

static enum err refuse(struct fault *fault, enum err code, const char *what)
{
    *fault = (struct fault){.code = code, .what = what};
    return code;
}

static enum err refuse_open(struct fault *fault, const char *name)
{
    if (errno == ENOENT) return refuse(fault, ERR_CONFIG, "there is no identity; run init");
    if (errno == ELOOP) {
        return refuse(fault, ERR_CONFIG, "identity is a symbolic link; put the file itself there");
    }
    return refuse(fault, log_errno(LOG_CRYPTO, "openat", slice_text(name)), "cannot open identity");
}

static enum err check_file(int fd, struct fault *fault)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        enum err err = log_errno(LOG_CRYPTO, "fstat", slice_text("identity"));
        return refuse(fault, err, "cannot examine identity");
    }
    if (!S_ISREG(st.st_mode)) return refuse(fault, ERR_CONFIG, "identity is not a regular file");
    if (st.st_uid != geteuid()) {
        return refuse(fault, ERR_CONFIG, "identity belongs to another user; run chown on it");
    }
    if (st.st_mode & 077) {
        return refuse(fault, ERR_CONFIG, "identity can be read by others; run chmod 600 on it");
    }
    return ERR_OK;
}

// Reads up to `size` bytes, less only at the end of the file.
static enum err read_all(int fd, char *text, size_t size, size_t *out_size)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got = read(fd, text + done, size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return log_errno(LOG_CRYPTO, "read", slice_text("identity"));
        if (got == 0) break;
        done += (size_t)got;
    }
    *out_size = done;
    return ERR_OK;
}

static bool parse_seed(const char *text, size_t size, uint8_t seed[SEED_BYTES])
{
    if (size != FILE_BYTES || memcmp(text, IDENTITY_HEAD, HEAD_BYTES) != 0) return false;
    if (text[FILE_BYTES - 1] != '\n') return false;
    size_t decoded = 0;
    return sodium_hex2bin(seed, SEED_BYTES, text + HEAD_BYTES, HEX_BYTES, NULL, &decoded, NULL) ==
               0 &&
           decoded == SEED_BYTES;
}

static enum err read_seed(int fd, uint8_t seed[SEED_BYTES], struct fault *fault)
{
    char text[FILE_BYTES + 1]; // one more, so that a longer file is noticed
    size_t size = 0;
    enum err err = read_all(fd, text, sizeof text, &size);
    bool valid = err == ERR_OK && parse_seed(text, size, seed);
    crypto_wipe(text, sizeof text);
    if (err != ERR_OK) return refuse(fault, err, "cannot read identity");
    if (!valid) {
        return refuse(fault, ERR_CONFIG, "identity has an unknown format; restore it from a copy");
    }
    return ERR_OK;
}

// O_NONBLOCK, because opening a FIFO of that name would wait for a writer.
enum err identity_load(int dir_fd, const char *name, struct identity **out, struct fault *fault)
{
    *fault = (struct fault){0};
    AUTO(fd_close) int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) return refuse_open(fault, name);
    enum err err = check_file(fd, fault);
    if (err != ERR_OK) return err;
    uint8_t seed[SEED_BYTES];
    err = read_seed(fd, seed, fault);
    if (err == ERR_OK) *out = identity_from_seed(seed);
    crypto_wipe(seed, sizeof seed);
    return err;
}
