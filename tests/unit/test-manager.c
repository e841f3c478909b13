/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions, identity, and what a daemon finds after one that ended or died. */
#include "core.h"

#include <dirent.h>
#include <sys/stat.h>

static Core core;

static Definition *at(const char *name, const char *target)
{
        Definition *d = core_definition(&core, name);

        CHECK_OK(bag_set_string(d->options, "target.path", target));
        return d;
}

static int define(Definition *d, bool transient, Error *e)
{
        Pool *p;

        return manager_define(core.manager, d, transient, &p, e);
}

static void identity(void)
{
        static const char *const overlaps[] = { "/srv/one", "/srv/one/below/it", "/srv", "//srv/one",
                                                "/srv/two/../one/./" };
        _cleanup_error_ Error e = ERROR_NULL;
        char uuid[37];
        Definition *d;

        core_new(&core, (ManagerConfig){});
        d = at("one", "/srv/one");
        (void)snprintf(uuid, sizeof(uuid), "%s", d->uuid);
        CHECK_OK(define(d, false, &e));
        CHECK_EQ(core.heard.pool_added, 1);
        FOREACH_ELEMENT (target, overlaps)
                CHECK_ERROR(define(at("two", *target), false, &e), &e, ERROR_DUPLICATE_SOURCE);
        CHECK_OK(define(at("two", "/srv/onerous"), false, &e)); /* a name that begins so is no overlap */

        CHECK_ERROR(define(at("one", "/srv/one"), false, &e), &e, ERROR_POOL_EXISTS); /* another UUID */
        CHECK_ERROR(define(at("one", "/srv/else"), true, &e), &e, ERROR_POOL_EXISTS);
        d = at("three", "/srv/three");
        memcpy(d->uuid, uuid, sizeof(uuid));
        CHECK_ERROR(define(d, false, &e), &e, ERROR_POOL_EXISTS);
        d = at("four", "/srv/four");
        CHECK_OK(free_and_strdup(&d->type, "nosuch"));
        CHECK_ERROR(define(d, false, &e), &e, ERROR_BACKEND_UNAVAILABLE);
        CHECK_EQ(hashmap_size(core.manager->pools), 2);

        CHECK(manager_pool_by_uuid(core.manager, uuid) == manager_pool(core.manager, "one"));
        CHECK(!manager_pool_by_uuid(core.manager, "nonsense"));
        CHECK(manager_pool_by_path(core.manager, "/srv//one/") == manager_pool(core.manager, "one"));
        CHECK(!manager_pool_by_path(core.manager, "/srv"));
        core_end(&core);
        core_wipe();
}

/* A definition of an active pool waits for its stop; its target is taken from now on. */
static void update_while_active(void)
{
        _cleanup_free_ char *other = core_target("other", NULL), *old = core_target("p", NULL);
        _cleanup_error_ Error e = ERROR_NULL;
        Definition *d;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        d = at("p", other);
        memcpy(d->uuid, p->definition->uuid, sizeof(d->uuid));
        CHECK_OK(mkdir(other, 0755));
        CHECK_OK(define(d, false, &e));
        CHECK_STREQ(pool_target(p), old);
        CHECK_ERROR(define(at("q", other), false, &e), &e, ERROR_DUPLICATE_SOURCE);
        CHECK_ERROR(define(at("q", old), false, &e), &e, ERROR_DUPLICATE_SOURCE);
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);
        CHECK(core_has_file("p", "v"));
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        CHECK_STREQ(pool_target(p), other);
        CHECK(!p->update);
        CHECK_EQ(core_wait(&core, core_start(p)), JOB_DONE);
        CHECK_EQ(core_wait(&core, core_create(p, "w")), JOB_DONE); /* by a worker that knows */
        CHECK(core_has_file("other", "w"));

        d = definition_copy(p->definition);
        CHECK_OK(free_and_strdup(&d->type, "dir"));
        bag_remove(d->options, "fault-file");
        CHECK_ERROR(define(d, false, &e), &e, ERROR_POOL_ACTIVE); /* its type cannot wait */
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        d = definition_copy(p->definition);
        CHECK_OK(free_and_strdup(&d->type, "dir"));
        bag_remove(d->options, "fault-file");
        CHECK_OK(define(d, false, &e));
        CHECK_STREQ(p->backend->name, "dir");
        core_end(&core);

        core_new(&core, (ManagerConfig){}); /* and so it was stored */
        p = manager_pool(core.manager, "p");
        CHECK(p);
        CHECK_STREQ(p->backend->name, "dir");
        CHECK_STREQ(pool_target(p), other);
        core_end(&core);
        core_wipe();
}

static void undefine(void)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){ .kill_usec = 100000 });
        p = core_define(&core, "p");
        core_fault(&core, "slow build");
        j = core_submit(&(Request){ .operation = OPERATION_POOL_BUILD, .pool = p });
        CHECK_ERROR(manager_undefine(core.manager, p, &e), &e, ERROR_BUSY);
        UNTIL(&core, j->bytes_done > 0);
        CHECK_ERROR(manager_undefine(core.manager, p, &e), &e, ERROR_BUSY);
        CHECK_EQ(core_wait(&core, j), JOB_DONE);
        core_fault(&core, NULL);
        CHECK_EQ(core_wait(&core, core_start(p)), JOB_DONE);
        CHECK_ERROR(manager_undefine(core.manager, p, &e), &e, ERROR_POOL_ACTIVE);
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        CHECK_OK(manager_undefine(core.manager, p, &e));
        CHECK_EQ(core.heard.pool_removed, 1);
        CHECK(!manager_pool(core.manager, "p"));
        CHECK(!core_has_file("etc", "p.xml"));

        CHECK_OK(manager_define(core.manager, core_definition(&core, "t"), true, &p, &e));
        CHECK_ERROR(manager_undefine(core.manager, p, &e), &e, ERROR_NOT_SUPPORTED);
        CHECK_ERROR(manager_set_autostart(core.manager, p, true, &e), &e, ERROR_NOT_SUPPORTED);
        CHECK(!core_has_file("etc", "t.xml"));
        core_end(&core);
        core_wipe();
}

