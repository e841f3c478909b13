/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poolctl: the command line of poolkeeper. The verb table below is the truth; help, completion and the check
 * of the manual come from it. */
#include <limits.h>
#include <locale.h>
#include <stdarg.h>

#include "config.h"
#include "poolctl.h"
#include "text.h"

#define HELP_COLUMN 34
#define ANY UINT_MAX
#define S(id) SWITCH_BIT(id)
#define JOB_SWITCHES (S(NO_WAIT))
#define DATA_SWITCHES (S(NO_WAIT) | S(NO_SYNC))

static ExitStatus verb_help(Poolctl *p, char **words, size_t n);

static const Verb verbs[] = {
        { "list", "", 0, 0, S(STATE) | S(TYPE), "List the pools", verb_list },
        { "show", "POOL...", 1, ANY, 0, "Show all about a pool", verb_show },
        { "define", "NAME TYPE [NAME=VALUE...] | FILE", 1, ANY,
          S(START) | S(AUTOSTART) | S(BUILD) | S(OVERWRITE) | S(TRANSIENT) | S(LAX) | JOB_SWITCHES,
          "Define a pool by its options, or by an XML file", verb_define },
        { "update", "POOL [NAME=VALUE...]", 1, ANY, S(XML) | S(LAX), "Change the definition of a pool",
          verb_update },
        { "start", "POOL...", 1, ANY, S(BUILD) | S(OVERWRITE) | JOB_SWITCHES, "Start a pool", verb_start },
        { "stop", "POOL...", 1, ANY, S(FORCE) | JOB_SWITCHES, "Stop a pool", verb_stop },
        { "refresh", "POOL[/VOLUME]...", 1, ANY, JOB_SWITCHES, "Look again at what is there", verb_refresh },
        { "build", "POOL...", 1, ANY, S(OVERWRITE) | JOB_SWITCHES, "Make what the pool stands on",
          verb_build },
        { "delete", "POOL...", 1, ANY, JOB_SWITCHES, "Remove what build made; it must be empty",
          verb_delete },
        { "undefine", "POOL...", 1, ANY, 0, "Forget a pool; its data stays", verb_undefine },
        { "autostart", "POOL on|off", 2, 2, 0, "Start a pool with the service, or not", verb_autostart },
        { "discover", "TYPE [NAME=VALUE...]", 1, ANY, JOB_SWITCHES,
          "Look for sources that pools could be made of", verb_discover },
        { "volumes", "[POOL...]", 0, ANY, S(PATTERN) | S(FORMAT) | S(TYPE) | S(SORT) | S(REVERSE),
          "List the volumes", verb_volumes },
        { "info", "POOL/VOLUME...", 1, ANY, 0, "Show all about a volume", verb_info },
        { "xml", "POOL[/VOLUME]", 1, 1, S(INACTIVE), "Print the definition as XML", verb_xml },
        { "create", "POOL/VOLUME [SIZE] [NAME=VALUE...] | POOL", 1, ANY,
          S(FORMAT) | S(PASSPHRASE_FILE) | S(XML) | S(LAX) | DATA_SWITCHES, "Create a volume", verb_create },
        { "clone", "POOL/VOLUME [POOL/]NEW [SIZE] [NAME=VALUE...]", 2, ANY,
          S(FORMAT) | S(LINKED) | S(FORCE_SHARE) | S(BANDWIDTH) | DATA_SWITCHES,
          "Copy a volume to a new one", verb_clone },
        { "mv", "POOL/VOLUME [POOL/]NEW [NAME=VALUE...]", 2, ANY, S(FORMAT) | S(BANDWIDTH) | DATA_SWITCHES,
          "Rename a volume, or move it to another pool", verb_mv },
        { "resize", "POOL/VOLUME SIZE|+SIZE|-SIZE", 2, 2, S(SHRINK) | S(ALLOCATE) | DATA_SWITCHES,
          "Change the capacity of a volume", verb_resize },
        { "declare", "POOL/VOLUME FORMAT", 2, 2, DATA_SWITCHES, "Say what a file that came from outside is",
          verb_declare },
        { "rm", "POOL/VOLUME...", 1, ANY, S(DEPENDENTS) | DATA_SWITCHES, "Delete a volume and its data",
          verb_rm },
        { "upload", "POOL/VOLUME FILE|-", 2, 2,
          S(OFFSET) | S(LENGTH) | S(SPARSE) | S(GROW) | S(ATOMIC) | S(CHECKSUM) | S(SHA256) | S(BANDWIDTH) |
                  DATA_SWITCHES,
          "Write a file into a volume", verb_upload },
        { "download", "POOL/VOLUME FILE|-", 2, 2,
          S(OFFSET) | S(LENGTH) | S(SPARSE) | S(CHECKSUM) | S(FORCE_SHARE) | S(BANDWIDTH) | DATA_SWITCHES,
          "Read a volume into a file", verb_download },
        { "import", "POOL/VOLUME FILE|- [NAME=VALUE...]", 2, ANY,
          S(SOURCE_FORMAT) | S(PROBE) | S(COMPRESSION) | S(CAPACITY) | S(FORMAT) | S(CHECKSUM) | S(SHA256) |
                  S(BANDWIDTH) | DATA_SWITCHES,
          "Make a volume of an image", verb_import },
        { "export", "POOL/VOLUME FILE|-", 2, 2,
          S(FORMAT) | S(COMPRESSION) | S(CHECKSUM) | S(FORCE_SHARE) | S(BANDWIDTH) | DATA_SWITCHES,
          "Make an image of a volume", verb_export },
        { "convert", "POOL[/VOLUME] FORMAT [NAME=VALUE...]", 2, ANY, S(BANDWIDTH) | DATA_SWITCHES,
          "Change the format of a volume, or of all in a pool", verb_convert },
        { "flatten", "POOL/VOLUME...", 1, ANY, DATA_SWITCHES, "Make volumes stand without a backing volume",
          verb_flatten },
        { "rebase", "POOL/VOLUME [POOL/]BASE", 2, 2, DATA_SWITCHES, "Give a volume another backing volume",
          verb_rebase },
        { "wipe", "POOL/VOLUME...", 1, ANY, S(ALGORITHM) | S(WRITE) | DATA_SWITCHES,
          "Destroy the data of a volume, and keep the volume", verb_wipe },
        { "snapshot", "create|list|revert|rm POOL/VOLUME [SNAPSHOT]", 2, 3, DATA_SWITCHES,
          "Keep states of a volume, and go back to them", verb_snapshot },
        { "attach", "POOL/VOLUME", 1, 1, S(AS) | S(READ_ONLY) | S(ID) | S(DEVICE) | S(SECRET),
          "Print what attaches a volume to a virtual machine", verb_attach },
        { "open", "POOL/VOLUME -- COMMAND...", 2, ANY, S(READ_ONLY),
          "Run a command that has the volume as descriptor 3", verb_open },
        { "nbd", "POOL/VOLUME -- COMMAND...", 2, ANY, S(READ_ONLY),
          "Run a command that has an NBD connection to the volume as descriptor 3", verb_nbd },
        { "find", "PATH", 1, 1, 0, "Tell which volume or pool a path belongs to", verb_find },
        { "access", "POOL/VOLUME UID|USER", 2, 2, 0, "Tell whether a user could open the volume by its path",
          verb_access },
        { "auth", "[POOL[/VOLUME]] [ACTION...]", 0, ANY, 0, "Tell what the caller is allowed to do",
          verb_auth },
        { "monitor", "", 0, 0, 0, "Print what happens to pools, volumes and jobs", verb_monitor },
        { "jobs", "", 0, 0, S(ALL), "List the jobs", verb_jobs },
        { "cancel", "JOB...", 1, ANY, 0, "Cancel a job", verb_cancel },
        { "backends", "[TYPE]", 0, 1, 0, "List the pool types, or the options of one", verb_backends },
        { "import-libvirt", "[DIR]", 0, 1, S(DRY_RUN), "Take over the pools of libvirt",
          verb_import_libvirt },
        { "help", "[VERB]", 0, 1, 0, "Show this help, or that of a verb", verb_help },
};

