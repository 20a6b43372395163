// SPDX-License-Identifier: MIT
//
// POST /v1/folders/set: settings of a folder, kept in the registry, in force at once.
#include <string.h>

#include "agent/base/log.h"
#include "agent/base/own.h"
#include "agent/base/suggest.h"
#include "agent/daemon/control_priv.h"

json_t *settings_json(const struct registry_folder *folder)
{
    json_t *out = json_object();
    for (int i = 0; i < SETTING_COUNT; i++) {
        enum setting setting = (enum setting)i;
        const char *text =
            folder->settings[i] != NULL ? folder->settings[i] : setting_default(setting);
        json_object_set_new(out, setting_name(setting), json_string(text));
    }
    return out;
}

static void refuse_key(struct agent *agent, uint64_t request, struct slice key)
{
    struct suggestion best;
    char escaped[LOG_ESCAPED_MAX];
    suggest_begin(&best, (const char *)key.data, key.size);
    for (int i = 0; i < SETTING_COUNT; i++)
        suggest_offer(&best, setting_name((enum setting)i));
    control_refuse(agent, request, REFUSE_UNKNOWN_KEY, "cfgsync-agent folder set NAME lists all",
                   "no setting is called %s%s%s%s", log_escape(key, escaped),
                   best.text != NULL ? "; did you mean " : "", best.text != NULL ? best.text : "",
                   best.text != NULL ? "?" : "");
}

// "KEY=VALUE" into the folder; "KEY=" and "KEY=default" bring the default back.
static bool set_one(struct agent *agent, uint64_t request, char *text,
                    struct registry_folder *folder)
{
    enum setting setting;
    size_t size = strcspn(text, "=");
    char *value = text + size + 1;
    if (text[size] != '=') {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "%.64s: must be KEY=VALUE", text);
        return false;
    }
    if (!setting_find(slice_of(text, size), &setting)) {
        refuse_key(agent, request, slice_of(text, size));
        return false;
    }
    bool usual = value[0] == '\0' || strcmp(value, "default") == 0;
    const char *fault = usual ? NULL : setting_fault(setting, value);
    if (fault != NULL) {
        control_refuse(agent, request, REFUSE_BAD_VALUE, NULL, "%s: %s", setting_name(setting),
                       fault);
        return false;
    }
    folder->settings[setting] = usual ? NULL : value;
    return true;
}

static void answer(struct agent *agent, uint64_t request, const char *name)
{
    json_t *out = json_object();
    json_object_set_new(out, "name", json_bytes(slice_text(name)));
    json_object_set_new(out, "settings", settings_json(registry_folder(agent->registry, name)));
    control_answer(agent, request, out);
}

void control_folders_set(struct agent *agent, uint64_t request, const json_t *body)
{
    const char *name = body_text(body, "name");
    uint32_t count, number;
    char **texts = body_texts(agent, body, "settings", &count);
    const struct registry_folder *known = control_folder(agent, request, name);
    if (known == NULL) return;
    struct registry_folder folder = *known;
    for (uint32_t i = 0; i < count; i++) {
        if (!set_one(agent, request, texts[i], &folder)) return;
    }
    if (count > 0 && (control_declared(agent, request, known) ||
                      !control_folder_keep(agent, request, &folder, false, &number)))
        return;
    for (uint32_t i = 0; i < count; i++)
        log_info(LOG_DAEMON, "folder set", "name=%s setting=%s", name, texts[i]);
    answer(agent, request, name);
    if (count > 0) show_dirty(agent);
}
