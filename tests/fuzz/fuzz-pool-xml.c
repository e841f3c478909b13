/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A <pool> from anybody: whatever is accepted prints as a document that the strict reader takes for the
 * same. */
#include "../unit/xml-tables.h"
#include "definition-xml.h"
#include "fuzz.h"

static Definition *read_pool(const char *xml, size_t size, DefinitionFlags flags)
{
        _cleanup_error_ Error e = ERROR_NULL;
        Definition *d = NULL;
        int r = definition_from_xml(xml, size, flags, test_pool_table, NULL, &d, &e);

        if ((r < 0) != !d || (r < 0 && (r != error_errno(&e) || isempty(e.message))))
                abort();
        return d;
}

static void check(const Definition *d)
{
        _cleanup_definition_ Definition *back = NULL;
        _cleanup_free_ char *xml = NULL;

        if (definition_to_xml(d, test_pool_table(d->type, NULL), NULL, &xml) < 0)
                abort();
        if (strlen(xml) > POOL_XML_BYTES_MAX)
                return; /* escapes made it longer than what came in */
        back = read_pool(xml, strlen(xml), 0);
        if (!back || !streq(back->name, d->name) || !streq(back->uuid, d->uuid) ||
            !bag_equal(back->options, d->options))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const DefinitionFlags flags[] = { 0, DEFINITION_LAX };
        _cleanup_definition_ Definition *stored = NULL;
        StoreMarks marks = {};

        FOREACH_ELEMENT (f, flags) {
                _cleanup_definition_ Definition *d = read_pool((const char *)data, size, *f);

                if (d)
                        check(d);
        }
        (void)pool_xml_read((const char *)data, size, 0, test_pool_table, NULL, &marks, &stored, NULL);
        return 0;
}
