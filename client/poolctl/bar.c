/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bar.h"

#include "text.h"
#include "util/units.h"

#define BAR_COLUMNS 30

const char *time_left_format(uint64_t end, uint64_t now, char buffer[static TIME_LEFT_MAX])
{
        unsigned long long seconds = end > now ? (end - now + 999999) / 1000000 : 0;

        if (seconds >= 3600)
                snprintf(buffer, TIME_LEFT_MAX, "%llu:%02llu:%02llu", seconds / 3600, seconds / 60 % 60,
                         seconds % 60);
        else
                snprintf(buffer, TIME_LEFT_MAX, "%llu:%02llu", seconds / 60, seconds % 60);
        return buffer;
}

char *bar_format(json_object *job, const char *object, uint64_t now_usec, size_t width)
{
        _cleanup_free_ char *line = NULL, *shown = text_printable(object);
        const char *operation = json_get_string(job, "Operation"), *state = json_get_string(job, "State");
        uint64_t rate = json_get_u64(job, "Rate"), end = json_get_u64(job, "ExpectedEndTimeUSec");
        char bar[BAR_COLUMNS + 1] = "", speed[SIZE_TEXT_MAX + 8] = "", left[TIME_LEFT_MAX + 8] = "",
                               time[TIME_LEFT_MAX], size[SIZE_TEXT_MAX];
        double progress = json_get_double(job, "Progress");
        int r;

        if (!shown)
                return NULL;
        if (rate != 0 && rate != UINT64_MAX)
                snprintf(speed, sizeof(speed), " %s/s", size_format(rate, size));
        if (end != 0 && end != UINT64_MAX)
                snprintf(left, sizeof(left), " %s left", time_left_format(end, now_usec, time));
        if (json_get_bool(job, "ProgressValid") && progress >= 0 && progress <= 1) {
                memset(bar, ' ', BAR_COLUMNS);
                memset(bar, '#', (size_t)(progress * BAR_COLUMNS));
                r = asprintf(&line, "%s %s [%s] %3.0f%%%s%s", operation ?: "job", shown, bar, progress * 100,
                             speed, left);
        } else
                r = asprintf(&line, "%s %s: %s%s", operation ?: "job", shown, state ?: "running",
                             json_get_bool(job, "Stalled") ? " (stalled)" : "");
        if (r < 0) {
                line = NULL; /* undefined after a failed asprintf(3) */
                return NULL;
        }
        return text_ellipsize(line, width);
}
