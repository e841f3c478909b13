/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Volume.Open and Pool.OpenVolume: a worker opens the volume, and the caller gets the descriptor. */
#include "bus-open.h"

#include "action.h"
#include "bus-pool.h"
#include "bus-query.h"
#include "bus-volume.h"
#include "util/bag-message.h"

/* What the options say, as words that outlive them. */
typedef struct OpenWords {
        const char *read_only; /* "yes", "no" or "auto" */
        const char *kind;      /* "regular", "block", NULL: either */
} OpenWords;

/* What polkit is asked about: a volume, or one that the caller is about to make. */
typedef struct Opened {
        Pool *pool;
        const Volume *volume;      /* NULL: it is not there yet */
        const char *name, *format; /* of that one */
} Opened;

/* ---- the options ---- */

/* The one of the words that the option says; *ret stays as it is without it. */
static int read_choice(const Call *c, const char *key, const char *const *words, const char **ret,
                       sd_bus_error *ret_error)
{
        const char *said = bag_get_string(c->options, key);

        if (!bag_has(c->options, key))
                return 0;
        for (const char *const *i = words; said && *i; i++)
                if (streq(*i, said)) {
                        *ret = *i;
                        return 0;
                }
        return call_invalid(ret_error, "Option %s is %s, %s%s%s", key, words[0], words[1],
                            words[2] ? " or " : "", words[2] ?: "");
}

static int read_words(const Call *c, OpenWords *ret, sd_bus_error *ret_error)
{
        static const char *const read_only[] = { "yes", "no", "auto", NULL };
        static const char *const kinds[] = { "regular", "block", NULL, NULL };
        const Value *value = bag_get(c->options, "read-only");
        OpenWords w = { .read_only = "auto" };
        int r = 0;

        if (value && value->type == VALUE_BOOL)
                w.read_only = yes_no(value->boolean);
        else
                r = read_choice(c, "read-only", read_only, &w.read_only, ret_error);
        if (r >= 0)
                r = read_choice(c, "kind", kinds, &w.kind, ret_error);
        if (r >= 0)
                *ret = w;
        return r;
}

/* ---- who may ---- */

static int make_check(const Call *c, const Opened *o, const char *action, const char *read_only,
                      ActionCheck *ret)
{
        ActionCheck check = {};
        int r;

        r = pool_action_check(o->pool, o->volume, action, &check);
        if (r >= 0 && !o->volume) {
                r = action_check_add(&check, "volume", o->name);
                if (r >= 0)
                        r = action_check_add(&check, "volume.format", o->format);
                if (r >= 0)
                        r = action_check_add_number(&check, "volume.owner", c->caller);
        }
        if (r >= 0)
                r = action_check_add(&check, "read-only", read_only);
        if (r < 0)
                action_check_done(&check);
        else
                *ret = check;
        return r;
}

/* "auto" becomes "yes" where writing is not allowed without a question to the user. */
static int settle_auto(Call *c, const Opened *o, OpenWords *w, sd_bus_error *ret_error)
{
        PolkitVerdict verdict = POLKIT_NO;
        ActionCheck check = {};
        int r;

        r = make_check(c, o, "volume-write", "no", &check);
        if (r < 0)
                return r;
        r = call_ask(c, check.action, check.details, &verdict, ret_error);
        action_check_done(&check);
        if (r > 0 && verdict != POLKIT_YES)
                w->read_only = "yes";
        return r;
}

/* A change of what others stand on would be the end of them: then "auto" becomes "yes", too. */
static int check_alone(const Pool *p, const Volume *v, OpenWords *w, sd_bus_error *ret_error)
{
        _cleanup_error_ Error e = ERROR_NULL;
        int r;

        if (streq(w->read_only, "yes"))
                return 0;
        r = volume_check_alone(p, v->name, "be opened for writing", &e);
        if (r >= 0 || !streq(w->read_only, "auto"))
                return r < 0 ? call_fail(&e, r, ret_error) : 0;
        w->read_only = "yes";
        return 0;
}