static const Verb *find_verb(const char *name)
{
        FOREACH_ELEMENT (v, verbs)
                if (streq(v->name, name))
                        return v;
        return NULL;
}

static void print_switches(uint64_t set)
{
        for (Switch s = 0; s < _SWITCH_MAX; s++)
                if ((set & (UINT64_C(1) << s)) && switch_table[s].help) {
                        _cleanup_free_ char *text = switch_to_string(s);

                        const char *name = text ?: switch_table[s].name;

                        /* As in help_line(). */
                        printf("  %-31s", name);
                        if (strlen(name) > 31)
                                printf("\n%33s", "");
                        printf(" %s\n", switch_table[s].help);
                }
}

/* A synopsis that is too long for its column has the help below it. */
static void help_line(const Verb *v)
{
        int n = printf("  %s%s%s", v->name, *v->synopsis ? " " : "", v->synopsis);

        if (n >= HELP_COLUMN)
                printf("\n%*s%s\n", HELP_COLUMN, "", v->help);
        else
                printf("%*s%s\n", HELP_COLUMN - n, "", v->help);
}

static void help_all(void)
{
        printf("poolctl [SWITCHES] VERB ...\n\nKeep the storage pools and volumes of virtual "
               "machines.\n\nVerbs:\n");
        FOREACH_ELEMENT (v, verbs)
                help_line(v);
        printf("\nSwitches of every verb:\n");
        print_switches(SWITCHES_COMMON);
        printf("\n\"poolctl help VERB\" shows the switches of one verb; see poolctl(1) for all.\n");
}

