// SPDX-License-Identifier: MIT
//
// Requests of the local API, one after the other, at an engine with a peer: each is answered once
// at most, with an object and a status that docs/API.md has; what is refused says why.
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/daemon/control_priv.h"
#include "agent/daemon/links_priv.h"
#include "agent/daemon/nearby_priv.h"
#include "agent/daemon/pairing_priv.h"
#include "agent/daemon/pausing_priv.h"
#include "agent/store/invites.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/sync/rig.h"

enum { REQUESTS_MAX = 24, ROUTES = 64 };

struct play {
    struct agent agent;
    struct rig rig;
    struct feed feed;
    uint64_t asked, answered[REQUESTS_MAX + 1];
};

// ---- what answers go to, instead of a socket (linked with --wrap)

static struct play *playing(struct api_server *server)
{
    return (struct play *)(void *)server;
}

void __wrap_api_answer(struct api_server *server, uint64_t number, int http_status,
                       const char *type, struct slice body);
void __wrap_api_stream(struct api_server *server, uint64_t number);
void __wrap_api_event(struct api_server *server, uint64_t number, const char *event, const char *id,
                      struct slice json);

void __wrap_api_answer(struct api_server *server, uint64_t number, int http_status,
                       const char *type, struct slice body)
{
    static const int known[] = {200, 400, 404, 405, 409, 500, 503};
    struct play *play = playing(server);
    CHECK(number > 0 && number <= play->asked && play->answered[number]++ == 0);
    if (http_status == 0) return; // the end of a stream
    bool fine = false;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        fine = fine || known[i] == http_status;
    CHECK(fine);
    if (strcmp(type, "application/json") != 0) return;
    json_error_t error;
    AUTO(json_drop) json_t *object = json_loadb((const char *)body.data, body.size, 0, &error);
    CHECK(json_is_object(object));
    const json_t *refusal = json_object_get(object, "error");
    CHECK((http_status == 200) == (refusal == NULL));
    if (refusal == NULL) return;
    CHECK(json_string_length(json_object_get(refusal, "code")) > 0);
    CHECK(json_string_length(json_object_get(refusal, "message")) > 0);
}

void __wrap_api_stream(struct api_server *server, uint64_t number)
{
    CHECK(playing(server)->answered[number] == 0);
}

void __wrap_api_event(struct api_server *server, uint64_t number, const char *event, const char *id,
                      struct slice json)
{
    CHECK(number <= playing(server)->asked && event != NULL && id != NULL && json.size > 0);
}

int __wrap_mkdir(const char *path, mode_t mode);

// Nothing of this machine is touched: a folder that is not there cannot be added,
int __wrap_mkdir(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    errno = EACCES;
    return -1;
}

// nor is one that is.
static bool is_of_machine(const struct api_request *r)
{
    json_error_t error;
    AUTO(json_drop) json_t *body = json_loadb((const char *)r->body.data, r->body.size, 0, &error);
    const char *path = json_string_value(json_object_get(body, "path"));
    return strcmp(r->path, "/v1/folders") == 0 && path != NULL && path[0] == '/' &&
           access(path, F_OK) == 0;
}

// ---- requests

static const char *text_any(struct feed *feed)
{
    static const char id[] = "NN44K7TK-KBFJDSKM-BMASAY5N-FQRF47QF-HJAADOUM-XUVSMEOI-CSUPY6U2-X6AT";
    static const char *const texts[] = {"f",
                                        "peer3",
                                        "all",
                                        "",
                                        "g",
                                        "tcp://h:1",
                                        "/f/a",
                                        "/f",
                                        "a",
                                        "../x",
                                        "/nowhere/g",
                                        "/f/.cfgsync/conflicts/x",
                                        id,
                                        "\x01",
                                        "\xc3\xa9",
                                        "*.log",
                                        "brake_deletes=5",
                                        "mode=send-only",
                                        "mode=receive-only"};
    return texts[feed_below(feed, sizeof texts / sizeof texts[0])];
}

