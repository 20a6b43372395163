// SPDX-License-Identifier: MIT
//
// agent/cli/complete — reads a command line that is not finished as cli.c reads a finished one, but
// takes no offence at anything.
#include <stdio.h>
#include <string.h>

#include "agent/base/own.h"
#include "agent/cli/complete_priv.h"

struct line {
    const struct cli_verb *verb;
    const char *group;                // the first word of several verbs, while no second one is
    const char *first;                // the verb's first word of its own
    size_t place;                     // of the last word among the verb's own
    const struct cli_option *pending; // whose value the last word is
    const char *home;
    bool ended; // "--" was there
};

void candidate_add(struct candidates *candidates, const char *text, const char *what)
{
    if (strncmp(text, candidates->typed, strlen(candidates->typed)) != 0) return;
    for (const char *at = text; *at != '\0'; at++)
        if ((unsigned char)*at < ' ' || *at == 0x7f) return;
    buf_printf(&candidates->lines, "%.*s%s\t%s\n", SLICE_ARG(candidates->lead), text, what);
}

// ---- what stands before

static const struct cli_option *find_option(const struct cli_verb *verb, const char *text)
{
    size_t size = strcspn(text, "=");
    const struct cli_option *const lists[] = {verb != NULL ? verb->options : NULL, args_global};
    for (size_t i = 0; i < 2; i++) {
        for (const struct cli_option *at = lists[i]; at != NULL && at->name != NULL; at++)
            if (strlen(at->name) == size && memcmp(at->name, text, size) == 0) return at;
    }
    return NULL;
}

static void take_word(struct line *line, const char *word)
{
    if (line->verb == NULL && line->group == NULL && line->place == 0) {
        if (verb_is_group(word)) line->group = word;
        if (line->group == NULL) line->verb = verb_find(word);
        if (line->group == NULL && line->verb == NULL) line->place = 1; // no verb, and none to come
        return;
    }
    if (line->group != NULL) {
        AUTO(buf_fini) struct buf name = {0};
        buf_printf(&name, "%s %s", line->group, word);
        line->verb = verb_find(buf_text(&name));
        const char *group = line->group;
        line->group = NULL;
        if (line->verb != NULL) return;
        line->verb = verb_find(group);
    }
    if (line->place++ == 0) line->first = word;
}

static void read_line(const char *const *words, size_t count, struct line *out)
{
    for (size_t i = 0; i + 1 < count; i++) {
        const char *word = words[i];
        if (out->ended || word[0] != '-' || word[1] == '\0') {
            take_word(out, word);
        } else if (strcmp(word, "--") == 0) {
            out->ended = true;
        } else {
            const struct cli_verb *verb = out->verb;
            if (verb == NULL && out->group != NULL) verb = verb_find(out->group);
            const struct cli_option *option = find_option(verb, word);
            const char *value = strchr(word, '=');
            if (option == NULL || option->value == NULL) continue;
            if (value == NULL && i + 2 == count) out->pending = option;
            value = value != NULL ? value + 1 : words[++i];
            if (strcmp(option->name, "--home") == 0) out->home = value;
        }
    }
}

// ---- what may come

// What stands for a value in a usage line says what it is.
static enum complete kind_of_value(const char *value)
{
    static const struct {
        const char *value;
        enum complete kind;
    } kinds[] = {
        {"PEER", COMPLETE_PEER},     {"DEVICE", COMPLETE_PEER},        {"PEER,...", COMPLETE_PEERS},
        {"FOLDER", COMPLETE_FOLDER}, {"FOLDER,...", COMPLETE_FOLDERS}, {"FILE", COMPLETE_FILE},
        {"DIR", COMPLETE_DIR},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].value, value) == 0) return kinds[i].kind;
    return COMPLETE_NOTHING;
}

// "add, list, remove" of a word that is nothing alone.
static void list_group(const char *group, struct buf *out)
{
    size_t size = strlen(group);
    for (size_t i = 0; verb_table[i] != NULL; i++) {
        const char *name = verb_table[i]->name;
        if (strncmp(name, group, size) != 0 || name[size] != ' ') continue;
        buf_printf(out, "%s%s", out->size > 0 ? ", " : "", name + size + 1);
    }
}

