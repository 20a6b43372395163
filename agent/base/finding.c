// SPDX-License-Identifier: MIT
#include "agent/base/finding.h"

#include <stdio.h>

#include "agent/base/own.h"

void finding_add(json_t *list, enum finding_level level, const char *subject, const char *fix,
                 const char *format, ...)
{
    static const char *const levels[] = {
        [FINDING_OK] = "ok", [FINDING_WARNING] = "warning", [FINDING_ERROR] = "error"};
    char text[1024];
    va_list values;
    va_start(values, format);
    if (vsnprintf(text, sizeof text, format, values) < 0) text[0] = '\0';
    va_end(values);
    json_t *finding = json_object();
    json_object_set_new(finding, "level", json_string(levels[level]));
    json_object_set_new(finding, "subject", json_bytes(slice_text(subject)));
    json_object_set_new(finding, "text", json_bytes(slice_text(text)));
    json_object_set_new(finding, "fix", fix != NULL ? json_bytes(slice_text(fix)) : json_null());
    json_array_append_new(list, finding);
}
