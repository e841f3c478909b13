/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bus-backends.h"

#include "bus-call.h"
#include "util/bag-message.h"

static int append_backend(sd_bus_message *reply, const BackendInfo *backend)
{
        int r;

        r = sd_bus_message_open_container(reply, 'r', "sbssasasas");
        if (r >= 0)
                r = sd_bus_message_append(reply, "sbss", backend->name, !backend->reason,
                                          backend->reason ?: "", backend->summary);
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, backend->features);
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, backend->formats);
        if (r >= 0)
                r = sd_bus_message_append_strv(reply, backend->create_formats);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int manager_method_list_backends(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_call_ Call c = {};
        int r;

        r = call_begin(b->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = call_read_options(&c, (const char *[]){ NULL }, ret_error);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(sbssasasas)");
        for (size_t i = 0; i < backends_size(b->manager->backends) && r >= 0; i++)
                r = append_backend(reply, backends_at(b->manager->backends, i));
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int append_option(sd_bus_message *reply, const OptionSpec *spec)
{
        _cleanup_bag_ Bag *words = bag_new();
        int r;

        r = bag_set_string(words, "name", spec->name);
        if (r >= 0)
                r = bag_set_string(words, "type", option_type_to_string(spec->type));
        if (r >= 0)
                r = bag_set_bool(words, "required", (spec->flags & OPTION_REQUIRED) != 0);
        if (r >= 0)
                r = bag_set_bool(words, "secret", (spec->flags & OPTION_SECRET) != 0);
        if (r >= 0)
                r = bag_set_bool(words, "admin", (spec->flags & OPTION_ADMIN) != 0);
        if (r >= 0 && spec->choices)
                r = bag_set_strv(words, "choices", (char *const *)spec->choices);
        if (r >= 0 && spec->fallback)
                r = bag_set_string(words, "default", spec->fallback);
        if (r >= 0)
                r = bag_set_string(words, "help", spec->help);
        return r < 0 ? r : bag_append_to_message(words, reply);
}

static int append_options(sd_bus_message *reply, const OptionTable *table)
{
        int r;

        r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; i < table->n_specs && r >= 0; i++)
                r = append_option(reply, table->specs + i);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int find_backend(const Bus *b, const char *name, const BackendInfo **ret, sd_bus_error *ret_error)
{
        *ret = backends_find(b->manager->backends, name);
        if (*ret)
                return 0;
        return sd_bus_error_setf(ret_error, error_kind_to_name(ERROR_BACKEND_UNAVAILABLE),
                                 "There is no pool type %s here; ListBackends shows what there is", name);
}

int manager_method_describe_backend(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *reply = NULL;
        _cleanup_call_ Call c = {};
        const BackendInfo *backend;
        const char *name;
        int r;

        r = call_begin(b->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "s", &name);
        if (r < 0)
                return r;
        r = call_read_options(&c, (const char *[]){ NULL }, ret_error);
        if (r >= 0)
                r = find_backend(b, name, &backend, ret_error);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(m, &reply);
        if (r >= 0)
                r = append_options(reply, &backend->pool_options);
        if (r >= 0)
                r = append_options(reply, &backend->volume_options);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

/* Says NotSupported for every type that has no sources to discover: a directory has none. */
int manager_method_discover_sources(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Bus *b = userdata;
        _cleanup_error_ Error e = ERROR_NULL;
        _cleanup_bag_ Bag *hint = NULL;
        _cleanup_call_ Call c = {};
        const BackendInfo *backend;
        const char *type;
        int r;

        r = call_begin(b->manager, m, &c, ret_error);
        if (r <= 0)
                return r < 0 ? r : 1;
        r = sd_bus_message_read(m, "s", &type);
        if (r < 0)
                return r;
        r = bag_read_from_message(m, &hint, &e);
        if (r < 0)
                return call_fail(&e, r, ret_error);
        r = call_read_options(&c, (const char *[]){ "wait", NULL }, ret_error);
        if (r >= 0)
                r = find_backend(b, type, &backend, ret_error);
        if (r < 0)
                return r;
        error_set(&e, ERROR_NOT_SUPPORTED, "Pools of type %s have no sources that could be discovered",
                  backend->name);
        return call_fail(&e, 0, ret_error);
}