// The verbs whose name is a word more than `lead`, which is empty or ends with a space.
static void add_verbs(struct candidates *out, const char *lead)
{
    size_t size = strlen(lead);
    const char *last = "";
    size_t last_size = 0;
    for (size_t i = 0; verb_table[i] != NULL; i++) {
        const char *name = verb_table[i]->name;
        if (strncmp(name, lead, size) != 0) continue;
        size_t word_size = strcspn(name + size, " ");
        bool again = word_size == last_size && memcmp(name + size, last, word_size) == 0;
        last = name + size;
        last_size = word_size;
        if (again) continue; // those of a group stand together
        AUTO(buf_fini) struct buf word = {0};
        AUTO(buf_fini) struct buf what = {0};
        buf_append(&word, last, word_size);
        if (last[word_size] == '\0') {
            buf_append_text(&what, verb_table[i]->summary);
        } else {
            list_group(buf_text(&word), &what);
        }
        candidate_add(out, buf_text(&word), buf_text(&what));
    }
}

static void add_options(struct candidates *out, const struct cli_verb *verb)
{
    const struct cli_option *const lists[] = {verb != NULL ? verb->options : NULL, args_global};
    for (size_t i = 0; i < 2; i++) {
        for (const struct cli_option *at = lists[i]; at != NULL && at->name != NULL; at++)
            candidate_add(out, at->name, at->help);
    }
    if (verb == NULL) candidate_add(out, "--version", "the versions of the program");
}

static void add_kind(struct candidates *out, enum complete kind, const struct line *line)
{
    static const char *const shells[] = {"bash", "zsh", "fish", "starship"};
    if (kind == COMPLETE_FILE) out->kind = ":files";
    if (kind == COMPLETE_DIR) out->kind = ":dirs";
    if (kind == COMPLETE_SHELL || kind == COMPLETE_PROMPT) {
        for (size_t i = 0; i < (kind == COMPLETE_SHELL ? 3 : 4); i++)
            candidate_add(out, shells[i], "");
    } else if (kind == COMPLETE_VERB) {
        AUTO(buf_fini) struct buf lead = {0};
        if (line->first != NULL) buf_printf(&lead, "%s ", line->first);
        add_verbs(out, buf_text(&lead));
    } else {
        complete_names(out, kind, line->first);
    }
}

// Behind the last comma of a list, or behind the option's "=".
static void begin_behind(struct candidates *out, const char *at)
{
    out->lead.data = (const uint8_t *)out->typed - out->lead.size;
    out->lead.size += (size_t)(at - out->typed);
    out->typed = at;
}

static void add_value(struct candidates *out, const struct cli_option *option,
                      const struct line *line)
{
    enum complete kind = kind_of_value(option->value);
    const char *comma = strrchr(out->typed, ',');
    bool is_list = kind == COMPLETE_PEERS || kind == COMPLETE_FOLDERS;
    if (is_list && comma != NULL) begin_behind(out, comma + 1);
    add_kind(out, kind, line);
}

static void add_all(struct candidates *out, const struct line *line)
{
    const char *typed = out->typed;
    const struct cli_verb *verb = line->verb;
    if (line->group != NULL) verb = verb_find(line->group);
    if (line->pending != NULL) {
        add_value(out, line->pending, line);
        return;
    }
    if (!line->ended && typed[0] == '-') {
        const struct cli_option *option = find_option(verb, typed);
        const char *equals = strchr(typed, '=');
        if (equals == NULL) {
            add_options(out, verb);
        } else if (option != NULL && option->value != NULL) {
            begin_behind(out, equals + 1);
            add_value(out, option, line);
        }
        return;
    }
    if (line->group != NULL || verb == NULL) {
        AUTO(buf_fini) struct buf lead = {0};
        if (line->group != NULL) buf_printf(&lead, "%s ", line->group);
        if (line->group != NULL || line->place == 0) add_verbs(out, buf_text(&lead));
    }
    if (verb == NULL || line->place >= verb->words_max) return;
    size_t place = line->place < VERB_COMPLETES_MAX ? line->place : VERB_COMPLETES_MAX - 1;
    add_kind(out, verb->completes[place], line);
}

void complete_words(const struct cli_context *context, const char *const *words, size_t count)
{
    if (count == 0) return;
    struct line line = {0};
    read_line(words, count, &line);
    struct cli_context there = *context;
    AUTO(buf_fini) struct buf message = {0};
    bool is_other = line.home != NULL && line.home[0] != '\0';
    if (is_other && home_init(&there.home, line.home, &message) != ERR_OK) return;
    struct candidates out = {&there, ":words", words[count - 1], {0}, {0}};
    add_all(&out, &line);
    (void)puts(out.kind);
    (void)fwrite(out.lines.data, 1, out.lines.size, stdout);
    buf_fini(&out.lines);
    if (is_other) home_fini(&there.home);
}
