/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dlfcn.h>

#include "worker/ctx-internal.h"

int module_load(const char *directory, const char *name, const Backend **ret, Error *e)
{
        _cleanup_free_ char *path = NULL;
        const Backend *b;
        void *module;

        if (isempty(name) || strchr(name, '/') || *name == '.')
                return error_set(e, ERROR_INVALID_ARGS, "'%s' is not a backend's name", name);
        if (asprintf(&path, "%s/%s.so", directory, name) < 0) {
                path = NULL;
                return error_set(e, ERROR_NO_MEMORY, "out of memory");
        }
        module = dlopen(path, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
        if (!module)
                return error_set(e, ERROR_BACKEND_UNAVAILABLE, "%s", dlerror());
        b = dlsym(module, "poolkeeper_backend");
        if (!b || !streq_ptr(b->name, name))
                return error_set(e, ERROR_BACKEND_UNAVAILABLE, "%s is not the backend %s", path, name);
        *ret = b;
        return 0;
}
