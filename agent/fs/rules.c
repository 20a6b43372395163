// SPDX-License-Identifier: MIT
//
// What is left out: our own directory always; then the local rules, the synced ones and the
// defaults, the first of these that has a rule for a path; what looks like a secret last. A set of
// rules never changes: a new one takes its place, and who is at work keeps the old one until done.
#include "agent/base/check.h"
#include "agent/base/own.h"
#include "agent/fs/rules_priv.h"
#include "proto/path.h"

static const char leavings[] = ".*.sw?\n4913\n*~\n.#*\n\\#*#\n.~lock.*#\n.DS_Store\n*.local\n";
static const char vcs_dirs[] = ".git/\n.hg/\n.svn/\n.bzr/\nCVS/\n_darcs/\n.jj/\n.pijul/\n";
static const char secrets[] =
    ".env\n.env.*\n*.pem\n*.key\nid_*\ncredentials*\n.netrc\n*.kdbx\n!*.pub\n";

static struct ignore *own_rules(const char *text)
{
    struct ignore_fault fault;
    struct ignore *rules = ignore_parse(slice_text(text), &fault);
    CHECK(rules != NULL);
    return rules;
}

struct rules *rules_new(bool include_secrets, bool include_vcs)
{
    struct rules *rules = mem_zalloc(1, sizeof *rules);
    rules->users = 1;
    rules->include_secrets = include_secrets;
    rules->include_vcs = include_vcs;
    AUTO(buf_fini) struct buf text = {0};
    buf_append_text(&text, leavings);
    if (!include_vcs) buf_append_text(&text, vcs_dirs);
    rules->layers[RULES_DEFAULT] = own_rules(buf_text(&text));
    rules->secrets = own_rules(secrets);
    return rules;
}

struct ignore *ignore_again(const struct ignore *ignore)
{
    struct ignore_fault fault;
    return ignore != NULL ? ignore_parse(ignore_text(ignore), &fault) : NULL;
}

struct rules *rules_with(const struct rules *rules, bool include_secrets, bool include_vcs)
{
    struct rules *fresh = rules_new(include_secrets, include_vcs);
    fresh->loaded = rules->loaded;
    for (int i = RULES_SYNCED; i < RULES_LAYERS; i++)
        fresh->layers[i] = ignore_again(rules->layers[i]);
    return fresh;
}

void rules_hold(struct rules *rules)
{
    rules->users++;
}

void rules_free(struct rules **slot)
{
    struct rules *rules = *slot;
    *slot = NULL;
    if (rules == NULL || --rules->users > 0) return;
    for (int i = 0; i < RULES_LAYERS; i++)
        ignore_destroy(&rules->layers[i]);
    ignore_destroy(&rules->secrets);
    mem_free(&rules);
}

void rules_publish(const struct grip *grip, struct rules *fresh)
{
    pthread_mutex_lock(&grip->disk->lock);
    rules_free(&grip->root->rules);
    grip->root->rules = fresh;
    pthread_mutex_unlock(&grip->disk->lock);
}

// ---- judging

// Folding is not cheap; only a name that starts with a dot or has non-ASCII bytes can fold to ours.
static bool is_internal(struct slice name)
{
    if (name.size < sizeof FS_INTERNAL - 1) return false;
    bool plain = name.data[0] != '.' && path_is_ascii(name);
    return !plain && path_is_internal(name);
}

static void name_default(struct slice rule, struct buf *out)
{
    if (out == NULL) return;
    // As the documentation lists them: without what only the syntax asks for.
    if (rule.size > 0 && rule.data[rule.size - 1] == '/') rule.size--;
    if (rule.size > 0 && rule.data[0] == '\\') rule = slice_of(rule.data + 1, rule.size - 1);
    buf_append_text(out, "default: ");
    buf_append(out, rule.data, rule.size);
}

static void name_rule(enum rules_layer layer, const struct ignore_match *match, struct buf *out)
{
    if (out == NULL) return;
    if (layer == RULES_DEFAULT) {
        name_default(match->rule, out);
        return;
    }
    buf_printf(out, "%s:%u: ", rules_file(layer), match->line);
    buf_append(out, match->rule.data, match->rule.size);
}

// False: no layer has a rule for the path. The file of the synced rules must reach all who share
// them: only this machine's own rules can leave it out.
static bool last_match(const struct rules *rules, struct slice path, bool is_dir,
                       struct ignore_match *out, enum rules_layer *out_layer)
{
    bool own_file = slice_equal(path, slice_text(RULES_FILE));
    for (int i = RULES_LOCAL; i >= RULES_DEFAULT; i--) {
        if (own_file && i != RULES_LOCAL) return false;
        if (rules->layers[i] == NULL || !ignore_match(rules->layers[i], path, is_dir, out))
            continue;
        *out_layer = (enum rules_layer)i;
        return true;
    }
    return false;
}

enum ignored rules_judge(const struct rules *rules, struct slice path, bool is_dir,
                         struct buf *out_rule)
{
    struct slice name = path_base(path);
    if (name.size == 0 || path_is_conflict_item(path)) return IGNORED_NO;
    if (is_internal(name)) {
        name_default(slice_text(FS_INTERNAL), out_rule);
        return IGNORED_ALWAYS;
    }
    struct ignore_match match;
    enum rules_layer layer = RULES_DEFAULT;
    bool found = last_match(rules, path, is_dir, &match, &layer);
    if (found && !match.negated) {
        name_rule(layer, &match, out_rule);
        return layer == RULES_DEFAULT ? IGNORED_DEFAULT : IGNORED_RULE;
    }
    // A rule that came from a peer must not make this machine publish its secrets.
    bool wanted = found && layer == RULES_LOCAL;
    if (is_dir || rules->include_secrets || wanted) return IGNORED_NO;
    if (!ignore_match(rules->secrets, path, false, &match) || match.negated) return IGNORED_NO;
    name_default(match.rule, out_rule);
    return IGNORED_SECRET;
}

enum ignored rules_judge_path(const struct rules *rules, struct slice path, bool is_dir,
                              struct buf *out_rule)
{
    if (path_is_conflict_item(path)) return IGNORED_NO;
    for (size_t at = 1; at < path.size; at++) {
        if (path.data[at] != '/') continue;
        enum ignored above = rules_judge(rules, slice_of(path.data, at), true, out_rule);
        if (above != IGNORED_NO) return above;
    }
    return rules_judge(rules, path, is_dir, out_rule);
}

enum ignored disk_ignored_path(struct disk *disk, uint32_t folder, struct slice path, bool is_dir,
                               struct buf *out_rule)
{
    struct rules *rules = NULL;
    pthread_mutex_lock(&disk->lock);
    for (uint32_t i = 0; i < disk->root_count; i++) {
        if (disk->roots[i]->folder == folder) rules = disk->roots[i]->rules;
    }
    if (rules != NULL) rules_hold(rules);
    pthread_mutex_unlock(&disk->lock);
    if (rules == NULL) return IGNORED_NO;
    enum ignored result = rules_judge_path(rules, path, is_dir, out_rule);
    pthread_mutex_lock(&disk->lock);
    rules_free(&rules);
    pthread_mutex_unlock(&disk->lock);
    return result;
}
