/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bag-json.h"

static json_object *value_to_json(const Value *v)
{
        json_object *array;

        switch (v->type) {
        case VALUE_STRING:
        case VALUE_PATH:
                return json_object_new_string(v->string);
        case VALUE_BOOL:
                return json_object_new_boolean(v->boolean);
        case VALUE_U32:
                return json_object_new_uint64(v->u32);
        case VALUE_U64:
                return json_object_new_uint64(v->u64);
        case VALUE_DOUBLE:
                return json_object_new_double(v->number);
        case VALUE_STRV:
                array = json_object_new_array();
                for (char **s = v->strv; s && *s; s++)
                        json_object_array_add(array, json_object_new_string(*s));
                return array;
        case VALUE_BAG:
                return bag_to_json(v->bag);
        case VALUE_BAGS:
                array = json_object_new_array();
                for (size_t i = 0; i < v->n_bags; i++)
                        json_object_array_add(array, bag_to_json(v->bags[i]));
                return array;
        case VALUE_FD:
        case _VALUE_TYPE_MAX:
                break;
        }
        return NULL;
}

json_object *bag_to_json(const Bag *b)
{
        json_object *o = json_object_new_object();

        for (size_t i = 0; i < bag_size(b); i++)
                json_object_object_add(o, bag_key(b, i), value_to_json(bag_value(b, i)));
        return o;
}
