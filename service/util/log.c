/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "log.h"

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>

typedef enum LogTarget {
        TARGET_AUTO, /* the journal when standard error goes there, else the console */
        TARGET_JOURNAL,
        TARGET_CONSOLE,
        TARGET_NULL,
        _TARGET_MAX,
} LogTarget;

static const char *const level_names[] = {
        [LOG_EMERG] = "emerg",     [LOG_ALERT] = "alert",   [LOG_CRIT] = "crit", [LOG_ERR] = "err",
        [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

static const char *const target_names[_TARGET_MAX] = {
        [TARGET_AUTO] = "auto",
        [TARGET_JOURNAL] = "journal",
        [TARGET_CONSOLE] = "console",
        [TARGET_NULL] = "null",
};

static struct {
        const char *identifier;
        int level;
        LogTarget target;
        bool journal; /* standard error is the journal's stream */
} settings = { .identifier = "poolkeeper", .level = LOG_INFO };

/* systemd.exec(5), $JOURNAL_STREAM: device and inode of the stream that standard error is connected to. */
static bool stderr_is_journal(void)
{
        const char *stream = getenv("JOURNAL_STREAM");
        unsigned long long device, inode;
        struct stat st;

        return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
               fstat(STDERR_FILENO, &st) >= 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *identifier)
{
        settings.identifier = identifier;
        settings.journal = stderr_is_journal();
}

int log_set_level(const char *level)
{
        for (int i = 0; i < (int)ELEMENTSOF(level_names); i++)
                if (streq(level_names[i], level)) {
                        settings.level = i;
                        return 0;
                }
        return -EINVAL;
}

int log_set_target(const char *target)
{
        for (LogTarget t = 0; t < _TARGET_MAX; t++)
                if (streq(target_names[t], target)) {
                        settings.target = t;
                        return 0;
                }
        return -EINVAL;
}

const char *log_level(void)
{
        return level_names[settings.level];
}

const char *log_target(void)
{
        return target_names[settings.target];
}

const char *log_identifier(void)
{
        return settings.identifier;
}

#define FIELDS_MAX 9u

/* One journal entry under construction: "NAME=value" strings that it owns. */
typedef struct Entry {
        struct iovec fields[FIELDS_MAX];
        int n_fields;
} Entry;

static void entry_done(Entry *entry)
{
        for (int i = 0; i < entry->n_fields; i++)
                free(entry->fields[i].iov_base);
}

/* A field without a value, or without memory for it, is left out. */
static void entry_add(Entry *entry, const char *name, const char *value)
{
        char *field;
        int n;

        if (!value)
                return;
        n = asprintf(&field, "%s=%s", name, value);
        if (n >= 0)
                entry->fields[entry->n_fields++] = (struct iovec){ .iov_base = field, .iov_len = (size_t)n };
}

static int write_journal(int priority, const LogFields *fields, const char *text)
{
        _cleanup_(entry_done) Entry entry = {};
        char number[12], uid[12];

        snprintf(number, sizeof(number), "%d", priority);
        snprintf(uid, sizeof(uid), "%u", fields->caller);
        entry_add(&entry, "MESSAGE", text);
        entry_add(&entry, "PRIORITY", number);
        entry_add(&entry, "SYSLOG_IDENTIFIER", settings.identifier);
        entry_add(&entry, "MESSAGE_ID", fields->message_id);
        entry_add(&entry, "STORAGE_POOL", fields->pool);
        entry_add(&entry, "STORAGE_VOLUME", fields->volume);
        entry_add(&entry, "STORAGE_JOB", fields->job);
        entry_add(&entry, "STORAGE_ERROR", fields->error);
        entry_add(&entry, "CALLER_UID", fields->caller == (uid_t)-1 ? NULL : uid);
        return sd_journal_sendv(entry.fields, entry.n_fields);
}

/* One write per line, so that lines of several processes on one terminal do not mix. */
static void write_console(const char *text)
{
        _cleanup_free_ char *line = NULL;
        int n;

        n = asprintf(&line, "%s: %s\n", settings.identifier, text);
        if (n < 0) {
                line = NULL;
                return;
        }
        (void)!write(STDERR_FILENO, line, (size_t)n);
}

void log_line(int priority, LogFields fields, const char *format, ...)
{
        _cleanup_free_ char *text = NULL;
        bool journal =
                settings.target == TARGET_JOURNAL || (settings.target == TARGET_AUTO && settings.journal);
        int saved = errno, n;
        va_list ap;

        if (priority > settings.level || settings.target == TARGET_NULL)
                return;
        va_start(ap, format);
        n = vasprintf(&text, format, ap);
        va_end(ap);
        if (n < 0)
                text = NULL;
        if (!journal || write_journal(priority, &fields, text ?: "out of memory") < 0)
                write_console(text ?: "out of memory");
        errno = saved;
}
