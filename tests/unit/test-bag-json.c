/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/bag-json.h"

#include "test.h"

static void every_type(void)
{
        _cleanup_bag_ Bag *b = bag_new();
        Bag *inner = bag_new();
        json_object *o;

        CHECK_OK(bag_set_string(b, "s", "a\"b"));
        CHECK_OK(bag_set_bool(b, "b", true));
        CHECK_OK(bag_set_u32(b, "u", UINT32_MAX));
        CHECK_OK(bag_set_u64(b, "t", UINT64_MAX));
        CHECK_OK(bag_add_strv(b, "as", "x"));
        CHECK_OK(bag_set_u32(inner, "n", 1));
        CHECK_OK(bag_set_bag(b, "bag", inner));
        CHECK_OK(bag_add_bag(b, "bags", bag_new()));
        o = bag_to_json(b);
        CHECK_STREQ(
                json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                "{\"s\":\"a\\\"b\",\"b\":true,\"u\":4294967295,\"t\":18446744073709551615,\"as\":[\"x\"],"
                "\"bag\":{\"n\":1},\"bags\":[{}]}");
        json_object_put(o);
}

int main(void)
{
        RUN(every_type);
        return 0;
}
