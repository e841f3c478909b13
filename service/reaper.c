/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "reaper.h"

#include <malloc.h>

#define SLICE 4096u /* volumes a turn: well below a millisecond */

static int on_turn(sd_event_source *s, void *userdata)
{
        VolumeTable *t = userdata;

        if (volume_table_shed(t, SLICE) == 0)
                (void)sd_event_source_set_floating(s, false); /* the last reference: ends in free_rest() */
        /* Each time, as giving back all at once takes milliseconds. */
        (void)malloc_trim(0);
        return 0;
}

static void free_rest(void *userdata)
{
        volume_table_free(userdata);
}

void volumes_reap(sd_event *event, VolumeTable *t)
{
        sd_event_source *s;

        if (volume_table_size(t) <= SLICE || sd_event_add_defer(event, &s, on_turn, t) < 0) {
                volume_table_free(t);
                return;
        }
        (void)sd_event_source_set_enabled(s, SD_EVENT_ON);
        (void)sd_event_source_set_priority(s, SD_EVENT_PRIORITY_IDLE);
        (void)sd_event_source_set_destroy_callback(s, free_rest);
        (void)sd_event_source_set_floating(s, true);
        sd_event_source_unref(s);
}