/* 1: allowed, and *w says what the worker is to do. 0 and negative as call_authorize(). */
static int authorize(Call *c, const Opened *o, OpenWords *w, sd_bus_error *ret_error)
{
        ActionCheck check = {};
        int r;

        if (streq(w->read_only, "auto")) {
                r = settle_auto(c, o, w, ret_error);
                if (r <= 0 || streq(w->read_only, "auto"))
                        return r;
        }
        r = make_check(c, o, streq(w->read_only, "no") ? "volume-write" : "volume-read", w->read_only,
                       &check);
        if (r < 0)
                return r;
        r = call_authorize(c, check.action, check.details, ret_error);
        action_check_done(&check);
        return r;
}

/* ---- the question and its answer ---- */

static int append_source(sd_bus_message *reply, Pool *p, const Volume *v)
{
        _cleanup_free_ char *path = volume_shown_path(p, v->name);
        _cleanup_bag_ Bag *source = bag_new();

        if (!path || bag_set_string(source, "pool", pool_name(p)) < 0 ||
            bag_set_string(source, "volume", v->name) < 0 ||
            bag_set_string(source, "format", image_format_to_string((ImageFormat)v->format)) < 0 ||
            bag_set_u64(source, "capacity", v->capacity) < 0 || bag_set_string(source, "path", path) < 0)
                return -ENOMEM;
        return bag_append_to_message(source, reply);
}

