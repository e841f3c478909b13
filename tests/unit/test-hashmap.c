/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "util/hashmap.h"

#include "test.h"

#define N 3000u

static char numbers[N][12];
static bool seen[N];

static void name_numbers(void)
{
        for (unsigned i = 0; i < N; i++)
                snprintf(numbers[i], sizeof(numbers[i]), "volume-%u", i);
}

static Hashmap *filled(void)
{
        Hashmap *h = hashmap_new();

        for (unsigned i = 0; i < N; i++)
                CHECK_OK(hashmap_put(h, numbers[i], numbers[i]));
        return h;
}

static void empty(void)
{
        _cleanup_(hashmap_freep) Hashmap *h = hashmap_new();
        const char *key;
        void *value;

        CHECK_EQ(hashmap_size(h), 0);
        CHECK_EQ(hashmap_size(NULL), 0);
        CHECK(!hashmap_get(h, "a"));
        CHECK(!hashmap_get(NULL, "a"));
        CHECK(!hashmap_remove(h, "a"));
        CHECK(!hashmap_remove(NULL, "a"));
        HASHMAP_FOREACH (key, value, h)
                CHECK(false);
        hashmap_free(NULL);
}

static void put_get_remove(void)
{
        _cleanup_(hashmap_freep) Hashmap *h = filled();

        CHECK_EQ(hashmap_put(h, numbers[5], NULL), -EEXIST);
        CHECK_EQ(hashmap_size(h), N);
        CHECK(!hashmap_get(h, "volume-"));
        for (unsigned i = 0; i < N; i++)
                CHECK(hashmap_get(h, numbers[i]) == numbers[i]);
        /* After each removal of a third of them, exactly the others are there. */
        for (unsigned i = 0; i < N; i += 3)
                CHECK(hashmap_remove(h, numbers[i]) == numbers[i]);
        for (unsigned i = 0; i < N; i++)
                CHECK(hashmap_get(h, numbers[i]) == (i % 3 == 0 ? NULL : numbers[i]));
        CHECK_EQ(hashmap_size(h), N - N / 3);
        for (unsigned i = 0; i < N; i += 3)
                CHECK_OK(hashmap_put(h, numbers[i], numbers[i]));
        for (unsigned i = 0; i < N; i++)
                CHECK(hashmap_get(h, numbers[i]) == numbers[i]);
}

static void keys_are_copied(void)
{
        _cleanup_(hashmap_freep) Hashmap *h = hashmap_new();
        char key[] = "abc", value;

        CHECK_OK(hashmap_put(h, key, &value));
        key[0] = 'x';
        CHECK(hashmap_get(h, "abc") == &value);
        CHECK(!hashmap_get(h, "xbc"));
        CHECK_OK(hashmap_put(h, "", &value));
        CHECK(hashmap_get(h, "") == &value);
}

static void iterate(void)
{
        _cleanup_(hashmap_freep) Hashmap *h = filled();
        const char *key;
        char *value;
        size_t n = 0;

        memset(seen, 0, sizeof(seen));
        HASHMAP_FOREACH (key, value, h) {
                CHECK_STREQ(key, value);
                CHECK(!seen[atoi(key + strlen("volume-"))]);
                seen[atoi(key + strlen("volume-"))] = true;
                n++;
        }
        CHECK_EQ(n, N);
}

static void remove_while_iterating(void)
{
        for (unsigned every = 1; every <= 7; every++) {
                _cleanup_(hashmap_freep) Hashmap *h = filled();
                const char *key;
                char *value;
                size_t n = 0, removed = 0;

                memset(seen, 0, sizeof(seen));
                HASHMAP_FOREACH (key, value, h) {
                        CHECK(!seen[atoi(value + strlen("volume-"))]);
                        seen[atoi(value + strlen("volume-"))] = true;
                        if (n++ % every == 0) {
                                CHECK(hashmap_remove(h, value) == value);
                                removed++;
                        }
                }
                CHECK_EQ(n, N);
                CHECK_EQ(hashmap_size(h), N - removed);
        }
}

/* Against the plainest model there is. */
static void random_walk(void)
{
        _cleanup_(hashmap_freep) Hashmap *h = hashmap_new();
        bool model[64] = {};
        size_t size = 0;

        srandom(7);
        for (unsigned step = 0; step < 100000; step++) {
                unsigned i = (unsigned)random() % (unsigned)ELEMENTSOF(model);

                if (random() % 2) {
                        CHECK_EQ(hashmap_put(h, numbers[i], numbers[i]), model[i] ? -EEXIST : 0);
                        size += !model[i];
                        model[i] = true;
                } else {
                        CHECK(hashmap_remove(h, numbers[i]) == (model[i] ? numbers[i] : NULL));
                        size -= model[i];
                        model[i] = false;
                }
                CHECK_EQ(hashmap_size(h), size);
                if (step % 16 == 0)
                        for (unsigned j = 0; j < ELEMENTSOF(model); j++)
                                CHECK(hashmap_get(h, numbers[j]) == (model[j] ? numbers[j] : NULL));
        }
}

int main(void)
{
        name_numbers();
        RUN(empty);
        RUN(put_get_remove);
        RUN(keys_are_copied);
        RUN(iterate);
        RUN(remove_while_iterating);
        RUN(random_walk);
        return 0;
}