static void help_verb(const Verb *v)
{
        printf("poolctl %s%s%s\n\n%s.\n", v->name, *v->synopsis ? " " : "", v->synopsis, v->help);
        if (v->switches) {
                printf("\nSwitches:\n");
                print_switches(v->switches);
        }
        printf("\nSwitches of every verb:\n");
        print_switches(SWITCHES_COMMON);
}

static ExitStatus verb_help(Poolctl *p, char **words, size_t n)
{
        const Verb *v = n ? find_verb(words[0]) : NULL;

        if (n && !v)
                return usage("unknown verb \"%s\"", words[0]);
        if (v)
                help_verb(v);
        else
                help_all();
        return STATUS_DONE;
}

/* For the completion scripts and tests: name, synopsis, switches, help, separated by tabs. */
static void list_verbs(void)
{
        FOREACH_ELEMENT (v, verbs) {
                printf("%s\t%s\t", v->name, v->synopsis);
                for (Switch s = 0; s < _SWITCH_MAX; s++)
                        if (v->switches & (UINT64_C(1) << s))
                                printf("--%s%s ", switch_table[s].name, switch_table[s].value ? "=" : "");
                printf("\t%s\n", v->help);
        }
}

/* The same for the switches: name, letter, value, help, and whether every verb takes it. */
static void list_switches(void)
{
        for (Switch s = 0; s < _SWITCH_MAX; s++) {
                const SwitchSpec *spec = &switch_table[s];

                if (!spec->help)
                        continue;
                printf("--%s\t", spec->name);
                if (spec->letter)
                        printf("-%c", spec->letter);
                printf("\t%s\t%s\t%s\n", spec->value ?: "", spec->help,
                       SWITCHES_COMMON & (UINT64_C(1) << s) ? "common" : "");
        }
}

ExitStatus usage(const char *format, ...)
{
        _cleanup_free_ char *message = NULL, *shown = NULL;
        va_list ap;
        int r;

        va_start(ap, format);
        r = vasprintf(&message, format, ap);
        va_end(ap);
        if (r < 0) {
                message = NULL;
                return out_of_memory();
        }
        shown = text_printable(message);
        if (!shown)
                return out_of_memory();
        fprintf(stderr, "poolctl: %s; see \"poolctl help\"\n", shown);
        return STATUS_USAGE;
}

ExitStatus out_of_memory(void)
{
        fputs("poolctl: out of memory\n", stderr);
        return STATUS_FAILED;
}

