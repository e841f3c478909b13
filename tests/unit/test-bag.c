/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/bag.h"

#include "test.h"

#include <fcntl.h>

static Bag *full_bag(void)
{
        _cleanup_bag_ Bag *b = bag_new(), *inner = bag_new(), *item = bag_new();
        char *list[] = { (char *)"x", (char *)"y", NULL };

        CHECK_OK(bag_set_string(b, "string", "text"));
        CHECK_OK(bag_set_stringf(b, "printed", "%d-%s", 5, "x"));
        CHECK_OK(bag_set_path(b, "path", "/a/b"));
        CHECK_OK(bag_set_bool(b, "bool", true));
        CHECK_OK(bag_set_u32(b, "u32", 32));
        CHECK_OK(bag_set_u64(b, "u64", UINT64_MAX));
        CHECK_OK(bag_set_double(b, "double", 0.5));
        CHECK_OK(bag_set_strv(b, "strv", list));
        CHECK_OK(bag_set_string(inner, "key", "inner"));
        CHECK_OK(bag_set_bag(b, "bag", TAKE_PTR(inner)));
        CHECK_OK(bag_set_string(item, "key", "item"));
        CHECK_OK(bag_add_bag(b, "bags", TAKE_PTR(item)));
        CHECK_OK(bag_add_bag(b, "bags", bag_new()));
        return TAKE_PTR(b);
}

static void values(void)
{
        _cleanup_bag_ Bag *b = full_bag();

        CHECK_EQ(bag_size(b), 10);
        CHECK_STREQ(bag_key(b, 0), "string");
        CHECK_EQ(bag_value(b, 9)->type, VALUE_BAGS);
        CHECK_STREQ(bag_get_string(b, "string"), "text");
        CHECK_STREQ(bag_get_string(b, "printed"), "5-x");
        CHECK_STREQ(bag_get_string(b, "path"), "/a/b");
        CHECK(bag_get_bool(b, "bool", false));
        CHECK_EQ(bag_get_u32(b, "u32", 0), 32);
        CHECK_EQ(bag_get_u64(b, "u32", 0), 32);
        CHECK(bag_get_u64(b, "u64", 0) == UINT64_MAX);
        CHECK(bag_get(b, "double")->number == 0.5);
        CHECK_STREQ(bag_get_strv(b, "strv")[1], "y");
        CHECK_STREQ(bag_get_string(bag_get_bag(b, "bag"), "key"), "inner");
        CHECK_EQ(bag_get_bags(b, "bags")->n_bags, 2);
        CHECK_STREQ(bag_get_string(bag_get_bags(b, "bags")->bags[0], "key"), "item");
        CHECK(bag_has(b, "u64"));
}

static void absent_or_other(void)
{
        _cleanup_bag_ Bag *b = full_bag();
        const Bag *const bags[] = { b, NULL };

        FOREACH_ELEMENT (bag, bags) {
                CHECK(!bag_has(*bag, "none"));
                CHECK(!bag_get_string(*bag, "u32"));
                CHECK(bag_get_bool(*bag, "string", true));
                CHECK_EQ(bag_get_u32(*bag, "u64", 7), 7);
                CHECK_EQ(bag_get_u64(*bag, "string", 7), 7);
                CHECK(!bag_get_strv(*bag, "string"));
                CHECK_EQ(bag_get_fd(*bag, "u32"), -EBADF);
                CHECK(!bag_get_bag(*bag, "bags"));
                CHECK(!bag_get_bags(*bag, "bag"));
        }
        CHECK_EQ(bag_size(NULL), 0);
}

