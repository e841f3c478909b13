/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "definition.h"

#include "definition-xml.h"
#include "util/names.h"
#include "xml-dialect.h"

void definition_free(Definition *d)
{
        if (!d)
                return;
        free(d->name);
        free(d->type);
        bag_free(d->options);
        free(d);
}

Definition *definition_copy(const Definition *d)
{
        _cleanup_definition_ Definition *copy = calloc(1, sizeof *copy);

        if (!copy)
                return NULL;
        copy->name = strdup(d->name);
        copy->type = strdup(d->type);
        copy->options = bag_copy(d->options);
        if (!copy->name || !copy->type || !copy->options)
                return NULL;
        memcpy(copy->uuid, d->uuid, sizeof copy->uuid);
        return TAKE_PTR(copy);
}

static int out_of_memory(Error *e)
{
        return error_set(e, ERROR_NO_MEMORY, "out of memory");
}

static int check_text(const char *option, const char *text, Error *e)
{
        if (xml_text_is_valid(text))
                return 0;
        return error_set(e, ERROR_INVALID_DEFINITION,
                         "option %s has a control character or is not valid UTF-8", option);
}

/* "[V6]" without a port becomes "V6": a host has one spelling, in XML as well as here. */
static int add_item(const OptionSpec *spec, const char *key, const char *item, Bag *b, Error *e)
{
        _cleanup_free_ char *bare = NULL;
        size_t n = strlen(item);
        int r;

        r = check_text(key, item, e);
        if (r < 0)
                return r;
        if (spec && spec->type == OPTION_HOSTS && n > 2 && item[0] == '[' && item[n - 1] == ']') {
                bare = strndup(item + 1, n - 2);
                if (!bare)
                        return out_of_memory(e);
        }
        return bag_add_strv(b, key, bare ?: item) < 0 ? out_of_memory(e) : 0;
}

static int tidy_list(const OptionSpec *spec, const char *key, char *const *list, Bag *b, Error *e)
{
        if (strv_length(list) > LIST_ITEMS_MAX)
                return error_set(e, ERROR_INVALID_DEFINITION, "option %s has more than %u items", key,
                                 LIST_ITEMS_MAX);
        for (; *list; list++) {
                int r = **list ? add_item(spec, key, *list, b, e) : 0;

                if (r < 0)
                        return r;
        }
        return 0;
}

static int tidy_value(const OptionSpec *spec, const char *key, const Value *v, Bag *b, Error *e)
{
        int r;

        if (v->type == VALUE_STRV)
                return tidy_list(spec, key, v->strv, b, e);
        if (v->type == VALUE_STRING && spec && option_is_list(spec))
                return *v->string ? add_item(spec, key, v->string, b, e) : 0;
        if (v->type == VALUE_STRING) {
                if (!*v->string)
                        return 0;
                r = check_text(key, v->string, e);
                if (r < 0)
                        return r;
        }
        return bag_set_value(b, key, v) < 0 ? out_of_memory(e) : 0;
}

/* What no document can say is not kept: empty strings and list items mean "not given". */
static int tidy(const OptionTable *table, const Bag *in, Bag **ret, Error *e)
{
        _cleanup_bag_ Bag *b = bag_new();

        if (!b)
                return out_of_memory(e);
        for (size_t i = 0; i < bag_size(in); i++) {
                const char *key = bag_key(in, i);
                int r = tidy_value(option_find(table, key), key, bag_value(in, i), b, e);

                if (r < 0)
                        return r;
        }
        *ret = TAKE_PTR(b);
        return 0;
}

int required_check(const OptionTable *table, const Bag *options, const char *whose, Error *e)
{
        _cleanup_free_ char *missing = NULL;

        for (size_t i = 0; i < table->n_specs; i++) {
                const OptionSpec *spec = table->specs + i;
                _cleanup_free_ char *before = TAKE_PTR(missing);

                if (!(spec->flags & OPTION_REQUIRED) || bag_has(options, spec->name)) {
                        missing = TAKE_PTR(before);
                        continue;
                }
                if (asprintf(&missing, "%s%s%s%s%s%s", before ?: "", before ? ", " : "", spec->name,
                             spec->xml ? " (" : "", spec->xml ?: "", spec->xml ? ")" : "") < 0) {
                        missing = NULL;
                        return out_of_memory(e);
                }
        }
        if (missing)
                return error_set(e, ERROR_INVALID_DEFINITION, "%s: required and not given: %s", whose,
                                 missing);
        return 0;
}