static json_t *texts_any(struct feed *feed)
{
    json_t *list = json_array();
    for (uint32_t i = feed_below(feed, 3); i > 0; i--)
        json_array_append_new(list, json_string(text_any(feed)));
    return list;
}

static json_t *value_any(struct feed *feed)
{
    switch (feed_below(feed, 8)) {
    case 0: return json_boolean(feed_byte(feed) & 1);
    case 1: return json_integer((json_int_t)feed_number(feed));
    case 2: return json_real((double)feed_number(feed) / 3);
    case 3: return json_null();
    case 4: return texts_any(feed);
    default: return json_string(text_any(feed));
    }
}

static json_t *value_of(struct feed *feed, enum field_type type)
{
    switch (type) {
    case FIELD_TEXT: return json_string(text_any(feed));
    case FIELD_TEXTS: return texts_any(feed);
    case FIELD_BOOL: return json_boolean(feed_byte(feed) & 1);
    case FIELD_NUMBER: return json_integer((json_int_t)feed_number(feed));
    }
    return NULL;
}

// A bit a field: what is required is left out seldom, and seldom of another type.
static json_t *body_of(struct feed *feed, const struct route *route)
{
    json_t *body = json_object();
    uint8_t odd = feed_byte(feed), given = feed_byte(feed);
    for (uint32_t i = 0; route->fields[i].key != NULL; i++) {
        const struct field *field = &route->fields[i];
        bool is_odd = odd % 16 == i;
        if (is_odd || field->required || (given >> i & 1) != 0)
            json_object_set_new(body, field->key,
                                is_odd ? value_any(feed) : value_of(feed, field->type));
    }
    if (odd % 16 == 15) json_object_set_new(body, "odd", json_true());
    return body;
}

static void body_any(struct feed *feed, const struct route *route, struct buf *out)
{
    if (feed_byte(feed) % 16 == 0) {
        struct slice raw = feed_record(feed);
        buf_append(out, raw.data, raw.size);
        return;
    }
    AUTO(json_drop) json_t *body = body_of(feed, route);
    AUTO(mem_free) char *text = json_dumps(body, JSON_COMPACT);
    buf_append_text(out, text);
}

// Two listen and dial as soon as they are asked.
static bool has_sockets(const struct route *route)
{
    return strcmp(route->path, "/v1/pair/offer") == 0 || strcmp(route->path, "/v1/pair/join") == 0;
}

static void request(struct play *play)
{
    static const struct route none = {.method = "GET", .path = "/v1/none"};
    const struct route *route = control_route(feed_below(&play->feed, ROUTES));
    if (route == NULL || has_sockets(route)) route = &none;
    if (play->asked == REQUESTS_MAX) return;
    struct api_request *r = mem_zalloc(1, sizeof *r);
    bool other = feed_byte(&play->feed) % 16 == 0;
    r->number = ++play->asked;
    (void)snprintf(r->method, sizeof r->method, "%s", other ? "PUT" : route->method);
    r->path = mem_strdup(route->path);
    body_any(&play->feed, route, &r->body);
    if (is_of_machine(r))
        api_request_destroy(&r);
    else
        control_request(&play->agent, r);
}

static void hangs_up(struct play *play)
{
    if (play->asked == 0) return;
    struct api_request *r = mem_zalloc(1, sizeof *r);
    r->number = 1 + feed_below(&play->feed, (uint32_t)play->asked);
    r->gone = true;
    control_request(&play->agent, r);
}

static void user_does(struct play *play)
{
    static const char *const names[] = {"a", "b", "d/c"};
    const char *name = names[feed_below(&play->feed, 3)];
    const char *text = feed_byte(&play->feed) & 1 ? "one" : "two";
    if (rig_on_disk(&play->rig, name) && feed_byte(&play->feed) & 1) text = NULL;
    rig_write(&play->rig, name, text);
}

