/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Could this user open that volume? The kernel itself is asked, as that user, so that ACLs count too. */
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>

#include "file/volume.h"
#include "util/names.h"

#define GROUPS_MAX 1024

typedef struct Identity {
        gid_t groups[GROUPS_MAX];
        int n_groups;
        bool changed;
} Identity;

/* File accesses are checked as uid from now on. setfsuid() also drops root's right to pass every check. */
static int identity_take(uid_t uid, Identity *old)
{
        gid_t groups[GROUPS_MAX], gid = (gid_t)-1;
        struct passwd *pw = getpwuid(uid);
        int n = GROUPS_MAX;

        if (pw) {
                gid = pw->pw_gid;
                if (getgrouplist(pw->pw_name, gid, groups, &n) < 0)
                        n = GROUPS_MAX;
        } else
                n = 0;
        old->n_groups = getgroups(GROUPS_MAX, old->groups);
        if (old->n_groups < 0)
                return -errno;
        if (setgroups((size_t)n, groups) < 0)
                return -errno;
        /* A uid without an account has no group of its own: one that no file has. */
        (void)setfsgid(gid == (gid_t)-1 ? 65534 : gid);
        (void)setfsuid(uid);
        old->changed = true;
        return (uid_t)setfsuid((uid_t)-1) == uid ? 0 : -EPERM;
}

static void identity_restore(Identity *old)
{
        if (!old->changed)
                return;
        (void)setfsuid(geteuid());
        (void)setfsgid(getegid());
        (void)setgroups((size_t)old->n_groups, old->groups);
        old->changed = false;
}

static const char *missing_right(int mode)
{
        return mode == X_OK ? "search (x)" : mode == R_OK ? "read (r)" : "write (w)";
}

/* 1: yes; 0: no, with the reason; negative errno. */
static int may(const char *path, int mode, uid_t uid, char **ret_reason)
{
        if (faccessat(AT_FDCWD, path, mode, AT_EACCESS) >= 0)
                return 1;
        if (errno != EACCES && errno != EROFS && errno != EPERM)
                return -errno;
        if (errno == EROFS)
                return asprintf(ret_reason, "%s is on a read-only file system", path) < 0 ? -ENOMEM : 0;
        return asprintf(ret_reason, "%s: user %u has no right to %s", path, uid, missing_right(mode)) < 0
                       ? -ENOMEM
                       : 0;
}

/* Each directory on the way, then the file itself. */
static int may_reach(const char *path, bool directory, uid_t uid, char **ret_reason)
{
        _cleanup_free_ char *part = strdup(path);
        int k = 1;

        if (!part)
                return -ENOMEM;
        for (char *slash = strchr(part + 1, '/'); slash && k > 0; slash = strchr(slash + 1, '/')) {
                *slash = '\0';
                k = may(part, X_OK, uid, ret_reason);
                *slash = '/';
        }
        if (k > 0)
                k = may(path, R_OK, uid, ret_reason);
        if (k > 0)
                k = may(path, W_OK, uid, ret_reason);
        return k > 0 && directory ? may(path, X_OK, uid, ret_reason) : k;
}

int file_access(Ctx *c, const char *name, uid_t uid, bool *ret_allowed, char **ret_reason)
{
        _cleanup_(identity_restore) Identity old = {};
        _cleanup_free_ char *raw = NULL, *path = NULL;
        _cleanup_entry_ FileEntry e = FILE_ENTRY_NULL;
        _cleanup_root_ FileRoot r = FILE_ROOT_NULL;
        int k;

        k = file_root_open(c, &r);
        if (k >= 0)
                k = file_name(&r, name, &raw);
        if (k >= 0)
                k = file_entry_find(&r, name, raw, 0, &e);
        if (k < 0)
                return k;
        if (asprintf(&path, "%s/%s", r.path, raw) < 0)
                return -ENOMEM;
        if (uid != geteuid()) {
                if (!r.system)
                        return error_set(ctx_error(c), ERROR_NOT_SUPPORTED,
                                         "Only the system service can tell what another user may open");
                k = identity_take(uid, &old);
                if (k < 0)
                        return error_set_errno(ctx_error(c), k, "Cannot look with the rights of user %u",
                                               uid);
        }
        k = may_reach(path, e.info.type == VOLUME_DIR, uid, ret_reason);
        if (k < 0)
                return error_set_errno(ctx_error(c), k, "Cannot look at %s", path);
        *ret_allowed = k > 0;
        return 0;
}
