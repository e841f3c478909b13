/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Logging with journal fields. Only the daemon's deciding code and main programs log; libraries return
 * errors. */
#pragma once

#include <syslog.h>

#include "macro.h"

void log_open(const char *identifier);
int log_set_level(const char *level);   /* "emerg" ... "debug", as in LogControl1; -EINVAL */
int log_set_target(const char *target); /* "journal", "console", "null", "auto" */
const char *log_level(void);
const char *log_target(void);
const char *log_identifier(void);

/* Fields that a line may carry; NULL or absent ones are left out. */
typedef struct LogFields {
        const char *message_id; /* one of the MESSAGE_* below */
        const char *pool, *volume, *job;
        const char *error; /* the D-Bus error name */
        uid_t caller;      /* CALLER_UID=; (uid_t)-1: none */
} LogFields;

#define LOG_NONE ((LogFields){ .caller = (uid_t)-1 })

void log_line(int priority, LogFields fields, const char *format, ...) _printf_(3, 4);
#define log_error(...) log_line(LOG_ERR, LOG_NONE, __VA_ARGS__)
#define log_warning(...) log_line(LOG_WARNING, LOG_NONE, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, LOG_NONE, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, LOG_NONE, __VA_ARGS__)

/* Message catalogue ids, documented in poolkeeperd(8). */
#define MESSAGE_POOL_STARTED "5f3f6c0b52f34d86b7c3f5ed3f1d0a01"
#define MESSAGE_POOL_STOPPED "5f3f6c0b52f34d86b7c3f5ed3f1d0a02"
#define MESSAGE_POOL_UNAVAILABLE "5f3f6c0b52f34d86b7c3f5ed3f1d0a03"
#define MESSAGE_POOL_RECOVERED "5f3f6c0b52f34d86b7c3f5ed3f1d0a04"
#define MESSAGE_POOL_DEFINED "5f3f6c0b52f34d86b7c3f5ed3f1d0a05"
#define MESSAGE_POOL_UNDEFINED "5f3f6c0b52f34d86b7c3f5ed3f1d0a06"
#define MESSAGE_JOB_FINISHED "5f3f6c0b52f34d86b7c3f5ed3f1d0a07"
#define MESSAGE_WORKER_CRASHED "5f3f6c0b52f34d86b7c3f5ed3f1d0a08"
#define MESSAGE_WORKER_ABANDONED "5f3f6c0b52f34d86b7c3f5ed3f1d0a09"
#define MESSAGE_ACCESS_DENIED "5f3f6c0b52f34d86b7c3f5ed3f1d0a0a"
