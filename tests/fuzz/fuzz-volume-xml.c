/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A <volume> from anybody: whatever is accepted prints as a document that the strict reader takes for the
 * same. */
#include "../unit/xml-tables.h"
#include "fuzz.h"

typedef struct Read {
        char *name;
        uint64_t capacity;
        Bag *options;
} Read;

static void read_done(Read *r)
{
        free(r->name);
        bag_free(r->options);
}

static bool read_volume(const char *xml, size_t size, DefinitionFlags flags, Read *ret)
{
        _cleanup_error_ Error e = ERROR_NULL;
        int r = volume_definition_from_xml(xml, size, flags, test_volume_table(), &ret->name, &ret->capacity,
                                           &ret->options, &e);

        if ((r < 0) != !ret->options || (r < 0 && (r != error_errno(&e) || isempty(e.message))))
                abort();
        return r >= 0;
}

static void check(const Read *r)
{
        const VolumeInfo v = { .name = r->name,
                               .type = VOLUME_FILE,
                               .capacity = r->capacity,
                               .allocation = UINT64_MAX,
                               .physical = UINT64_MAX,
                               .uid = UINT32_MAX,
                               .gid = UINT32_MAX };
        _cleanup_(read_done) Read back = {};
        _cleanup_free_ char *xml = NULL;

        if (volume_to_xml(&v, "/p", "/p", r->options, test_volume_table(), &xml) < 0)
                abort();
        if (strlen(xml) > POOL_XML_BYTES_MAX)
                return; /* escapes made it longer than what came in */
        if (!read_volume(xml, strlen(xml), 0, &back))
                abort();
        if (!bag_has(r->options, "allocation"))
                bag_remove(back.options, "allocation"); /* always printed */
        if (!streq(back.name, r->name) || back.capacity != (r->capacity == UINT64_MAX ? 0 : r->capacity) ||
            !bag_equal(back.options, r->options))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const DefinitionFlags flags[] = { 0, DEFINITION_LAX };

        FOREACH_ELEMENT (f, flags) {
                _cleanup_(read_done) Read r = {};

                if (read_volume((const char *)data, size, *f, &r))
                        check(&r);
        }
        return 0;
}
