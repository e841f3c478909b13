/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Overwriting volumes. */
#include "file-pool.h"

#include "util/fileio.h"

#define MIB (1024ull * 1024)
#define SECRET "the quick brown fox"

static Error *error(void)
{
        return &pool->error;
}

static int wipe(const char *name, const char *algorithm, bool write)
{
        _cleanup_bag_ Bag *options = bag_new();

        fake_ctx_reset(pool);
        CHECK_OK(bag_set_bool(options, "write", write));
        return poolkeeper_backend.volume_wipe(pool, name, algorithm, options);
}

static bool has_secret(const char *file)
{
        char command[128];

        (void)snprintf(command, sizeof(command), "grep -q '%s' %s", SECRET, file);
        return system(command) == 0;
}

static bool is_zero(const char *file, size_t size)
{
        char command[128];

        (void)snprintf(command, sizeof(command), "cmp -s -n %zu %s /dev/zero", size, file);
        return system(command) == 0;
}

static blkcnt_t blocks(const char *file)
{
        struct stat st;

        CHECK_OK(stat(file, &st));
        return st.st_blocks;
}

/* A volume whose bytes can be looked at even when it has lost its name. */
static void make(const char *name, uint64_t size)
{
        char path[64];

        (void)snprintf(path, sizeof(path), "pool/%s", name);
        CHECK_OK(create(name, size, words(NULL)));
        write_at(path, (off_t)(size / 2), SECRET, strlen(SECRET));
        write_at(path, 0, SECRET, strlen(SECRET));
}

static void zero(void)
{
        make("raw", MIB + 7);
        CHECK_OK(wipe("raw", "zero", false));
        CHECK_EQ(pool->last.capacity, MIB + 7);
        CHECK_EQ(pool->last.creator, 1000);
        CHECK(is_zero("pool/raw", MIB + 7));
        CHECK_EQ(blocks("pool/raw"), 0);
        CHECK_EQ(pool->n_commands, 0);
        CHECK(pool->n_synced > 0);
}

static void zero_written(void)
{
        make("written", MIB + 7);
        CHECK_OK(wipe("written", "zero", true));
        CHECK_EQ(pool->last.capacity, MIB + 7);
        CHECK(is_zero("pool/written", MIB + 7));
        CHECK(blocks("pool/written") >= (blkcnt_t)(MIB / 512));
        CHECK(pool->n_progress > 0);
        CHECK_OK(create("empty", 0, words(NULL)));
        CHECK_OK(wipe("empty", "zero", true));
        CHECK_OK(wipe("empty", "zero", false));
        CHECK_EQ(pool->last.capacity, 0);
}

static void trim(void)
{
        make("trimmed", MIB);
        CHECK_OK(wipe("trimmed", "trim", false));
        CHECK(is_zero("pool/trimmed", MIB));
        CHECK_EQ(blocks("pool/trimmed"), 0);
}

static void patterns(void)
{
        static const char *const names[] = {
                "random", "nnsa", "dod", "bsi", "gutmann", "schneier", "pfitzner7", "pfitzner33",
        };

        if (!command_exists("scrub"))
                SKIP("scrub is not installed");
        make("scrubbed", 100007);
        FOREACH_ELEMENT (name, names) {
                write_at("pool/scrubbed", 50000, SECRET, strlen(SECRET));
                CHECK_OK(wipe("scrubbed", *name, false));
                CHECK_EQ(pool->last.capacity, 100007);
                CHECK_EQ(pool->last.flags & VOLUME_CORRUPT, 0);
                CHECK(!has_secret("pool/scrubbed"));
                CHECK_EQ(pool->n_commands, 1);
                CHECK_EQ(is_zero("pool/scrubbed", 100007), streq(*name, "nnsa")); /* that ends with zeros */
        }
        CHECK_OK(create("none", 0, words(NULL)));
        CHECK_OK(wipe("none", "random", false));
}