static int answer_open(sd_bus_message *m, Pool *p, const char *volume, const Bag *result, Error *e)
{
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        const char *type = bag_get_string(result, "type");
        int r, fd = bag_get_fd(result, "fd");

        if (fd < 0 || !type)
                return error_set(e, ERROR_WORKER_CRASHED, "The worker of pool %s did not open volume %s",
                                 pool_name(p), volume);
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_append(reply, "hsb", fd, type,
                                          (int)bag_get_bool(result, "read-only", false));
        if (r >= 0)
                r = append_source(reply, p, volume_table_get(p->volumes, volume));
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static Bag *words_to_bag(const OpenWords *w)
{
        _cleanup_bag_ Bag *words = bag_new();

        if (bag_set_string(words, "read-only", w->read_only) < 0 ||
            bag_set_string(words, "kind", w->kind) < 0)
                return NULL;
        return TAKE_PTR(words);
}

static int open_existing(Call *c, Pool *p, const Volume *v, OpenWords *w, sd_bus_error *ret_error)
{
        Bag *args;
        int r;

        r = query_check_pool(p, ret_error);
        if (r >= 0)
                r = check_alone(p, v, w, ret_error);
        if (r < 0)
                return r;
        r = authorize(c, &(Opened){ .pool = p, .volume = v }, w, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        args = words_to_bag(w);
        return args ? query_ask(c, p, "open", v->name, args, answer_open, ret_error) : -ENOMEM;
}

int volume_method_open(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Volume *v = userdata;
        _cleanup_call_ Call c = {};
        OpenWords words;
        int r;

        r = call_begin(v->pool->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = call_read_options(&c, (const char *[]){ "read-only", "kind", NULL }, ret_error);
        if (r >= 0)
                r = read_words(&c, &words, ret_error);
        return r < 0 ? r : open_existing(&c, v->pool, v, &words, ret_error);
}

/* ---- a volume that is made first ---- */

static int open_made(Bus *b, sd_bus_message *m, const Job *j, const Bag *words, sd_bus_error *ret_error)
{
        Call c = { .bus = b, .message = m, .caller = j->caller };
        _cleanup_error_ Error e = ERROR_NULL;
        Bag *args;
        Volume *v;
        Pool *p;
        int r;

        r = manager_find_pool(b->manager, j->pool, &p, &e);
        if (r >= 0)
                r = pool_find_volume(p, j->volume, &v, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        args = bag_copy(words);
        return args ? query_ask(&c, p, "open", v->name, args, answer_open, ret_error) : -ENOMEM;
}

static const char *format_of(const Prepared *p)
{
        for (size_t i = 0; i < p->n_checks; i++)
                for (char **d = p->checks[i].details; streq(p->checks[i].action, "volume-create") && d && *d;
                     d += 2)
                        if (streq(d[0], "volume.format"))
                                return d[1];
        return image_format_to_string(FORMAT_NONE);
}

/* What a volume will be is known before it is made. */
static int check_kind(const Pool *p, const char *kind, const char *format, Error *e)
{
        const char *is = backend_has_feature(p->backend, "block") ? "block" : "regular";

        if (streq(format, image_format_to_string(FORMAT_DIR)))
                return error_set(
                        e, ERROR_NOT_SUPPORTED,
                        "A volume of format dir is a directory, which cannot be opened; say raw, or make "
                        "it with CreateVolume");
        if (!kind || streq(kind, is))
                return 0;
        return error_set(e, ERROR_NOT_SUPPORTED,
                         "Pool %s is of type %s, which makes %s; leave out kind, or say %s", pool_name(p),
                         pool_type(p), streq(is, "block") ? "block devices" : "regular files", is);
}

static int make_and_open(Call *c, Request *request, OpenWords *w, sd_bus_error *ret_error)
{
        _cleanup_prepared_ Prepared prepared = {};
        _cleanup_error_ Error e = ERROR_NULL;
        Bag *words;
        Job *j;
        int r;

        r = request_prepare(request, &prepared, &e);
        if (r >= 0)
                r = check_kind(request->pool, w->kind, format_of(&prepared), &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        r = call_authorize_all(c, prepared.checks, prepared.n_checks, ret_error);
        if (r > 0)
                r = authorize(c,
                              &(Opened){ .pool = request->pool,
                                         .name = request->volume,
                                         .format = format_of(&prepared) },
                              w, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        words = words_to_bag(w);
        if (!words)
                return -ENOMEM;
        r = request_submit(request, &prepared, &j, &e);
        if (r < 0) {
                bag_free(words);
                return call_fail(&e, r, ret_error);
        }
        return reply_hold_then(c->bus, c->message, j, open_made, words);
}

/* What remains of the options are those of the volume that is made. */
static int read_creation(Call *c, bool create, char **ret_template, uint64_t *ret_size,
                         sd_bus_error *ret_error)
{
        int r;

        if (!create && (bag_has(c->options, "template") || bag_has(c->options, "format") ||
                        bag_has(c->options, "size")))
                return call_invalid(
                        ret_error,
                        "Options template, format and size are for a volume that is made; say create");
        r = call_take_string(c, "template", ret_template, ret_error);
        if (r >= 0)
                r = call_take_size(c, "size", ret_size, ret_error);
        bag_remove(c->options, "create");
        bag_remove(c->options, "read-only");
        bag_remove(c->options, "kind");
        return r;
}

int pool_method_open_volume(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        static const char *const modes[] = { "open", "any", "new", NULL };
        Pool *p = userdata;
        Request request = { .pool = p, .capacity = UINT64_MAX, .fd = -EBADF };
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_free_ char *template = NULL;
        const char *create = "open";
        _cleanup_call_ Call c = {};
        OpenWords words;
        Volume *v;
        int r;

        r = pool_begin(m, p, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "s", &request.volume);
        if (r >= 0)
                r = call_read_options(&c,
                                      (const char *[]){ "create", "template", "format", "size", "read-only",
                                                        "kind", "sync", NULL },
                                      ret_error);
        if (r >= 0)
                r = read_choice(&c, "create", modes, &create, ret_error);
        if (r >= 0)
                r = read_words(&c, &words, ret_error);
        if (r >= 0)
                r = read_creation(&c, !streq(create, "open"), &template, &request.capacity, ret_error);
        if (r < 0)
                return r;
        v = volume_table_get(p->volumes, request.volume);
        if (!v && streq(create, "open"))
                r = pool_find_volume(p, request.volume, &v, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        if (v && !streq(create, "new"))
                return open_existing(&c, p, v, &words, ret_error);
        request.operation = template ? OPERATION_VOLUME_CLONE : OPERATION_VOLUME_CREATE;
        request.source = template;
        request.caller = c.caller;
        request.options = c.options;
        return make_and_open(&c, &request, &words, ret_error);
}
