// SPDX-License-Identifier: MIT
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/base/err.h"

static void every_code_has_a_reaction_and_a_text_of_its_own(void **state)
{
    (void)state;
    for (int i = ERR_OK; i <= ERR_CORRUPT; i++) {
        const char *text = err_text((enum err)i);
        assert_string_not_equal(text, "unknown error");
        for (int j = ERR_OK; j < i; j++)
            assert_string_not_equal(text, err_text((enum err)j));
        assert_true(i == ERR_OK || err_reaction((enum err)i) != REACT_NONE);
    }
}

static void reactions_follow_the_groups_of_the_header(void **state)
{
    (void)state;
    assert_int_equal(err_reaction(ERR_OK), REACT_NONE);
    assert_int_equal(err_reaction(ERR_ACCESS), REACT_SKIP_PATH);
    assert_int_equal(err_reaction(ERR_NOT_EMPTY), REACT_SKIP_PATH);
    assert_int_equal(err_reaction(ERR_NO_SPACE), REACT_TRY_LATER);
    assert_int_equal(err_reaction(ERR_BUSY), REACT_TRY_LATER);
    assert_int_equal(err_reaction(ERR_MALFORMED), REACT_DROP_PEER);
    assert_int_equal(err_reaction(ERR_ILLEGAL), REACT_DROP_PEER);
    assert_int_equal(err_reaction(ERR_CONFIG), REACT_STOP);
    assert_int_equal(err_reaction(ERR_CORRUPT), REACT_STOP);
}

static void errnos_map_to_what_the_caller_does(void **state)
{
    (void)state;
    assert_int_equal(err_from_errno(EACCES), ERR_ACCESS);
    assert_int_equal(err_from_errno(ENOSPC), ERR_NO_SPACE);
    assert_int_equal(err_from_errno(EDQUOT), ERR_NO_SPACE);
    assert_int_equal(err_from_errno(ENOENT), ERR_CHANGED);
    assert_int_equal(err_from_errno(ELOOP), ERR_CHANGED);
    assert_int_equal(err_from_errno(EEXIST), ERR_IN_THE_WAY);
    assert_int_equal(err_from_errno(ENOTEMPTY), ERR_NOT_EMPTY);
    assert_int_equal(err_from_errno(ENAMETOOLONG), ERR_UNREPRESENTABLE);
    assert_int_equal(err_from_errno(ENOSYS), ERR_UNREPRESENTABLE);
    assert_int_equal(err_from_errno(EFBIG), ERR_TOO_BIG);
    assert_int_equal(err_from_errno(EMFILE), ERR_BUSY);
    assert_int_equal(err_from_errno(EIO), ERR_IO);
}

static void no_errno_is_a_success(void **state)
{
    (void)state;
    for (int number = -1; number < 200; number++) {
        assert_int_not_equal(err_from_errno(number), ERR_OK);
        assert_int_not_equal(err_reaction(err_from_errno(number)), REACT_DROP_PEER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_reaction_and_a_text_of_its_own),
        cmocka_unit_test(reactions_follow_the_groups_of_the_header),
        cmocka_unit_test(errnos_map_to_what_the_caller_does),
        cmocka_unit_test(no_errno_is_a_success),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
