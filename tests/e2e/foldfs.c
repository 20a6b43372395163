// SPDX-License-Identifier: MIT
//
// foldfs SOURCE MOUNTPOINT [FUSE OPTIONS]: shows SOURCE as a Mac's volume looks by default: names
// are found whatever their case and Unicode normal form, and kept as they were first written.
#define _GNU_SOURCE
#define FUSE_USE_VERSION 31
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <fuse.h>
#include <utf8proc.h>

static int root;

static char *fold(const char *s)
{
    utf8proc_uint8_t *out = NULL;
    if (utf8proc_map((const utf8proc_uint8_t *)s, 0, &out,
                     UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD) <
        0) {
        free(out);
        return NULL; /* not UTF-8: APFS refuses such a name */
    }
    return (char *)out;
}

/* The path below root under which PATH is kept; a last name not found stays as given. */
static int real(const char *path, char *out)
{
    char buf[PATH_MAX], *save = NULL, *part;
    size_t at = 1;

    snprintf(buf, sizeof buf, "%s", path);
    memcpy(out, ".", 2);
    for (part = strtok_r(buf, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        char *want = fold(part);
        const char *name = part;
        struct stat st;
        char probe[PATH_MAX], found[NAME_MAX + 1];

        if (!want) return -EILSEQ;
        if (at + strlen(part) + 2 > PATH_MAX || strlen(part) > NAME_MAX) {
            free(want);
            return -ENAMETOOLONG;
        }
        snprintf(probe, sizeof probe, "%s/%s", out, part);
        if (fstatat(root, probe, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            int fd = openat(root, out, O_RDONLY | O_DIRECTORY);
            DIR *d = fd < 0 ? NULL : fdopendir(fd);
            struct dirent *e;
            while (d && name == part && (e = readdir(d))) {
                char *have = fold(e->d_name);
                if (have && !strcmp(have, want)) {
                    snprintf(found, sizeof found, "%s", e->d_name);
                    name = found;
                }
                free(have);
            }
            if (d) closedir(d);
        }
        at += (size_t)snprintf(out + at, PATH_MAX - at, "/%s", name);
        free(want);
    }
    return 0;
}

#define REAL(p, r)                                                                                 \
    char r[PATH_MAX];                                                                              \
    do {                                                                                           \
        int e_ = real(p, r);                                                                       \
        if (e_) return e_;                                                                         \
    } while (0)
#define RET(x) return (x) < 0 ? -errno : 0

static int a_getattr(const char *p, struct stat *s, struct fuse_file_info *f)
{
    if (f) RET(fstat((int)f->fh, s));
    REAL(p, r);
    RET(fstatat(root, r, s, AT_SYMLINK_NOFOLLOW));
}
static int a_readlink(const char *p, char *b, size_t n)
{
    REAL(p, r);
    ssize_t k = readlinkat(root, r, b, n - 1);
    if (k < 0) return -errno;
    b[k] = 0;
    return 0;
}
static int a_mkdir(const char *p, mode_t m)
{
    REAL(p, r);
    RET(mkdirat(root, r, m));
}
static int a_mknod(const char *p, mode_t m, dev_t d)
{
    REAL(p, r);
    RET(mknodat(root, r, m, d));
}
static int a_unlink(const char *p)
{
    REAL(p, r);
    RET(unlinkat(root, r, 0));
}
static int a_rmdir(const char *p)
{
    REAL(p, r);
    RET(unlinkat(root, r, AT_REMOVEDIR));
}
static int a_symlink(const char *t, const char *p)
{
    REAL(p, r);
    RET(symlinkat(t, root, r));
}
static int a_link(const char *a, const char *b)
{
    REAL(a, ra);
    REAL(b, rb);
    RET(linkat(root, ra, root, rb, 0));
}
static int a_chmod(const char *p, mode_t m, struct fuse_file_info *f)
{
    if (f) RET(fchmod((int)f->fh, m));
    REAL(p, r);
    RET(fchmodat(root, r, m, 0));
}
static int a_chown(const char *p, uid_t u, gid_t g, struct fuse_file_info *f)
{
    if (f) RET(fchown((int)f->fh, u, g));
    REAL(p, r);
    RET(fchownat(root, r, u, g, AT_SYMLINK_NOFOLLOW));
}
static int a_utimens(const char *p, const struct timespec t[2], struct fuse_file_info *f)
{
    if (f) RET(futimens((int)f->fh, t));
    REAL(p, r);
    RET(utimensat(root, r, t, AT_SYMLINK_NOFOLLOW));
}
static int a_truncate(const char *p, off_t n, struct fuse_file_info *f)
{
    int fd, k;
    if (f) RET(ftruncate((int)f->fh, n));
    REAL(p, r);
    fd = openat(root, r, O_WRONLY);
    if (fd < 0) return -errno;
    k = ftruncate(fd, n) < 0 ? -errno : 0;
    close(fd);
    return k;
}
static int a_open(const char *p, struct fuse_file_info *f)
{
    REAL(p, r);
    int fd = openat(root, r, f->flags & ~O_NOFOLLOW);
    if (fd < 0) return -errno;
    f->fh = (uint64_t)fd;
    return 0;
}
static int a_create(const char *p, mode_t m, struct fuse_file_info *f)
{
    REAL(p, r);
    int fd = openat(root, r, f->flags | O_CREAT, m);
    if (fd < 0) return -errno;
    f->fh = (uint64_t)fd;
    return 0;
}
static int a_read(const char *p, char *b, size_t n, off_t o, struct fuse_file_info *f)
{
    (void)p;
    ssize_t k = pread((int)f->fh, b, n, o);
    return k < 0 ? -errno : (int)k;
}
static int a_write(const char *p, const char *b, size_t n, off_t o, struct fuse_file_info *f)
{
    (void)p;
    ssize_t k = pwrite((int)f->fh, b, n, o);
    return k < 0 ? -errno : (int)k;
}
static int a_release(const char *p, struct fuse_file_info *f)
{
    (void)p;
    close((int)f->fh);
    return 0;
}
static int a_fsync(const char *p, int data, struct fuse_file_info *f)
{
    (void)p;
    RET(data ? fdatasync((int)f->fh) : fsync((int)f->fh));
}
static int a_statfs(const char *p, struct statvfs *s)
{
    (void)p;
    RET(fstatvfs(root, s));
}
static int a_rename(const char *a, const char *b, unsigned flags)
{
    REAL(a, ra);
    REAL(b, rb);
    if (!strcmp(ra, rb)) { /* a rename of one file to another case of its name */
        char *cut = strrchr(rb, '/');
        memcpy(cut, strrchr(b, '/'), strlen(strrchr(b, '/')) + 1);
    }
    RET(renameat2(root, ra, root, rb, flags));
}
static int a_readdir(const char *p, void *buf, fuse_fill_dir_t fill, off_t o,
                     struct fuse_file_info *f, enum fuse_readdir_flags fl)
{
    struct dirent *e;
    DIR *d;
    int fd;
    (void)o;
    (void)f;
    (void)fl;
    REAL(p, r);
    fd = openat(root, r, O_RDONLY | O_DIRECTORY);
    d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) return -errno;
    while ((e = readdir(d))) {
        struct stat s = {.st_ino = e->d_ino, .st_mode = (mode_t)(e->d_type << 12)};
        if (fill(buf, e->d_name, &s, 0, 0)) break;
    }
    closedir(d);
    return 0;
}
static void *a_init(struct fuse_conn_info *c, struct fuse_config *g)
{
    (void)c;
    g->use_ino = 1;
    g->entry_timeout = g->attr_timeout = g->negative_timeout = 0;
    g->hard_remove = 1;
    return NULL;
}

static const struct fuse_operations ops = {
    .init = a_init,
    .getattr = a_getattr,
    .readlink = a_readlink,
    .mknod = a_mknod,
    .mkdir = a_mkdir,
    .unlink = a_unlink,
    .rmdir = a_rmdir,
    .symlink = a_symlink,
    .rename = a_rename,
    .link = a_link,
    .chmod = a_chmod,
    .chown = a_chown,
    .truncate = a_truncate,
    .utimens = a_utimens,
    .open = a_open,
    .create = a_create,
    .read = a_read,
    .write = a_write,
    .release = a_release,
    .fsync = a_fsync,
    .statfs = a_statfs,
    .readdir = a_readdir,
};

int main(int argc, char **argv)
{
    if (argc < 3 || (root = open(argv[1], O_PATH | O_DIRECTORY)) < 0) {
        fprintf(stderr, "usage: foldfs SOURCE MOUNTPOINT [FUSE OPTIONS]\n");
        return 2;
    }
    umask(0);
    argv[1] = argv[0];
    return fuse_main(argc - 1, argv + 1, &ops, NULL);
}
