/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the daemon learns of the backends, from a worker that may be anything. */
#include "core.h"

static Core core;

static void description(void)
{
        const BackendInfo *b;
        Backends *all;

        core_new(&core, (ManagerConfig){});
        all = core.manager->backends;
        CHECK(backends_size(all) >= 2); /* fake and dir */
        for (size_t i = 1; i < backends_size(all); i++)
                CHECK(strcmp(backends_at(all, i - 1)->name, backends_at(all, i)->name) < 0);
        CHECK(!backends_find(all, "nosuch"));
        b = backends_find(all, "fake");
        CHECK(b && !b->reason);
        CHECK_STREQ(b->summary, "a pool type for tests that fails as it is told");
        CHECK(backend_has_feature(b, "create") && backend_has_feature(b, "volume-delete"));
        CHECK(!backend_has_feature(b, "discover"));
        CHECK(strv_contains(b->create_formats, "raw") && !strv_contains(b->create_formats, "qed"));
        CHECK(option_find(&b->pool_options, "fault-file"));
        CHECK(option_find(&b->pool_options, "reserved")); /* one of those that all have */
        CHECK(option_find(&b->pool_options, "target.path")->flags & OPTION_REQUIRED);
        CHECK(option_find(&b->volume_options, "backing.path"));
        CHECK(manager_pool_options("fake", core.manager) == &b->pool_options);
        CHECK(!manager_pool_options("nosuch", core.manager));
        core_end(&core);
        core_wipe();
}

/* Workers that do not run, do not speak, or have nothing to tell. */
static void no_description(void)
{
        static const char *const workers[] = { "/nonexistent", "/bin/false", "/bin/true" };
        _cleanup_error_ Error e = ERROR_NULL;
        Backends *b = NULL;
        int r;

        FOREACH_ELEMENT (worker, workers) {
                r = backends_load(*worker, NULL, &b, &e);
                CHECK(r < 0 && e.kind != ERROR_NONE && !b);
                error_done(&e);
        }
        r = backends_load(core_worker, "/nonexistent", &b, &e); /* it says so itself */
        CHECK(r < 0 && strstr(e.message, "/nonexistent"));
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(description);
        RUN(no_description);
        return 0;
}
