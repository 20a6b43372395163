// SPDX-License-Identifier: MIT
//
// How a directory spells a name: one of the attributes of what has it.
#include <errno.h>
#include <string.h>
#include <sys/attr.h>
#include <unistd.h>

#include "agent/fs/disk_priv.h"

int name_spelled(int dir_fd, const char *name, char out[FS_NAME_MAX])
{
    struct {
        uint32_t size;
        attrreference_t name;
        char text[FS_NAME_MAX + 4];
    } __attribute__((aligned(4), packed)) answer;
    struct attrlist wanted = {.bitmapcount = ATTR_BIT_MAP_COUNT, .commonattr = ATTR_CMN_NAME};
    if (getattrlistat(dir_fd, name, &wanted, &answer, sizeof answer, FSOPT_NOFOLLOW) != 0)
        return errno;
    const char *text = (const char *)&answer.name + answer.name.attr_dataoffset;
    if (strlen(text) >= FS_NAME_MAX) return ENAMETOOLONG;
    memcpy(out, text, strlen(text) + 1);
    return 0;
}
