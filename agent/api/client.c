// SPDX-License-Identifier: MIT
//
// agent/api/client — one request over the Unix socket with libcurl.
#include <curl/curl.h>

#include "agent/api/server.h"
#include "agent/base/check.h"
#include "agent/base/own.h"

enum { ANSWER_BYTES_MAX = 64 << 20 }; // far more than any answer of ours

struct receiver {
    struct buf *body;
    const struct api_watch *watch;
};

static void drop_easy(CURL **easy)
{
    curl_easy_cleanup(*easy);
    *easy = NULL;
}

static void drop_list(struct curl_slist **list)
{
    curl_slist_free_all(*list);
    *list = NULL;
}

static size_t receive(char *data, size_t size, size_t count, void *context)
{
    const struct receiver *receiver = context;
    const struct api_watch *watch = receiver->watch;
    size_t bytes = size * count;
    if (watch != NULL && watch->on_bytes != NULL) {
        watch->on_bytes(watch->context, slice_of(data, bytes));
        return bytes;
    }
    if (receiver->body->size + bytes > ANSWER_BYTES_MAX) return 0; // ends the transfer
    buf_append(receiver->body, data, bytes);
    return bytes;
}

static int waits(void *context, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct api_watch *watch = context;
    (void)a, (void)b, (void)c, (void)d;
    watch->on_wait(watch->context);
    return 0;
}

static enum err code_of(CURLcode code)
{
    switch ((int)code) {
    case CURLE_OK: return ERR_OK;
    case CURLE_COULDNT_CONNECT: return ERR_UNREACHABLE;
    case CURLE_OPERATION_TIMEDOUT: return ERR_BUSY;
    default: return ERR_IO;
    }
}

static void set_request(CURL *easy, const char *method, struct slice body,
                        struct curl_slist *headers)
{
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
    if (body.size == 0 && method[0] == 'G') return;
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.size > 0 ? (const char *)body.data : "");
}

enum err api_call(const char *socket_path, const char *method, const char *path, struct slice body,
                  long timeout_s, int *out_status, struct buf *out_body,
                  const struct api_watch *watch)
{
    AUTO(drop_easy) CURL *easy = curl_easy_init();
    CHECK(easy != NULL);
    // No "Expect": the server is near, and a body of ours is never over its limit.
    AUTO(drop_list) struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    headers = curl_slist_append(headers, "Content-Type: application/json");
    CHECK(headers != NULL);
    AUTO(buf_fini) struct buf url = {0};
    buf_printf(&url, "http://agent%s", path);
    struct receiver receiver = {out_body, watch};

    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, socket_path);
    curl_easy_setopt(easy, CURLOPT_URL, buf_text(&url));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT, timeout_s); // 0: none
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, receive);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &receiver);
    if (watch != NULL && watch->on_wait != NULL) {
        curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
        curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, waits);
        curl_easy_setopt(easy, CURLOPT_XFERINFODATA, watch);
    }
    set_request(easy, method, body, headers);

    enum err err = code_of(curl_easy_perform(easy));
    long status = 0;
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    *out_status = (int)status;
    return err;
}
