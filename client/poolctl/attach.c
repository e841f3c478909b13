/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that hand a volume to another program: by words, by a descriptor, by a socket. */
#include <fcntl.h>

#include "agent.h"
#include "object.h"
#include "output.h"

#define COMMAND_FD 3
#define COMMAND_FD_TEXT "3"

ExitStatus verb_attach(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_json_ json_object *o = NULL;
        _cleanup_bag_ Bag *options = bag_new();
        _cleanup_error_ Error e = ERROR_NULL;
        const char *kind = p->line.value[SWITCH_AS], *text;
        int r;

        if (!kind)
                return usage("say what to attach it to with --as=%s", switch_table[SWITCH_AS].value);
        if (object_word_parse(words[0], OBJECT_VOLUME, &name, &e) < 0 ||
            options_parse(p, NULL, 0, options, &e) < 0)
                return usage("%s", e.message);
        if (bag_set_string(options, streq(kind, "qemu-blockdev") ? "node-name" : "id",
                           p->line.value[SWITCH_ID]) < 0)
                return out_of_memory();
        r = object_call(p, &name, (Method){ .member = "GetAttachment", .options = options }, &reply, &e, "s",
                        kind);
        if (r >= 0) {
                r = sd_bus_message_read_basic(reply, 's', &text);
                if (r < 0)
                        r = error_bad_reply(&e, r);
        }
        if (r < 0)
                return fail(&e, "cannot tell how to attach %s", words[0]);
        if (p->json == JSON_OFF) {
                puts(text);
                return STATUS_DONE;
        }
        o = json_object_new_string(text);
        return o ? print_json(p, o) : out_of_memory();
}

/* Becomes the command, so its exit status is that of the command; 126 and 127 as those of env(1). */
static ExitStatus become(Poolctl *p, int fd, const char *braces, char **words, size_t n)
{
        _cleanup_strv_ char **argv = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        int error;

        if (braces_replace(words, n, braces, &argv) < 0 || setenv("POOLKEEPER_FD", COMMAND_FD_TEXT, 1) < 0)
                return out_of_memory();
        agent_close();
        p->bus = sd_bus_flush_close_unref(p->bus);
        if (dup2(fd, COMMAND_FD) >= 0)
                (void)execvp(argv[0], argv);
        error = errno;
        (void)error_set(&e, ERROR_FAILED, "%s", strerror(error));
        (void)fail(&e, "cannot run %s", argv[0]);
        return error == ENOENT ? STATUS_NO_COMMAND : STATUS_COMMAND_FAILED;
}

/* Calls Open or OpenNBD. A descriptor that is not COMMAND_FD. */
static int open_volume(Poolctl *p, const ObjectName *n, const char *member, sd_bus_message **ret_reply,
                       Error *e)
{
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_bag_ Bag *options = bag_new();
        int fd, r;

        if (bag_set_bool(options, "read-only", given(p, SWITCH_READ_ONLY)) < 0)
                return error_no_memory(e);
        r = object_call(p, n, (Method){ .member = member, .options = options }, &reply, e, NULL);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(reply, 'h', &fd);
        if (r < 0)
                return error_bad_reply(e, r);
        fd = fcntl(fd, F_DUPFD_CLOEXEC, COMMAND_FD + 1);
        if (fd < 0)
                return error_set_errno(e, errno, "cannot keep the descriptor");
        *ret_reply = TAKE_PTR(reply);
        return fd;
}

static ExitStatus lend_parse(Poolctl *p, const char *verb, const char *word, ObjectName *ret)
{
        _cleanup_error_ Error e = ERROR_NULL;

        if (given(p, SWITCH_HOST))
                return usage("%s hands over a descriptor, which does not reach another host; run it there, "
                             "or use "
                             "download",
                             verb);
        if (object_word_parse(word, OBJECT_VOLUME, ret, &e) < 0)
                return usage("%s", e.message);
        return STATUS_DONE;
}

ExitStatus verb_open(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        ExitStatus status = lend_parse(p, "open", words[0], &name);

        if (status != STATUS_DONE)
                return status;
        fd = open_volume(p, &name, "Open", &reply, &e);
        if (fd < 0)
                return fail(&e, "cannot open %s", words[0]);
        return become(p, fd, "/proc/self/fd/" COMMAND_FD_TEXT, words + 1, n - 1);
}

/* The file name by which the tools of QEMU reach the export on the socket. A new string. */
static char *nbd_file_name(const char *export)
{
        _cleanup_json_ json_object *o = json_object_new_object();
        json_object *server = json_object_new_object();
        char *name;

        json_add_string(o, "driver", "nbd");
        json_add_string(server, "type", "fd");
        json_add_string(server, "str", COMMAND_FD_TEXT);
        json_object_object_add(o, "server", server);
        json_add_string(o, "export", export);
        if (asprintf(&name, "json:%s",
                     json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                               JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
                return NULL;
        return name;
}

ExitStatus verb_nbd(Poolctl *p, char **words, size_t n)
{
        _cleanup_object_name_ ObjectName name = OBJECT_NAME_NULL;
        _cleanup_message_ sd_bus_message *reply = NULL;
        _cleanup_free_ char *file = NULL;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        ExitStatus status = lend_parse(p, "nbd", words[0], &name);
        const char *export;
        int r;

        if (status != STATUS_DONE)
                return status;
        fd = open_volume(p, &name, "OpenNBD", &reply, &e);
        if (fd < 0)
                return fail(&e, "cannot open %s", words[0]);
        r = sd_bus_message_read_basic(reply, 's', &export);
        if (r < 0) {
                (void)error_bad_reply(&e, r);
                return fail(&e, "cannot open %s", words[0]);
        }
        file = nbd_file_name(export);
        if (!file || setenv("POOLKEEPER_EXPORT", export, 1) < 0)
                return out_of_memory();
        return become(p, fd, file, words + 1, n - 1);
}
