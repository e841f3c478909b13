/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "test.h"

static void first_error_stays(void)
{
        _cleanup_error_ Error e = ERROR_NULL;

        CHECK_EQ(error_set(&e, ERROR_NO_SUCH_POOL, "no pool '%s'", "a"), -ENOENT);
        CHECK_EQ(error_set(&e, ERROR_BUSY, "later"), -EBUSY);
        CHECK_EQ(e.kind, ERROR_NO_SUCH_POOL);
        CHECK_STREQ(e.message, "no pool 'a'");
        CHECK_EQ(error_errno(&e), -ENOENT);
        CHECK_EQ(error_set(NULL, ERROR_BUSY, "nowhere"), -EBUSY);
}

static void kinds_of_errnos(void)
{
        static const struct {
                int error;
                ErrorKind kind;
        } cases[] = {
                { ENOSPC, ERROR_NO_SPACE },      { EDQUOT, ERROR_NO_SPACE },
                { EACCES, ERROR_ACCESS_DENIED }, { EPERM, ERROR_ACCESS_DENIED },
                { ENOMEM, ERROR_NO_MEMORY },     { ETIMEDOUT, ERROR_TIMED_OUT },
                { ECANCELED, ERROR_CANCELLED },  { EOPNOTSUPP, ERROR_NOT_SUPPORTED },
                { EIO, ERROR_FAILED },
        };

        FOREACH_ELEMENT (c, cases)
                for (int sign = -1; sign <= 1; sign += 2) {
                        _cleanup_error_ Error e = ERROR_NULL;

                        error_set_errno(&e, c->error * sign, "cannot %s", "work");
                        CHECK_EQ(e.kind, c->kind);
                        CHECK(startswith(e.message, "cannot work: "));
                        CHECK_STREQ(startswith(e.message, "cannot work: "), strerror(c->error));
                }
}

static void names_and_kinds(void)
{
        for (ErrorKind k = ERROR_NONE + 1; k < _ERROR_MAX; k++)
                CHECK_EQ(error_kind_from_name(error_kind_to_name(k)), k);
        CHECK(!error_kind_to_name(ERROR_NONE));
        CHECK(!error_kind_to_name(_ERROR_MAX));
        CHECK_EQ(error_kind_from_name("org.example.Other"), ERROR_FAILED);
        CHECK_EQ(error_kind_from_name(NULL), ERROR_FAILED);
}

static void move(void)
{
        _cleanup_error_ Error from = ERROR_NULL, to = ERROR_NULL;

        error_set(&from, ERROR_BUSY, "busy");
        error_move(&to, &from);
        CHECK_EQ(from.kind, ERROR_NONE);
        CHECK(!from.message);
        CHECK_STREQ(to.message, "busy");
        error_set(&from, ERROR_CHANGED, "changed");
        error_move(&to, &from);
        CHECK_EQ(from.kind, ERROR_NONE);
        CHECK_EQ(to.kind, ERROR_BUSY);
        error_set(&from, ERROR_CHANGED, "changed");
        error_move(NULL, &from);
        CHECK(!from.message);
}

int main(void)
{
        RUN(first_error_stays);
        RUN(kinds_of_errnos);
        RUN(names_and_kinds);
        RUN(move);
        return 0;
}
