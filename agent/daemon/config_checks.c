// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/daemon/config_checks_priv.h"
#include "agent/daemon/names_priv.h"
#include "agent/sync/engine.h"
#include "crypto/identity.h"

int config_check_device_name(cfg_t *cfg, cfg_opt_t *opt)
{
    if (device_name_valid(cfg_opt_getnstr(opt, 0))) return 0;
    cfg_error(cfg, "name: must have 1 to %d bytes and no control bytes", (int)NAME_BYTES_MAX);
    return -1;
}

bool config_quiet(const char *text, unsigned *out_from, unsigned *out_to)
{
    unsigned from_h, from_m, to_h, to_m;
    int end = 0;
    if (strspn(text, "0123456789:-") != strlen(text)) return false;
    int got = sscanf(text, "%2u:%2u-%2u:%2u%n", &from_h, &from_m, &to_h, &to_m, &end);
    if (got != 4 || text[end] != '\0') return false;
    if (from_h > 23 || from_m > 59 || to_h > 23 || to_m > 59) return false;
    *out_from = 60 * from_h + from_m;
    *out_to = 60 * to_h + to_m;
    return *out_from != *out_to;
}

bool config_rate(const char *text, uint64_t *out)
{
    static const char units[] = "KMG";
    uint64_t value = 0;
    *out = 0;
    if (strcmp(text, "off") == 0) return true;
    size_t digits = strspn(text, "0123456789");
    const char *unit = text[digits] != '\0' ? strchr(units, text[digits]) : NULL;
    if (digits < 1 || digits > 6 || unit == NULL || text[digits + 1] != '\0') return false;
    for (size_t i = 0; i < digits; i++)
        value = 10 * value + (uint64_t)(text[i] - '0');
    *out = value << (10 * (unit - units + 1));
    return *out >= ENGINE_RATE_MIN;
}

int config_check_rate(cfg_t *cfg, cfg_opt_t *opt)
{
    uint64_t rate;
    if (config_rate(cfg_opt_getnstr(opt, 0), &rate)) return 0;
    cfg_error(cfg, "%s: must be off, or at least 128K bytes a second: \"500K\", \"2M\"", opt->name);
    return -1;
}

// One of a few.
int config_check_word(cfg_t *cfg, cfg_opt_t *opt)
{
    static const struct {
        const char *key, *words[5], *text;
    } table[] = {
        {"log_level", {"error", "warn", "info", "debug"}, "error, warn, info or debug"},
        {"log_format", {"text", "json"}, "text or json"},
        {"bulk_priority", {"normal", "low"}, "normal or low"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(opt->name, table[i].key) != 0) continue;
        for (size_t w = 0; table[i].words[w] != NULL; w++)
            if (strcmp(cfg_opt_getnstr(opt, 0), table[i].words[w]) == 0) return 0;
        cfg_error(cfg, "%s: must be %s", opt->name, table[i].text);
    }
    return -1;
}

int config_check_quiet(cfg_t *cfg, cfg_opt_t *opt)
{
    unsigned from, to;
    if (config_quiet(cfg_opt_getnstr(opt, 0), &from, &to)) return 0;
    cfg_error(cfg, "quiet: must be like \"22:00-07:00\"");
    return -1;
}

int config_check_addresses(cfg_t *cfg, cfg_opt_t *opt)
{
    bool listening = cfg->title == NULL;
    if (cfg_opt_size(opt) > REGISTRY_ADDRESSES_MAX) {
        cfg_error(cfg, "%s: more than %d addresses", opt->name, (int)REGISTRY_ADDRESSES_MAX);
        return -1;
    }
    for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
        const char *address = cfg_opt_getnstr(opt, i);
        if (address_valid(address, listening)) continue;
        cfg_error(cfg, "%s: \"%.200s\" is not tcp://host:port", opt->name, address);
        return -1;
    }
    return 0;
}

int config_check_proxy(cfg_t *cfg, cfg_opt_t *opt)
{
    if (address_valid(cfg_opt_getnstr(opt, 0), false)) return 0;
    cfg_error(cfg, "socks_proxy: \"%.200s\" is not tcp://host:port", cfg_opt_getnstr(opt, 0));
    return -1;
}

int config_check_id(cfg_t *cfg, cfg_opt_t *opt)
{
    struct device_id device;
    unsigned group = 0;
    uint8_t curve[CURVE_KEY_BYTES];
    if (device_id_parse(cfg_opt_getnstr(opt, 0), &device, &group) != ERR_OK) {
        if (group > 0) {
            cfg_error(cfg, "id: group %u of the device id is mistyped", group);
        } else {
            cfg_error(cfg, "id: this is no whole device id");
        }
        return -1;
    }
    if (device_curve_key(device, curve) == ERR_OK) return 0;
    cfg_error(cfg, "id: this is no device's key");
    return -1;
}

int config_check_path(cfg_t *cfg, cfg_opt_t *opt)
{
    if (cfg_opt_getnstr(opt, 0)[0] == '/') return 0;
    cfg_error(cfg, "path: must be absolute");
    return -1;
}

int config_check_setting(cfg_t *cfg, cfg_opt_t *opt)
{
    enum setting setting;
    CHECK(setting_find(slice_text(opt->name), &setting));
    const char *fault = setting_fault(setting, cfg_opt_getnstr(opt, 0));
    if (fault == NULL) return 0;
    cfg_error(cfg, "%s: %s", opt->name, fault);
    return -1;
}

int config_check_with(cfg_t *cfg, cfg_opt_t *opt)
{
    for (unsigned i = 0; i < cfg_opt_size(opt); i++) {
        const char *name = cfg_opt_getnstr(opt, i);
        if (strcmp(name, "all") == 0 || name_valid(name)) continue;
        cfg_error(cfg, "with: \"%.64s\" is not a peer's name", name);
        return -1;
    }
    return 0;
}

// Called when the section has ended; the line is then the one of its closing brace.
int config_check_section(cfg_t *cfg, cfg_opt_t *opt)
{
    cfg_t *section = cfg_opt_getnsec(opt, cfg_opt_size(opt) - 1);
    const char *needed = strcmp(opt->name, "peer") == 0 ? "id" : "path";
    if (!name_valid(cfg_title(section))) {
        cfg_error(cfg, "%s: \"%.64s\" is not a name (letters, digits, '.', '_', '-')", opt->name,
                  cfg_title(section));
        return -1;
    }
    if (cfg_getstr(section, needed) != NULL) return 0;
    cfg_error(cfg, "%s %s: %s: is missing", opt->name, cfg_title(section), needed);
    return -1;
}
