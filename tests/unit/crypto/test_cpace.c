// SPDX-License-Identifier: MIT
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/own.h"
#include "crypto/cpace_priv.h"
#include "crypto/hash.h"
#include "crypto/pairing.h"

// draft-irtf-cfrg-cpace-21, appendix B.3: ristretto255 and SHA-512.
#define DRAFT_CI  "0b415f696e69746961746f720b425f726573706f6e646572"
#define DRAFT_SID "7e4b4791d6a8ef019b936c79fb7f2c57"
#define DRAFT_YA  "da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08"
#define DRAFT_YB  "d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d"

struct hex {
    uint8_t bytes[256];
    size_t size;
};

static struct hex unhex(const char *text)
{
    struct hex out = {.size = strlen(text) / 2};
    assert_true(out.size <= sizeof out.bytes);
    for (size_t i = 0; i < out.size; i++) {
        char pair[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out.bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return out;
}

static void assert_hex(const uint8_t *bytes, size_t size, const char *expected)
{
    char text[513];
    assert_true(size <= 256);
    hex_lower(bytes, size, text);
    assert_string_equal(text, expected);
}

struct draft {
    struct hex channel;
    struct hex session;
    struct cpace_input a;
    struct cpace_input b;
};

static void draft_init(struct draft *draft)
{
    draft->channel = unhex(DRAFT_CI);
    draft->session = unhex(DRAFT_SID);
    draft->a = (struct cpace_input){
        .code = slice_text("Password"),
        .channel = slice_of(draft->channel.bytes, draft->channel.size),
        .session = slice_of(draft->session.bytes, draft->session.size),
        .own_data = slice_text("ADa"),
        .other_data = slice_text("ADb"),
    };
    draft->b = draft->a;
    draft->b.own_data = draft->a.other_data;
    draft->b.other_data = draft->a.own_data;
}

// ---- the draft's values

static void lengths_are_leb128(void **state)
{
    (void)state;
    AUTO(buf_fini) struct buf text = {0};
    uint8_t long_value[128];
    for (unsigned i = 0; i < sizeof long_value; i++)
        long_value[i] = (uint8_t)i;
    lv_append(&text, slice_text("1234"));
    lv_append(&text, slice_text("5"));
    lv_append(&text, slice_text(""));
    lv_append(&text, slice_text("678"));
    assert_hex(text.data, text.size, "043132333401350003363738");
    buf_clear(&text);
    lv_append(&text, slice_of(long_value, 127));
    assert_hex(text.data, 2, "7f00");
    assert_int_equal(text.size, 128);
    buf_clear(&text);
    lv_append(&text, slice_of(long_value, 128));
    assert_hex(text.data, 3, "800100");
    assert_int_equal(text.size, 130);
}

static void the_generator_is_the_drafts(void **state)
{
    (void)state;
    struct draft draft;
    AUTO(buf_fini) struct buf text = {0};
    uint8_t generator[CPACE_POINT_BYTES];
    draft_init(&draft);
    cpace_generator_text(&draft.a, &text);
    assert_int_equal(text.size, 170);
    assert_hex(text.data, 28, "11435061636552697374726574746f3235350850617373776f726464");
    assert_hex(text.data + 128, 42,
               "180b415f696e69746961746f720b425f726573706f6e646572107e4b4791d6"
               "a8ef019b936c79fb7f2c57");
    for (size_t i = 28; i < 128; i++)
        assert_int_equal(text.data[i], 0);
    cpace_generator(&draft.a, generator);
    assert_hex(generator, sizeof generator,
               "222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56");
}

static void shares_and_key_are_the_drafts(void **state)
{
    (void)state;
    static const char *const isk = "b69effbf61b51d56401c0f65601abe428de8206feaaf0e32198896dcae7b35"
                                   "cd2b38950a39dfd5d4a79164614c2984f7daa460b588c1e80c3fa2068af790"
                                   "0447";
    struct draft draft;
    draft_init(&draft);
    AUTO(cpace_destroy)
    struct cpace *a = cpace_from_scalar(CPACE_INITIATOR, &draft.a, unhex(DRAFT_YA).bytes);
    AUTO(cpace_destroy)
    struct cpace *b = cpace_from_scalar(CPACE_RESPONDER, &draft.b, unhex(DRAFT_YB).bytes);
    uint8_t share_a[CPACE_SHARE_BYTES];
    uint8_t share_b[CPACE_SHARE_BYTES];
    uint8_t key[CPACE_ISK_BYTES];
    uint8_t point[CPACE_POINT_BYTES];
    cpace_share(a, share_a);
    cpace_share(b, share_b);
    assert_hex(share_a, 32, "d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157");
    assert_hex(share_b, 32, "3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258");
    assert_true(cpace_multiply(unhex(DRAFT_YA).bytes, share_b, point));
    assert_hex(point, 32, "80b69a8a76457ab6a4d7f887a4bf6b55a2f80ac19c333f917a05fc9887c8b40f");
    assert_int_equal(cpace_finish(a, share_b), ERR_OK);
    assert_int_equal(cpace_finish(b, share_a), ERR_OK);
    cpace_isk(a, key);
    assert_hex(key, sizeof key, isk);
    cpace_isk(b, key);
    assert_hex(key, sizeof key, isk);
}

static void multiplication_is_the_drafts(void **state)
{
    (void)state;
    struct hex scalar = unhex("7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05");
    struct hex good = unhex("2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
    struct hex bad = unhex("2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
    uint8_t neutral[CPACE_POINT_BYTES] = {0};
    uint8_t out[CPACE_POINT_BYTES];
    assert_true(cpace_multiply(scalar.bytes, good.bytes, out));
    assert_hex(out, 32, "7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e");
    assert_false(cpace_multiply(scalar.bytes, bad.bytes, out));
    assert_false(cpace_multiply(scalar.bytes, neutral, out));
}

// ---- the values of docs/PROTOCOL.md, made by another implementation

static void pairing_values_are_the_protocols(void **state)
{
    (void)state;
    uint8_t nonces[32], share_a[32], share_b[32], tag[CPACE_TAG_BYTES], key[CPACE_KEY_BYTES];
    for (unsigned i = 0; i < sizeof nonces; i++)
        nonces[i] = (uint8_t)i;
    struct cpace_input offerer = {slice_text("42-amber-river"), slice_text("cfgsync-pair1"),
                                  slice_of(nonces, sizeof nonces), slice_text("offer"),
                                  slice_text("join")};
    struct cpace_input joiner = offerer;
    joiner.own_data = offerer.other_data;
    joiner.other_data = offerer.own_data;
    AUTO(cpace_destroy)
    struct cpace *a = cpace_from_scalar(CPACE_INITIATOR, &offerer, unhex(DRAFT_YA).bytes);
    AUTO(cpace_destroy)
    struct cpace *b = cpace_from_scalar(CPACE_RESPONDER, &joiner, unhex(DRAFT_YB).bytes);
    cpace_share(a, share_a);
    cpace_share(b, share_b);
    assert_hex(share_a, 32, "f6b0eb3759514198de4c113bb2180eef7cb3e7802053b9f1c755c42e2d80134b");
    assert_hex(share_b, 32, "2c26fa003305566960a1171420a662ef7847f59660b75e7fc2ffaf13b2b78c35");
    assert_int_equal(cpace_finish(a, share_b), ERR_OK);
    assert_int_equal(cpace_finish(b, share_a), ERR_OK);
    cpace_tag(a, tag);
    assert_hex(tag, 64,
               "e48e4789a8aba0e1b4addacc1031629b7e29cdcbdde46bad4bec83393d9b07a3"
               "29c4fc3be6be58f12c5920ad5933861589492e8799c0f58fb9f3cb3180a99ef2");
    cpace_tag(b, tag);
    assert_hex(tag, 64,
               "4250fad4f75927a5f54fb88aafb60c910c0ce56278a67a3a688726f76dc728aa"
               "aefb9c5b1b77ecfe2a7837c352b90a2ff4a63bf442b6b81490155778b0cab4d3");
    cpace_transcript(a, key);
    assert_hex(key, 32, "a782845e28704cf823cce8a560c562b3477c95dddb7cea97354d3cc008b7ba71");
    cpace_key(a, "cfgsync-pair1 key of the joiner", key);
    assert_hex(key, 32, "604ba655922112d7c30980a6fe00002396d8933753edb7d2af96587fda549380");
    cpace_key(a, "cfgsync-pair1 key of the offerer", key);
    assert_hex(key, 32, "76633c59fd29f133a9213f99d686635e583346971056f1dbc465f4b0cc2e3c27");
    AUTO(buf_fini) struct buf sealed = {0};
    seal_close(key, 0, slice_text("\4"), &sealed);
    assert_hex(sealed.data, sealed.size, "ab934469a1eeb893a0d66585a441253819");
}

// ---- the exchange

struct both {
    struct cpace *a;
    struct cpace *b;
};

static void begin(struct both *both, const char *code_a, const char *code_b)
{
    struct draft draft;
    draft_init(&draft);
    draft.a.code = slice_text(code_a);
    draft.b.code = slice_text(code_b);
    both->a = cpace_new(CPACE_INITIATOR, &draft.a);
    both->b = cpace_new(CPACE_RESPONDER, &draft.b);
}

static void end(struct both *both)
{
    cpace_destroy(&both->a);
    cpace_destroy(&both->b);
}

static void finish(struct both *both)
{
    uint8_t share[CPACE_SHARE_BYTES];
    cpace_share(both->b, share);
    assert_int_equal(cpace_finish(both->a, share), ERR_OK);
    cpace_share(both->a, share);
    assert_int_equal(cpace_finish(both->b, share), ERR_OK);
}

static void same_code_makes_same_keys(void **state)
{
    (void)state;
    struct both both;
    uint8_t tag[CPACE_TAG_BYTES];
    uint8_t key_a[CPACE_KEY_BYTES], key_b[CPACE_KEY_BYTES], other[CPACE_KEY_BYTES];
    begin(&both, "42-amber-river", "42-amber-river");
    finish(&both);
    cpace_tag(both.a, tag);
    assert_true(cpace_check(both.b, tag));
    assert_false(cpace_check(both.a, tag)); // its own, sent back
    cpace_tag(both.b, tag);
    assert_true(cpace_check(both.a, tag));
    tag[63] ^= 1;
    assert_false(cpace_check(both.a, tag));
    cpace_key(both.a, "x", key_a);
    cpace_key(both.b, "x", key_b);
    cpace_key(both.b, "y", other);
    assert_memory_equal(key_a, key_b, sizeof key_a);
    assert_memory_not_equal(key_a, other, sizeof key_a);
    cpace_transcript(both.a, key_a);
    cpace_transcript(both.b, key_b);
    assert_memory_equal(key_a, key_b, sizeof key_a);
    end(&both);
}

static void another_code_is_noticed_by_both(void **state)
{
    (void)state;
    struct both both;
    uint8_t tag[CPACE_TAG_BYTES];
    begin(&both, "42-amber-river", "42-amber-rider");
    finish(&both);
    cpace_tag(both.a, tag);
    assert_false(cpace_check(both.b, tag));
    cpace_tag(both.b, tag);
    assert_false(cpace_check(both.a, tag));
    end(&both);
}

// Each side's data and the channel take part in the key.
static void other_circumstances_are_noticed(void **state)
{
    (void)state;
    for (int what = 0; what < 3; what++) {
        struct draft draft;
        uint8_t tag[CPACE_TAG_BYTES];
        draft_init(&draft);
        if (what == 0) draft.b.own_data = slice_text("ADc");
        if (what == 1) draft.b.channel = slice_text("another purpose");
        if (what == 2) draft.b.session = slice_text("another session ");
        struct both both = {cpace_new(CPACE_INITIATOR, &draft.a),
                            cpace_new(CPACE_RESPONDER, &draft.b)};
        finish(&both);
        cpace_tag(both.b, tag);
        assert_false(cpace_check(both.a, tag));
        end(&both);
    }
}

// Whatever makes the result independent of the code ends the attempt.
static void bad_shares_are_refused(void **state)
{
    (void)state;
    struct both both;
    uint8_t neutral[CPACE_SHARE_BYTES] = {0};
    uint8_t high[CPACE_SHARE_BYTES];
    memset(high, 0xff, sizeof high);
    begin(&both, "42-amber-river", "42-amber-river");
    assert_int_equal(cpace_finish(both.a, neutral), ERR_DENIED);
    assert_int_equal(cpace_finish(both.a, high), ERR_DENIED);
    struct hex bad = unhex("2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c");
    assert_int_equal(cpace_finish(both.b, bad.bytes), ERR_DENIED);
    end(&both);
}

// A recorded share does not help with the next attempt: scalars are drawn anew.
static void every_attempt_has_its_own_share(void **state)
{
    (void)state;
    struct both one, two;
    uint8_t first[CPACE_SHARE_BYTES], second[CPACE_SHARE_BYTES];
    begin(&one, "42-amber-river", "42-amber-river");
    begin(&two, "42-amber-river", "42-amber-river");
    cpace_share(one.a, first);
    cpace_share(two.a, second);
    assert_memory_not_equal(first, second, sizeof first);
    end(&one);
    end(&two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_are_leb128),
        cmocka_unit_test(the_generator_is_the_drafts),
        cmocka_unit_test(shares_and_key_are_the_drafts),
        cmocka_unit_test(multiplication_is_the_drafts),
        cmocka_unit_test(pairing_values_are_the_protocols),
        cmocka_unit_test(same_code_makes_same_keys),
        cmocka_unit_test(another_code_is_noticed_by_both),
        cmocka_unit_test(other_circumstances_are_noticed),
        cmocka_unit_test(bad_shares_are_refused),
        cmocka_unit_test(every_attempt_has_its_own_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
