/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "call.h"

#include "connect.h"
#include "util/bag-message.h"

int error_no_memory(Error *e)
{
        return error_set(e, ERROR_NO_MEMORY, "out of memory");
}

int error_bad_reply(Error *e, int r)
{
        return error_set_errno(e, r, "the service answered in a form that this poolctl does not know");
}

int error_from_bus(Error *e, const sd_bus_error *error, int errnum)
{
        static const struct {
                const char *name;
                ErrorKind kind;
                const char *message;
        } table[] = {
                { SD_BUS_ERROR_SERVICE_UNKNOWN, ERROR_FAILED,
                  "the service is not there; is poolkeeper installed, and poolkeeperd started?" },
                { SD_BUS_ERROR_NAME_HAS_NO_OWNER, ERROR_FAILED,
                  "the service is not running; start poolkeeperd" },
                { SD_BUS_ERROR_NO_REPLY, ERROR_FAILED,
                  "the service ended before it answered; see \"journalctl -u poolkeeperd\"" },
                { SD_BUS_ERROR_DISCONNECTED, ERROR_FAILED, "the connection to the bus was lost" },
                { SD_BUS_ERROR_TIMEOUT, ERROR_TIMED_OUT, "the service did not answer in time" },
                { SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED, ERROR_INTERACTIVE,
                  "a password is needed; call from a terminal, or with --ask" },
        };

        if (!sd_bus_error_is_set(error))
                return error_set_errno(e, errnum, "the call failed");
        FOREACH_ELEMENT (t, table)
                if (streq(t->name, error->name))
                        return error_set(e, t->kind, "%s", t->message);
        /* Errors of activation: the launcher's own words tell more than ours. */
        return error_set(e, error_kind_from_name(error->name), "%s",
                         isempty(error->message) ? error->name : error->message);
}

static int send_request(Poolctl *p, sd_bus_message *m, bool patient, sd_bus_message **ret, Error *e)
{
        _cleanup_(sd_bus_error_free) sd_bus_error error = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_message_set_allow_interactive_authorization(m, p->ask);
        if (r < 0)
                return error_set_errno(e, r, "cannot set up the call");
        r = sd_bus_call(p->bus, m, patient || p->ask ? UINT64_MAX : 0, &error, ret);
        if ((r == -ENOTCONN || r == -ECONNRESET || r == -EPIPE) && given(p, SWITCH_HOST))
                return error_set(
                        e, ERROR_FAILED,
                        "no connection to the bus of %s; does \"ssh %s systemd-stdio-bridge\" work?",
                        p->line.value[SWITCH_HOST], p->line.value[SWITCH_HOST]);
        return r < 0 ? error_from_bus(e, &error, r) : 0;
}

static int new_request(Poolctl *p, const Method *method, sd_bus_message **ret, Error *e, const char *types,
                       va_list ap)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        int r;

        r = poolctl_connect(p, e);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_call(p->bus, &m, SERVICE, method->path, method->interface,
                                           method->member);
        if (r >= 0 && types)
                r = sd_bus_message_appendv(m, types, ap);
        if (r >= 0 && method->strings)
                r = sd_bus_message_append_strv(m, (char **)method->strings);
        if (r >= 0 && method->definition)
                r = bag_append_to_message(method->definition, m);
        if (r >= 0 && !method->plain)
                r = bag_append_to_message(method->options, m);
        if (r < 0)
                return error_set_errno(e, r, "cannot set up the call of %s", method->member);
        *ret = TAKE_PTR(m);
        return 0;
}

int callv(Poolctl *p, const Method *method, sd_bus_message **ret, Error *e, const char *types, va_list ap)
{
        _cleanup_message_ sd_bus_message *m = NULL;
        int r;

        r = new_request(p, method, &m, e, types, ap);
        return r < 0 ? r : send_request(p, m, bag_get_bool(method->options, "wait", false), ret, e);
}

int call(Poolctl *p, const Method *method, sd_bus_message **ret, Error *e, const char *types, ...)
{
        va_list ap;
        int r;

        va_start(ap, types);
        r = callv(p, method, ret, e, types, ap);
        va_end(ap);
        return r;
}

int get_properties(Poolctl *p, const char *path, const char *interface, json_object **ret, Error *e)
{
        const Method get_all = {
                .path = path,
                .interface = "org.freedesktop.DBus.Properties",
                .member = "GetAll",
                .plain = true,
        };
        _cleanup_message_ sd_bus_message *reply = NULL;
        int r;

        r = call(p, &get_all, &reply, e, "s", interface);
        if (r < 0)
                return r;
        r = json_from_message(reply, ret);
        return r < 0 ? error_bad_reply(e, r) : 0;
}