/* The old file is overwritten too, not only replaced. */
static void image(void)
{
        CHECK_OK(create("q", 4 * MIB,
                        words("format", "qcow2", "cluster_size", "131072", "compat", "1.1", NULL)));
        CHECK_EQ(system("qemu-io -f qcow2 -c 'write -P 0x41 0 1M' pool/q >log"), 0);
        CHECK_OK(chmod("pool/q", 0640));
        CHECK_OK(link("pool/q", "kept"));
        CHECK_ERROR(wipe("q", "zero", false), error(), ERROR_NOT_SUPPORTED); /* two names */
        CHECK_OK(unlink("kept"));
        {
                int fd = open("pool/q", O_RDONLY | O_CLOEXEC);
                char byte;

                CHECK_OK(wipe("q", "zero", false));
                CHECK_EQ(lseek(fd, 0, SEEK_DATA), -1);
                CHECK_EQ(pread(fd, &byte, 1, 0), 1);
                CHECK_EQ(byte, 0);
                CHECK_OK(close(fd));
        }
        CHECK_EQ(pool->last.format, FORMAT_QCOW2);
        CHECK_EQ(pool->last.detected, FORMAT_QCOW2);
        CHECK_EQ(pool->last.capacity, 4 * MIB);
        CHECK_EQ(pool->last.mode, 0640);
        CHECK_EQ(pool->last.creator, 1000);
        CHECK_EQ(system("qemu-img info --output=json pool/q | grep -q '\"cluster-size\": 131072'"), 0);
        CHECK_EQ(system("qemu-io -f qcow2 -c 'read -P 0 0 4M' pool/q | grep -q 'Pattern verification "
                        "failed' && exit 1; "
                        "qemu-img check -q pool/q"),
                 0);
        CHECK_EQ(entries(), 7);
}

static void overlay_stands_alone(void)
{
        make("base", MIB);
        CHECK_OK(create("over", MIB,
                        words("format", "qcow2", "backing.path", "base", "backing.format", "raw", NULL)));
        CHECK_ERROR(wipe("base", "zero", false), error(), ERROR_IN_USE);
        CHECK(has_secret("pool/base"));
        CHECK_OK(wipe("over", "zero", false));
        CHECK_STREQ(pool->last.backing, NULL);
        CHECK_OK(wipe("base", "zero", false));
}

static void refused(void)
{
        make("v", MIB);
        CHECK_ERROR(wipe("v", "rot13", false), error(), ERROR_INVALID_ARGS);
        CHECK_ERROR(wipe("nobody", "zero", false), error(), ERROR_NO_SUCH_VOLUME);
        CHECK_OK(create("folder", 0, words("format", "dir", NULL)));
        CHECK_ERROR(wipe("folder", "zero", false), error(), ERROR_NOT_SUPPORTED);
        {
                int fd = open("pool/v", O_RDWR | O_CLOEXEC);

                CHECK_ERROR(wipe("v", "zero", false), error(), ERROR_IN_USE);
                CHECK_OK(close(fd));
        }
        CHECK(has_secret("pool/v"));
        pool->session = true;
        CHECK_EQ(wipe("v", "zero", false), -EREMOTE);
        pool->session = false;
        CHECK(has_secret("pool/v"));
}

/* What broke off is marked, and wiping it again mends it. */
static void broken_off(void)
{
        make("broken", 3 * MIB);
        pool->cancel_at = 2;
        CHECK_ERROR(wipe("broken", "zero", true), error(), ERROR_CANCELLED);
        pool->cancel_at = 0;
        CHECK_OK(look("broken"));
        CHECK(pool->last.flags & VOLUME_CORRUPT);
        CHECK_EQ(pool->last.capacity, 3 * MIB);
        CHECK_OK(wipe("broken", "zero", false));
        CHECK_EQ(pool->last.flags & VOLUME_CORRUPT, 0);
        CHECK_STREQ(pool->last.error, NULL);
        CHECK(is_zero("pool/broken", 3 * MIB));
}

static void keys_go(void)
{
        /* The tool times itself, and gives up where no tick of the clock fell into that. */
        CHECK_EQ(system("for i in 1 2 3 4 5 6 7 8; do qemu-img create -q -f luks --object "
                        "secret,id=s,data=geheim "
                        "-o key-secret=s,iter-time=10 pool/luks 1M >log 2>&1 && exit; done; exit 1"),
                 0);
        fake_ctx_reset(pool);
        CHECK_OK(poolkeeper_backend.volume_declare(pool, "luks", FORMAT_LUKS));
        CHECK(pool->last.flags & VOLUME_ENCRYPTED);
        CHECK_OK(wipe("luks", "zero", false));
        CHECK_EQ(pool->last.format, FORMAT_RAW);
        CHECK_EQ(pool->last.flags & VOLUME_ENCRYPTED, 0);
        CHECK(is_zero("pool/luks", MIB));
}

int main(void)
{
        test_directory();
        pool_start();
        RUN(zero);
        RUN(zero_written);
        RUN(trim);
        RUN(patterns);
        RUN(image);
        RUN(overlay_stands_alone);
        RUN(refused);
        RUN(broken_off);
        RUN(keys_go);
        pool_end();
        return 0;
}
