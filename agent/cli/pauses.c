// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/agent_priv.h"
#include "agent/cli/pauses_priv.h"
#include "agent/cli/when_priv.h"

static void line(const json_t *pause, const char *indent)
{
    const char *what = field_text(pause, "what", "");
    AUTO(buf_fini) struct buf text = {0};
    if (strcmp(what, "folder") == 0 || strcmp(what, "peer") == 0)
        buf_printf(&text, "%s %s is paused", what, field_text(pause, "name", "?"));
    else
        buf_append_text(&text, strcmp(what, "quiet") == 0 ? "quiet hours" : "everything is paused");
    int64_t until = (int64_t)field_number(pause, "until_ms");
    if (until > 0) {
        buf_append_text(&text, " until ");
        when_print(until, &text);
    }
    printf("%s%s\n", indent, buf_text(&text));
}

size_t pauses_print(const json_t *pauses, const char *indent)
{
    size_t at;
    json_t *pause;
    json_array_foreach((json_t *)(uintptr_t)pauses, at, pause)
    {
        line(pause, indent);
    }
    return json_array_size(pauses);
}