/* libvirt: a type that takes a source name has the pool's where none is given (unless it is required). */
static int default_source_name(const OptionTable *table, const char *name, Bag *options, Error *e)
{
        for (size_t i = 0; i < table->n_specs; i++) {
                const OptionSpec *spec = table->specs + i;

                if (!streq_ptr(spec->xml, "source/name") || spec->flags & OPTION_REQUIRED ||
                    bag_has(options, spec->name))
                        continue;
                return option_set_text(spec, name, options, e);
        }
        return 0;
}

static int set_uuid(Definition *d, const char *uuid, Error *e)
{
        d->uuid_is_new = isempty(uuid);
        if (d->uuid_is_new)
                uuid_generate_text(d->uuid);
        else if (uuid_normalise(uuid, d->uuid) < 0)
                return error_set(e, ERROR_INVALID_DEFINITION,
                                 "'%s' is not a UUID (36 characters or 32 hex digits)", uuid);
        return 0;
}

int definition_make(const char *name, const char *type, const char *uuid, const Bag *options,
                    const OptionTable *table, Definition **ret, Error *e)
{
        _cleanup_definition_ Definition *d = NULL;
        _cleanup_bag_ Bag *given = NULL;
        _cleanup_free_ char *whose = NULL;
        int r;

        r = name_check("pool", name, e);
        if (r < 0)
                return r;
        if (!xml_text_is_valid(name))
                return error_set(e, ERROR_INVALID_NAME,
                                 "pool name '%s' has a character that XML cannot carry", name);

        d = calloc(1, sizeof *d);
        if (!d || !(d->name = strdup(name)) || !(d->type = strdup(type)))
                return out_of_memory(e);
        r = set_uuid(d, uuid, e);
        if (r < 0)
                return r;

        r = tidy(table, options, &given, e);
        if (r < 0)
                return r;
        r = default_source_name(table, name, given, e);
        if (r < 0)
                return r;
        if (asprintf(&whose, "pool '%s' of type '%s'", name, type) < 0) {
                whose = NULL;
                return out_of_memory(e);
        }
        r = required_check(table, given, whose, e);
        if (r < 0)
                return r;
        r = options_check(table, given, &d->options, e);
        if (r < 0)
                return r;
        r = options_check_pool_policy(d->options, e);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(d);
        return 0;
}

/* GetDefinition() shows name, type and uuid among the options; given back they must be those of the pool. */
static int check_own_key(const Bag *options, const char *key, const char *expected, Error *e)
{
        if (!bag_has(options, key) || streq_ptr(bag_get_string(options, key), expected))
                return 0;
        return error_set(e, ERROR_INVALID_ARGS,
                         "'%s' in the definition differs from the %s '%s' that was given", key, key,
                         expected);
}

int definition_from_bag(const char *name, const char *type, const Bag *options, const OptionTable *table,
                        Definition **ret, Error *e)
{
        static const char *const own[] = { "name", "type", "uuid" };
        _cleanup_bag_ Bag *rest = options ? bag_copy(options) : bag_new();
        int r;

        if (!rest)
                return out_of_memory(e);
        r = check_own_key(options, "name", name, e);
        if (r < 0)
                return r;
        r = check_own_key(options, "type", type, e);
        if (r < 0)
                return r;
        if (bag_has(options, "uuid") && !bag_get_string(options, "uuid"))
                return error_set(e, ERROR_INVALID_ARGS, "option 'uuid' is not a string");
        FOREACH_ELEMENT (key, own)
                bag_remove(rest, *key);
        return definition_make(name, type, bag_get_string(options, "uuid"), rest, table, ret, e);
}

int definition_to_bag(const Definition *d, const OptionTable *table, Bag **ret)
{
        _cleanup_bag_ Bag *b = bag_copy(d->options);

        if (!b)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_specs; i++)
                if (table->specs[i].flags & OPTION_SECRET || table->specs[i].type == OPTION_FD)
                        bag_remove(b, table->specs[i].name);
        if (bag_set_string(b, "name", d->name) < 0 || bag_set_string(b, "type", d->type) < 0 ||
            bag_set_string(b, "uuid", d->uuid) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(b);
        return 0;
}

int definition_from_xml(const char *xml, size_t size, DefinitionFlags flags, table_lookup_t lookup,
                        void *userdata, Definition **ret, Error *e)
{
        return pool_xml_read(xml, size, flags, lookup, userdata, NULL, ret, e);
}

int definition_to_xml(const Definition *d, const OptionTable *table, const PoolNumbers *numbers, char **ret)
{
        return pool_xml_write(d, table, numbers, NULL, ret);
}
