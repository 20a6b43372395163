// SPDX-License-Identifier: MIT
//
// agent/daemon/config_checks — what a value of the config file must be, said by libconfuse's
// callbacks while the line it stands on is known.
#ifndef AGENT_DAEMON_CONFIG_CHECKS_PRIV_H
#define AGENT_DAEMON_CONFIG_CHECKS_PRIV_H

#include <confuse.h>

#include "agent/daemon/config_priv.h"

int config_check_device_name(cfg_t *cfg, cfg_opt_t *opt);
int config_check_addresses(cfg_t *cfg, cfg_opt_t *opt);
int config_check_proxy(cfg_t *cfg, cfg_opt_t *opt);
int config_check_id(cfg_t *cfg, cfg_opt_t *opt);
int config_check_path(cfg_t *cfg, cfg_opt_t *opt);
int config_check_setting(cfg_t *cfg, cfg_opt_t *opt);
int config_check_with(cfg_t *cfg, cfg_opt_t *opt);
int config_check_section(cfg_t *cfg, cfg_opt_t *opt);
int config_check_quiet(cfg_t *cfg, cfg_opt_t *opt);
int config_check_rate(cfg_t *cfg, cfg_opt_t *opt);
int config_check_word(cfg_t *cfg, cfg_opt_t *opt);

// "22:00-07:00", as minutes of the day.
bool config_quiet(const char *text, unsigned *out_from, unsigned *out_to);
// "500K", "2M": bytes a second; "off": 0.
bool config_rate(const char *text, uint64_t *out);

#endif
