// SPDX-License-Identifier: MIT
//
// agent/cli/texts — the files of agent/cli/texts as they are (cmake/Texts.cmake).
#ifndef AGENT_CLI_TEXTS_PRIV_H
#define AGENT_CLI_TEXTS_PRIV_H

extern const char text_completion_bash[], text_completion_zsh[], text_completion_fish[];

extern const char text_prompt_bash[], text_prompt_zsh[], text_prompt_fish[], text_prompt_starship[];
extern const char text_service_unit[], text_service_system[], text_service_plist[];

#endif
