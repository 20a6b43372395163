// SPDX-License-Identifier: MIT
//
// What an engine logs, kept for the test to look at.
#include "agent/base/log.h"
#include "tests/unit/sync/rig.h"

enum { LOG_BYTES = 1 << 20 };

static char logged[LOG_BYTES];
static size_t logged_size;

static void log_record(enum log_level level, enum log_area area, const char *line)
{
    (void)level, (void)area;
    size_t size = strlen(line);
    if (logged_size + size + 2 > LOG_BYTES) return;
    memcpy(logged + logged_size, line, size);
    logged_size += size;
    logged[logged_size++] = '\n';
    logged[logged_size] = 0;
}

bool rig_logged(const char *text)
{
    return strstr(logged, text) != NULL;
}

void rig_log_clear(void)
{
    logged_size = 0;
    logged[0] = 0;
}

void rig_log_begin(void)
{
    rig_log_clear();
    log_set_level(LOG_DEBUG);
    log_set_sink(log_record);
}
