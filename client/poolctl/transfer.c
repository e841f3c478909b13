/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Verbs that move data between a volume and a file or stream of the caller. */
#include "data-file.h"
#include "object.h"
#include "remote.h"
#include "text.h"

/* What the four verbs have in common. */
typedef struct Transfer {
        Poolctl *p;
        const char *file; /* FILE or "-" */
        ObjectName volume;
        Bag *options;
} Transfer;

static void transfer_done(Transfer *t)
{
        object_name_done(&t->volume);
        bag_free(t->options);
}

#define _cleanup_transfer_ _cleanup_(transfer_done)

/* Words: POOL/VOLUME FILE [NAME=VALUE...] */
static ExitStatus transfer_parse(Transfer *t, Poolctl *p, char **words, size_t n)
{
        _cleanup_error_ Error e = ERROR_NULL;

        *t = (Transfer){ .p = p, .file = words[1], .options = bag_new() };
        if (object_word_parse(words[0], OBJECT_VOLUME, &t->volume, &e) < 0 ||
            options_parse(p, words + 2, n - 2, t->options, &e) < 0)
                return usage("%s", e.message);
        if (given(p, SWITCH_HOST) && given(p, SWITCH_NO_WAIT))
                return usage("--no-wait: with --host the data comes over ssh, and somebody must wait for "
                             "its end");
        return STATUS_DONE;
}

/* A file's name says how it is compressed, unless --compression does. */
static ExitStatus add_compression(Transfer *t)
{
        Switch s = SWITCH_COMPRESSION;

        if (!given(t->p, s))
                t->p->line.value[s] = compression_of_file(t->file);
        return bag_set_string(t->options, "compression", t->p->line.value[s]) < 0 ? out_of_memory()
                                                                                  : STATUS_DONE;
}

/* --checksum: a line that "sha256sum -c" takes. */
static ExitStatus print_result(const Transfer *t, json_object *result, FILE *f)
{
        const char *sha256 = json_get_string(result, "sha256");
        _cleanup_free_ char *shown = text_printable(t->file);

        if (!shown)
                return out_of_memory();
        if (t->p->json != JSON_OFF && result)
                json_print(result, t->p->json, f);
        else if (given(t->p, SWITCH_CHECKSUM) && sha256)
                fprintf(f, "%s  %s\n", sha256, shown);
        return STATUS_DONE;
}

ExitStatus verb_upload(Poolctl *p, char **words, size_t n)
{
        _cleanup_transfer_ Transfer t = { 0 };
        _cleanup_json_ json_object *result = NULL;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        ExitStatus status = transfer_parse(&t, p, words, n);

        if (status != STATUS_DONE)
                return status;
        fd = data_input_open(t.file, &e);
        if (fd >= 0 && given(p, SWITCH_HOST))
                return remote_upload(p, fd);
        if (fd < 0 ||
            object_run_job(p, &t.volume,
                           (Method){ .member = "Upload", .options = t.options, .moves_data = true }, &result,
                           &e, "h", fd) < 0)
                return fail(&e, "cannot upload to %s", words[0]);
        return print_result(&t, result, stdout);
}

ExitStatus verb_import(Poolctl *p, char **words, size_t n)
{
        _cleanup_transfer_ Transfer t = { 0 };
        _cleanup_json_ json_object *result = NULL;
        _cleanup_close_ int fd = -EBADF;
        _cleanup_error_ Error e = ERROR_NULL;
        ExitStatus status = transfer_parse(&t, p, words, n);

        if (status != STATUS_DONE)
                return status;
        if (given(p, SWITCH_SOURCE_FORMAT) == given(p, SWITCH_PROBE))
                return usage("say what %s is with --source-format=FORMAT, or let it be guessed with --probe",
                             t.file);
        status = add_compression(&t);
        if (status != STATUS_DONE)
                return status;
        fd = data_input_open(t.file, &e);
        if (fd >= 0 && given(p, SWITCH_HOST))
                return remote_upload(p, fd);
        if (fd < 0 ||
            object_run_job(p, &(const ObjectName){ .pool = t.volume.pool },
                           (Method){ .member = "ImportVolume", .options = t.options, .moves_data = true },
                           &result, &e, "sh", t.volume.volume, fd) < 0)
                return fail(&e, "cannot import %s", words[0]);
        return print_result(&t, result, stdout);
}

static ExitStatus receive(Transfer *t, const char *member, const char *what)
{
        _cleanup_data_output_ DataOutput output = DATA_OUTPUT_NULL;
        _cleanup_json_ json_object *result = NULL;
        _cleanup_error_ Error e = ERROR_NULL;
        bool to_stdout = streq(t->file, "-"), detach = given(t->p, SWITCH_NO_WAIT);
        Method method = { .member = member, .options = t->options, .moves_data = true };
        ExitStatus status = STATUS_DONE;
        int r;

        if (to_stdout && detach)
                return usage(
                        "--no-wait: standard output has the data, so the job's path has no place there");
        r = data_output_open(t->file, detach, &output, &e);
        if (r >= 0 && given(t->p, SWITCH_HOST))
                status = remote_download(t->p, output.fd);
        else if (r >= 0)
                r = object_run_job(t->p, &t->volume, method, &result, &e, "h", output.fd);
        if (r >= 0 && status == STATUS_DONE)
                r = data_output_finish(&output, &e);
        if (r < 0)
                return fail(&e, "cannot %s %s/%s", what, t->volume.pool, t->volume.volume);
        return status == STATUS_DONE ? print_result(t, result, to_stdout ? stderr : stdout) : status;
}

ExitStatus verb_download(Poolctl *p, char **words, size_t n)
{
        _cleanup_transfer_ Transfer t = { 0 };
        ExitStatus status = transfer_parse(&t, p, words, n);

        return status == STATUS_DONE ? receive(&t, "Download", "download") : status;
}

ExitStatus verb_export(Poolctl *p, char **words, size_t n)
{
        _cleanup_transfer_ Transfer t = { 0 };
        ExitStatus status = transfer_parse(&t, p, words, n);

        if (status == STATUS_DONE)
                status = add_compression(&t);
        return status == STATUS_DONE ? receive(&t, "Export", "export") : status;
}