static void step(struct play *play)
{
    struct agent *agent = &play->agent;
    switch (feed_byte(&play->feed) % 32) {
    case 0: user_does(play); break; // what costs most is not what this is about
    case 1: rig_wait(&play->rig, feed_byte(&play->feed) * 20); break;
    case 2:
    case 3: hangs_up(play); break;
    case 4:
    case 5: control_settle(agent); break;
    default: request(play); break;
    }
    arena_reset(agent->scratch);
    agent->now_ms = play->rig.now_ms;
    agent->wall_ms = 1700000000000 + play->rig.now_ms;
}

// ---- an agent without a loop

static bool nobody(void *context, const uint8_t curve_key[32], struct device_id *out_device)
{
    (void)context;
    (void)curve_key;
    (void)out_device;
    return false;
}

// One for all inputs: nothing is dialled before it is polled, and it never is.
static struct net *net_of(const struct rig *rig)
{
    static struct net *net;
    struct net_options options = {.identity = rig->identity, .trusted = nobody};
    struct fault fault;
    if (net == NULL) CHECK(net_open(&options, &net, &fault) == ERR_OK);
    return net;
}

static void agent_open(struct play *play)
{
    struct agent *agent = &play->agent;
    struct rig *rig = &play->rig;
    struct script *peer = script_connect(rig, 3);
    script_offer(peer, (struct vv){0});
    rig_settle(rig);
    *agent = (struct agent){.state_fd = -1, .witness_fd = -1, .lock_fd = -1};
    agent->home.state_dir = agent->home.socket_dir = mem_strdup("/nowhere/state");
    agent->name = mem_strdup("me");
    agent->device = identity_device(rig->identity);
    agent->registry = registry_new();
    agent->pauses = pauses_new();
    agent->store = rig->store;
    agent->trust = trust_new();
    agent->net = net_of(rig);
    agent->workers.disk = disk_new();
    agent->engine = rig->engine;
    agent->api = (struct api_server *)(void *)play;
    agent->scratch = arena_new();
    agent->pairing = pairing_new(agent);
    agent->invites = invites_new();
    nearby_start(agent); // as with `discovery = off`
    struct registry_peer known = {.name = agent->name, .device = peer->device};
    char name[] = "peer3", folder[] = "f", path[] = "/f";
    known.name = name;
    CHECK(registry_put_peer(agent->registry, &known) == ERR_OK);
    struct registry_folder f = {.name = folder, .path = path, .with_all = true, .id = rig->id};
    CHECK(registry_put_folder(agent->registry, &f) == ERR_OK);
    struct invite invite = {.uses = 1, .folder_count = 1, .folders = {folder}};
    CHECK(invites_add(agent->invites, &invite) == ERR_OK);
    uint32_t number;
    CHECK(folders_open(agent, &f, false, &number) == ERR_OK && number == rig->folder);
}

static void agent_close(struct play *play)
{
    struct agent *agent = &play->agent;
    control_end(agent);
    const struct registry_peer *peers;
    uint32_t count = registry_peers(agent->registry, &peers);
    for (uint32_t i = 0; i < count; i++)
        net_dial(agent->net, peers[i].device, NULL, 0);
    while (agent->folder_count > 0)
        folders_close(agent, agent->folders[0].name);
    nearby_end(agent);
    pairing_destroy(&agent->pairing);
    disk_close(&agent->workers.disk);
    trust_destroy(&agent->trust);
    registry_close(&agent->registry);
    invites_close(&agent->invites);
    pauses_close(&agent->pauses);
    arena_destroy(&agent->scratch);
    mem_free(&agent->folders);
    attempts_end(agent);
    mem_free(&agent->name);
    mem_free(&agent->home.state_dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct play *play = mem_zalloc(1, sizeof *play);
    play->feed = (struct feed){data, size};
    rig_open(&play->rig);
    agent_open(play);
    while (play->feed.size > 0 && !play->agent.ending)
        step(play);
    rig_settle(&play->rig);
    control_settle(&play->agent);
    agent_close(play);
    rig_close(&play->rig);
    mem_free(&play);
    return 0;
}
