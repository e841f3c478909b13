/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a guest is told to open. */
#include "file-pool.h"

#define MIB (1024ull * 1024)

static Error *error(void)
{
        return &pool->error;
}

static int attach(const char *name, Bag **ret)
{
        _cleanup_bag_ Bag *result = bag_new();
        int r;

        fake_ctx_reset(pool);
        pool->session = true;
        r = poolkeeper_backend.volume_attachment(pool, name, result);
        pool->session = false;
        if (r >= 0)
                *ret = TAKE_PTR(result);
        return r;
}

static void check_node(const Bag *result, size_t i, const char *format, const char *file, bool encrypted)
{
        const Value *nodes = bag_get_bags(result, "nodes");
        char path[256];
        const Bag *n;

        CHECK(nodes && nodes->n_bags > i);
        n = nodes->bags[i];
        (void)snprintf(path, sizeof(path), "%s/pool/%s", test_directory_path, file);
        CHECK_STREQ(bag_get_string(n, "format"), format);
        CHECK_EQ(bag_get_bool(n, "encrypted", false), encrypted);
        CHECK_STREQ(bag_get_string(bag_get_bag(n, "protocol"), "driver"), "file");
        CHECK_STREQ(bag_get_string(bag_get_bag(n, "protocol"), "filename"), path);
        CHECK_STREQ(bag_get_string(bag_get_bag(n, "libvirt"), "type"), "file");
        CHECK_STREQ(bag_get_string(bag_get_bag(n, "libvirt"), "file"), path);
}

static void chain(void)
{
        _cleanup_bag_ Bag *result = NULL;

        CHECK_OK(create("base", MIB, words(NULL)));
        CHECK_OK(create("mid", MIB,
                        words("format", "qcow2", "backing.path", "base", "backing.format", "raw", NULL)));
        CHECK_OK(create("top", MIB,
                        words("format", "qcow2", "backing.path", "mid", "backing.format", "qcow2", NULL)));
        CHECK_OK(attach("top", &result));
        CHECK_EQ(bag_get_bags(result, "nodes")->n_bags, 3);
        check_node(result, 0, "qcow2", "top", false);
        check_node(result, 1, "qcow2", "mid", false);
        check_node(result, 2, "raw", "base", false);
}

/* A guest may have written any header into a raw volume: it is not followed. */
static void raw_with_header(void)
{
        _cleanup_bag_ Bag *result = NULL;

        CHECK_EQ(system("qemu-img create -q -u -f qcow2 -F raw -b /etc/passwd pool/base 1M"), 0);
        CHECK_OK(attach("base", &result));
        CHECK_EQ(bag_get_bags(result, "nodes")->n_bags, 1);
        check_node(result, 0, "raw", "base", false);
}

static void outside(void)
{
        _cleanup_bag_ Bag *result = NULL;

        CHECK_OK(create("out", MIB, words("format", "qcow2", NULL)));
        CHECK_EQ(system("qemu-img rebase -q -u -f qcow2 -F raw -b /etc/passwd pool/out"), 0);
        CHECK_ERROR(attach("out", &result), error(), ERROR_NOT_SUPPORTED);
        CHECK_EQ(system("qemu-img rebase -q -u -f qcow2 -F raw -b 'json:{\"driver\":\"null-co\"}' pool/out"),
                 0);
        CHECK_ERROR(attach("out", &result), error(), ERROR_NOT_SUPPORTED);
        CHECK(result == NULL);
}

static void encrypted(void)
{
        _cleanup_bag_ Bag *result = NULL;

        /* The tool times itself, and gives up where no tick of the clock fell into that. */
        CHECK_EQ(system("for i in 1 2 3 4 5 6 7 8; do qemu-img create -q -f luks --object "
                        "secret,id=s,data=geheim "
                        "-o key-secret=s,iter-time=10 pool/luks 1M >log 2>&1 && exit; done; exit 1"),
                 0);
        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_declare(pool, "luks", FORMAT_LUKS));
        CHECK_OK(attach("luks", &result));
        check_node(result, 0, "luks", "luks", true);
}

static void refused(void)
{
        Bag *result;

        CHECK_OK(create("folder", 0, words("format", "dir", NULL)));
        CHECK_ERROR(attach("folder", &result), error(), ERROR_NOT_SUPPORTED);
        CHECK_ERROR(attach("none", &result), error(), ERROR_NO_SUCH_VOLUME);
        write_at("pool/out", 0, "spoilt", 6);
        CHECK_ERROR(attach("out", &result), error(), ERROR_CORRUPT);
        write_at("pool/a\377b", 0, "data", 4);
        CHECK_ERROR(attach("a\\xffb", &result), error(), ERROR_NOT_SUPPORTED);
}

int main(void)
{
        test_directory();
        pool_start();
        RUN(chain);
        RUN(raw_with_header);
        RUN(outside);
        RUN(encrypted);
        RUN(refused);
        pool_end();
        return 0;
}