static ExitStatus error_to_status(ErrorKind kind)
{
        switch ((int)kind) {
        case ERROR_ACCESS_DENIED:
        case ERROR_INTERACTIVE:
                return STATUS_REFUSED;
        case ERROR_NO_SUCH_POOL:
        case ERROR_NO_SUCH_VOLUME:
        case ERROR_NO_SUCH_JOB:
        case ERROR_NO_SUCH_SECRET:
        case ERROR_UNKNOWN_OBJECT:
                return STATUS_ABSENT;
        case ERROR_TIMED_OUT:
                return STATUS_TIMED_OUT;
        }
        return STATUS_FAILED;
}

ExitStatus fail(const Error *e, const char *what, ...)
{
        _cleanup_free_ char *message = NULL, *line = NULL, *shown = NULL;
        va_list ap;
        int r;

        va_start(ap, what);
        r = vasprintf(&message, what, ap);
        va_end(ap);
        if (r < 0) {
                message = NULL;
                return out_of_memory();
        }
        if (asprintf(&line, "%s: %s", message, e->message ?: "unknown error") < 0) {
                line = NULL;
                return out_of_memory();
        }
        shown = text_printable(line);
        if (!shown)
                return out_of_memory();
        fprintf(stderr, "poolctl: %s\n", shown);
        return error_to_status(e->kind);
}

static ExitStatus check_common(Poolctl *p)
{
        const char *json = p->line.value[SWITCH_JSON];
        unsigned ways = given(p, SWITCH_SYSTEM) + given(p, SWITCH_USER) + given(p, SWITCH_HOST) +
                        given(p, SWITCH_ADDRESS);

        if (ways > 1)
                return usage("--system, --user, --host and --address exclude each other");
        if (given(p, SWITCH_ASK) && given(p, SWITCH_NO_ASK_PASSWORD))
                return usage("--ask and --no-ask-password exclude each other");
        p->json = json ? json_mode_from_string(json) : JSON_OFF;
        if (p->json == _JSON_MODE_INVALID)
                return usage("--json is short, pretty or off, not \"%s\"", json);
        p->ask = given(p, SWITCH_ASK) || (!given(p, SWITCH_NO_ASK_PASSWORD) && isatty(STDIN_FILENO));
        p->terminal = isatty(STDERR_FILENO);
        return STATUS_DONE;
}

static ExitStatus run_verb(Poolctl *p)
{
        const Verb *v = p->line.n_words ? find_verb(p->line.words[0]) : NULL;
        size_t n = p->line.n_words ? p->line.n_words - 1 : 0;
        ExitStatus status;
        Switch excess;

        if (p->line.n_words && !v)
                return usage("unknown verb \"%s\"", p->line.words[0]);
        if (given(p, SWITCH_HELP)) {
                if (v)
                        help_verb(v);
                else
                        help_all();
                return STATUS_DONE;
        }
        if (!v)
                return usage("no verb given");
        excess = command_line_excess(&p->line, SWITCHES_COMMON | v->switches);
        if (excess != _SWITCH_MAX)
                return usage("verb %s knows no switch --%s", v->name, switch_table[excess].name);
        if (n < v->min || n > v->max)
                return usage("expected: poolctl %s %s", v->name, v->synopsis);
        status = check_common(p);
        return status == STATUS_DONE ? v->run(p, p->line.words + 1, n) : status;
}

/* A full disk behind standard output is a failure of the command. */
static ExitStatus flush_output(ExitStatus status)
{
        if (fflush(stdout) == 0 && !ferror(stdout))
                return status;
        fprintf(stderr, "poolctl: cannot write the output: %s\n", strerror(errno));
        return status == STATUS_DONE ? STATUS_FAILED : status;
}

int main(int argc, char **argv)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Poolctl p = { 0 };
        ExitStatus status = STATUS_DONE;

        (void)setlocale(LC_CTYPE, "C.UTF-8");
        if (command_line_parse(argv + (argc > 0), &p.line, &e) < 0)
                return usage("%s", e.message);
        if (given(&p, SWITCH_VERSION))
                puts("poolctl " PROJECT_VERSION);
        else if (given(&p, SWITCH_LIST_VERBS))
                list_verbs();
        else if (given(&p, SWITCH_LIST_SWITCHES))
                list_switches();
        else
                status = run_verb(&p);
        status = flush_output(status);
        sd_bus_flush_close_unref(p.bus);
        command_line_done(&p.line);
        return status;
}