static void replace_and_remove(void)
{
        _cleanup_bag_ Bag *b = full_bag();

        CHECK_OK(bag_set_u32(b, "string", 1));
        CHECK_EQ(bag_size(b), 10);
        CHECK_STREQ(bag_key(b, 0), "string");
        CHECK_EQ(bag_get_u32(b, "string", 0), 1);
        CHECK_OK(bag_set_string(b, "string", NULL));
        CHECK(!bag_has(b, "string"));
        CHECK_EQ(bag_size(b), 9);
        CHECK_STREQ(bag_key(b, 0), "printed");
        bag_remove(b, "none");
        bag_remove(b, "bags");
        bag_remove(NULL, "none");
        CHECK_EQ(bag_size(b), 8);
        CHECK_OK(bag_add_strv(b, "strv", "z"));
        CHECK_EQ(strv_length(bag_get_strv(b, "strv")), 3);
        CHECK_OK(bag_add_strv(b, "new", "z"));
        CHECK_STREQ(bag_get_strv(b, "new")[0], "z");
}

static void copies_are_equal(void)
{
        _cleanup_bag_ Bag *b = full_bag(), *copy = bag_copy(b), *reversed = bag_new();

        CHECK(bag_equal(b, copy));
        CHECK(bag_equal(NULL, reversed));
        for (size_t i = bag_size(b); i > 0; i--)
                CHECK_OK(bag_set_value(reversed, bag_key(b, i - 1), bag_value(b, i - 1)));
        CHECK(bag_equal(b, reversed));
        for (size_t i = 0; i < bag_size(b); i++) {
                _cleanup_bag_ Bag *other = bag_copy(b);

                CHECK_OK(bag_set_string(other, bag_key(b, i), "other"));
                CHECK(!bag_equal(b, other));
                bag_remove(other, bag_key(b, i));
                CHECK(!bag_equal(b, other));
                CHECK(!bag_equal(other, b));
        }
        CHECK_OK(bag_add_strv(copy, "strv", "more"));
        CHECK(!bag_equal(b, copy));
}

static bool fd_is_open(int fd)
{
        return fcntl(fd, F_GETFD) >= 0;
}

static void descriptors(void)
{
        _cleanup_bag_ Bag *b = bag_new();
        Bag *copy;
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), duplicate,
            lost = open("/dev/null", O_RDONLY | O_CLOEXEC);

        CHECK_OK(bag_set_fd(b, "fd", fd));
        CHECK_EQ(bag_get_fd(b, "fd"), fd);
        CHECK(!bag_equal(b, b));
        copy = bag_copy(b);
        duplicate = bag_get_fd(copy, "fd");
        CHECK(duplicate != fd && fd_is_open(duplicate));
        CHECK(fcntl(duplicate, F_GETFD) & FD_CLOEXEC);
        bag_free(copy);
        CHECK(!fd_is_open(duplicate));
        CHECK_EQ(bag_take_fd(b, "fd"), fd);
        CHECK(!bag_has(b, "fd"));
        CHECK_EQ(bag_take_fd(b, "fd"), -EBADF);
        CHECK(fd_is_open(fd));
        CHECK_OK(bag_set_fd(b, "fd", fd));
        bag_remove(b, "fd");
        CHECK(!fd_is_open(fd));
        CHECK_EQ(bag_set_fd(NULL, "fd", lost), -ENOMEM);
        CHECK(!fd_is_open(lost));
}

static void no_bag(void)
{
        CHECK_EQ(bag_set_string(NULL, "a", "b"), -ENOMEM);
        CHECK_EQ(bag_set_u64(NULL, "a", 1), -ENOMEM);
        CHECK_EQ(bag_add_strv(NULL, "a", "b"), -ENOMEM);
        CHECK_EQ(bag_set_bag(NULL, "a", bag_new()), -ENOMEM);
        CHECK_EQ(bag_add_bag(NULL, "a", bag_new()), -ENOMEM);
        bag_free(NULL);
}

static void signatures(void)
{
        CHECK_STREQ(value_type_to_string(VALUE_BAGS), "aa{sv}");
        CHECK_STREQ(value_type_to_string(VALUE_U64), "t");
        CHECK(!value_type_to_string(_VALUE_TYPE_MAX));
}

int main(void)
{
        RUN(values);
        RUN(absent_or_other);
        RUN(replace_and_remove);
        RUN(copies_are_equal);
        RUN(descriptors);
        RUN(no_bag);
        RUN(signatures);
        return 0;
}