/* What was up when the daemon died comes up again, also what was never stored; what was stopped does not. */
static void adoption(void)
{
        Pool *p;

        core_new(&core, (ManagerConfig){});
        (void)core_pool(&core, "kept");
        p = core_pool(&core, "updated");
        Definition *d = definition_copy(p->definition);
        CHECK_OK(bag_set_string(d->options, "description", "new words"));
        CHECK_OK(define(d, false, NULL));
        CHECK_EQ(core_wait(&core, core_stop(core_pool(&core, "stopped"), false)), JOB_DONE);
        CHECK_OK(manager_define(core.manager, core_definition(&core, "transient"), true, &p, NULL));
        CHECK_EQ(core_wait(&core, core_start(p)), JOB_DONE);
        CHECK_EQ(core_wait(&core, core_create(p, "v")), JOB_DONE);
        p = core_pool(&core, "forgotten");
        CHECK(core_has_file("run/active", "transient.xml") && !core_has_file("run/active", "stopped.xml"));
        core_crash(&core);

        {
                _cleanup_free_ char *file = core_target("etc/forgotten.xml", NULL);

                CHECK_OK(unlink(file)); /* undefined while nobody was there */
        }
        core_new(&core, (ManagerConfig){});
        manager_autostart(core.manager);
        UNTIL(&core, queue_n_unfinished(core.manager->queue) == 0);
        CHECK_EQ(manager_pool(core.manager, "kept")->state, POOL_ACTIVE);
        CHECK_EQ(manager_pool(core.manager, "stopped")->state, POOL_INACTIVE);
        p = manager_pool(core.manager, "transient");
        CHECK(p && !p->persistent);
        CHECK_EQ(p->state, POOL_ACTIVE);
        CHECK(volume_table_get(p->volumes, "v"));
        CHECK(!manager_pool(core.manager, "forgotten"));
        p = manager_pool(core.manager, "updated");
        CHECK_EQ(p->state, POOL_ACTIVE);
        CHECK(!bag_has(p->definition->options, "description")); /* what is up is what was up */
        CHECK(p->update);
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        CHECK_STREQ(bag_get_string(p->definition->options, "description"), "new words");
        p = manager_pool(core.manager, "transient");
        CHECK_EQ(core_wait(&core, core_stop(p, false)), JOB_DONE);
        CHECK(!manager_pool(core.manager, "transient"));
        CHECK(!core_has_file("run/active", "transient.xml"));
        core_end(&core);
        core_wipe();
}

/* A half-made volume of the daemon that died is undone when its pool starts. */
static void undone_after_a_crash(void)
{
        Job *j;
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_pool(&core, "p");
        core_fault(&core, "intent create");
        j = core_create(p, "half");
        UNTIL(&core, core_has_file("p", "half") || job_is_finished(j));
        core_crash(&core);
        core_new(&core, (ManagerConfig){});
        core_fault(&core, NULL);
        manager_autostart(core.manager);
        p = manager_pool(core.manager, "p");
        UNTIL(&core, p->state == POOL_ACTIVE);
        CHECK(!core_has_file("p", "half"));
        CHECK_EQ(volume_table_size(p->volumes), 0);
        core_end(&core);
        core_wipe();
}

/* Files that do not go together, as only a text editor makes them: the later one is left alone. */
static void stored_overlaps(void)
{
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *a = core_target("etc/a.xml", NULL), *b = core_target("etc/b.xml", NULL);
        char command[1024];

        core_new(&core, (ManagerConfig){});
        CHECK_OK(define(at("a", "/srv/here"), false, &e));
        core_end(&core);
        (void)snprintf(command, sizeof(command), "sed 's|<name>a</name>|<name>b</name>|' %s > %s", a, b);
        CHECK_EQ(system(command), 0);
        core_new(&core, (ManagerConfig){});
        CHECK_EQ(hashmap_size(core.manager->pools), 1);
        CHECK(core_has_file("etc", "a.xml") && core_has_file("etc", "b.xml"));
        core_end(&core);
        core_wipe();
}

static void listing(void)
{
        Pool *p;

        core_new(&core, (ManagerConfig){});
        p = core_define(&core, "p");
        manager_count_volumes(core.manager, VOLUMES_LISTED_MAX);
        CHECK(core.manager->volumes_listed);
        manager_count_volumes(core.manager, 1);
        CHECK(!core.manager->volumes_listed);
        CHECK_EQ(core.heard.listing, 1);
        manager_count_volumes(core.manager, -1);
        manager_count_volumes(core.manager, -(ssize_t)(VOLUMES_LISTED_MAX - VOLUMES_LISTED_RESUME));
        CHECK(!core.manager->volumes_listed); /* 3,500 are not below it yet */
        manager_count_volumes(core.manager, -1);
        CHECK(core.manager->volumes_listed);
        CHECK_EQ(core.heard.listing, 2);
        manager_count_volumes(core.manager, -(ssize_t)core.manager->n_volumes);
        CHECK_OK(manager_set_autostart(core.manager, p, true, NULL));
        CHECK(core.heard.pool_changed > 0);
        core_end(&core);
        core_wipe();
}

int main(int argc, char **argv)
{
        core_main(argc, argv);
        RUN(identity);
        RUN(update_while_active);
        RUN(undefine);
        RUN(adoption);
        RUN(undone_after_a_crash);
        RUN(stored_overlaps);
        RUN(listing);
        return 0;
}
