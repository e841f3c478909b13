/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records are kept in blocks of pointers, ordered by name: a look-up is two binary searches, an insertion
 * moves at most one block, and walking in order from any name needs no extra index. */
#include "volume-table.h"

#include "pool.h"
#include "util/macro.h"

#define BLOCK_MAX 512u

typedef struct Block {
        size_t n;
        Volume *volumes[BLOCK_MAX];
} Block;

typedef struct Owner {
        uid_t uid;
        uint64_t bytes;
} Owner;

struct VolumeTable {
        Pool *pool;
        Block **blocks; /* none is empty */
        size_t n_blocks, n_volumes;
        Owner *owners;
        size_t n_owners;
        Hashmap *bases; /* name -> VolumeBase */
};

VolumeTable *volume_table_new(Pool *pool)
{
        VolumeTable *t = calloc(1, sizeof(*t));

        if (!t)
                return NULL;
        t->pool = pool;
        t->bases = hashmap_new();
        if (!t->bases) {
                free(t);
                return NULL;
        }
        return t;
}

static void extra_free(VolumeTable *t, VolumeExtra *x)
{
        if (x)
                volume_base_release(t->bases, x->link.base);
        free(x);
}

static void volume_free(VolumeTable *t, Volume *v)
{
        extra_free(t, v->extra);
        free(v);
}

size_t volume_table_shed(VolumeTable *t, size_t n)
{
        size_t wanted = t->n_volumes > n ? t->n_volumes - n : 0;

        while (t->n_volumes > wanted) {
                Block *b = t->blocks[--t->n_blocks];

                for (size_t i = 0; i < b->n; i++)
                        volume_free(t, b->volumes[i]);
                t->n_volumes -= b->n;
                free(b);
        }
        return t->n_volumes;
}

void volume_table_free(VolumeTable *t)
{
        if (!t)
                return;
        (void)volume_table_shed(t, t->n_volumes);
        free(t->blocks);
        free(t->owners);
        hashmap_free(t->bases);
        free(t);
}

size_t volume_table_size(const VolumeTable *t)
{
        return t->n_volumes;
}

/* The block that holds `name`, or would; only when there is one at all. */
static size_t find_block(const VolumeTable *t, const char *name)
{
        size_t low = 0, high = t->n_blocks;

        while (high - low > 1) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(t->blocks[middle]->volumes[0]->name, name) <= 0)
                        low = middle;
                else
                        high = middle;
        }
        return low;
}

/* The first index in the block whose name is not less than `name`. */
static size_t find_index(const Block *b, const char *name, bool *ret_found)
{
        size_t low = 0, high = b->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (strcmp(b->volumes[middle]->name, name) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *ret_found = low < b->n && streq(b->volumes[low]->name, name);
        return low;
}

static Volume **find_slot(const VolumeTable *t, const char *name, size_t *ret_block, size_t *ret_index)
{
        bool found;

        *ret_block = *ret_index = 0;
        if (t->n_blocks == 0)
                return NULL;
        *ret_block = find_block(t, name);
        *ret_index = find_index(t->blocks[*ret_block], name, &found);
        return found ? &t->blocks[*ret_block]->volumes[*ret_index] : NULL;
}

Volume *volume_table_get(const VolumeTable *t, const char *name)
{
        size_t block, index;
        Volume **slot = find_slot(t, name, &block, &index);

        return slot ? *slot : NULL;
}

static int add_block(VolumeTable *t, size_t position)
{
        Block **blocks, *b;

        blocks = reallocarray(t->blocks, t->n_blocks + 1, sizeof(*blocks));
        if (!blocks)
                return -ENOMEM;
        t->blocks = blocks;
        b = malloc(sizeof(*b));
        if (!b)
                return -ENOMEM;
        b->n = 0;
        memmove(blocks + position + 1, blocks + position, (t->n_blocks - position) * sizeof(*blocks));
        blocks[position] = b;
        t->n_blocks++;
        return 0;
}

/* Makes room in a full block: the upper half moves to a new block behind it. Names that come in order (a
 * first scan of sorted names) get a new block at the end instead, so that blocks stay full. */
static int split_block(VolumeTable *t, size_t *block, size_t *index)
{
        size_t keep = *block == t->n_blocks - 1 && *index == BLOCK_MAX ? BLOCK_MAX : BLOCK_MAX / 2;
        Block *from, *to;
        int r;

        r = add_block(t, *block + 1);
        if (r < 0)
                return r;
        from = t->blocks[*block];
        to = t->blocks[*block + 1];
        to->n = from->n - keep;
        memcpy(to->volumes, from->volumes + keep, to->n * sizeof(Volume *));
        from->n = keep;
        if (*index >= keep && (*index > keep || keep == BLOCK_MAX)) {
                *block += 1;
                *index -= keep;
        }
        return 0;
}

/* At the place that find_slot() told for its name. */
static int insert(VolumeTable *t, Volume *v, size_t block, size_t index)
{
        Block *b;
        int r;

        if (t->n_blocks == 0) {
                r = add_block(t, 0);
                if (r < 0)
                        return r;
        }
        if (t->blocks[block]->n == BLOCK_MAX) {
                r = split_block(t, &block, &index);
                if (r < 0)
                        return r;
        }
        b = t->blocks[block];
        memmove(b->volumes + index + 1, b->volumes + index, (b->n - index) * sizeof(Volume *));
        b->volumes[index] = v;
        b->n++;
        t->n_volumes++;
        return 0;
}

static Owner *find_owner(const VolumeTable *t, uid_t uid)
{
        for (size_t i = 0; i < t->n_owners; i++)
                if (t->owners[i].uid == uid)
                        return t->owners + i;
        return NULL;
}

uint64_t volume_table_owned(const VolumeTable *t, uid_t uid)
{
        const Owner *o = find_owner(t, uid);

        return o ? o->bytes : 0;
}

/* Makes sure that charging this uid later cannot fail. */
static int reserve_owner(VolumeTable *t, uid_t uid)
{
        Owner *owners;

        if (uid == UINT32_MAX || find_owner(t, uid))
                return 0;
        owners = reallocarray(t->owners, t->n_owners + 1, sizeof(*owners));
        if (!owners)
                return -ENOMEM;
        t->owners = owners;
        t->owners[t->n_owners++] = (Owner){ .uid = uid };
        return 0;
}

/* Keeps the sums and lists that are asked for often. */
static void account(VolumeTable *t, Volume *v, bool add)
{
        Owner *o = v->creator == UINT32_MAX ? NULL : find_owner(t, v->creator);

        if (add)
                volume_base_add(v);
        else
                volume_base_remove(v);
        if (!o)
                return;
        if (add)
                o->bytes += volume_charge(v);
        else
                o->bytes -= volume_charge(v);
}

uint64_t volume_charge(const Volume *v)
{
        uint64_t sizes[] = { v->capacity, v->allocation, v->physical };
        uint64_t charge = 0;

        FOREACH_ELEMENT (size, sizes)
                if (*size != UINT64_MAX)
                        charge = MAX(charge, *size);
        return charge;
}

VolumeLink *volume_link(Volume *v)
{
        return v->extra ? &v->extra->link : NULL;
}

Volume *volume_table_dependents(const VolumeTable *t, const char *name)
{
        const VolumeBase *b = hashmap_get(t->bases, name);

        return b ? b->first : NULL;
}

Volume *volume_next_dependent(const Volume *v)
{
        return v->extra->link.next;
}

/* The text of that number in the extra record; NULL when it is empty. */
static const char *extra_text(const Volume *v, unsigned i)
{
        const char *text;

        if (!v->extra)
                return NULL;
        for (text = v->extra->text; i > 0; i--)
                text += strlen(text) + 1;
        return *text ? text : NULL;
}

const char *volume_backing(const Volume *v)
{
        return extra_text(v, 0);
}

const char *volume_error(const Volume *v)
{
        return extra_text(v, 1);
}

const char *volume_snapshots(const Volume *v)
{
        return extra_text(v, 2);
}

void volume_to_info(const Volume *v, VolumeInfo *ret)
{
        *ret = (VolumeInfo){
                .name = v->name,
                .type = v->type,
                .format = v->format,
                .detected = v->detected,
                .flags = v->flags,
                .capacity = v->capacity,
                .allocation = v->allocation,
                .physical = v->physical,
                .mtime_usec = v->mtime_usec,
                .creator = v->creator,
                .uid = v->uid,
                .gid = v->gid,
                .mode = v->mode,
                .backing = volume_backing(v),
                .backing_format = v->backing_format,
                .error = volume_error(v),
                .snapshots = volume_snapshots(v),
        };
}

static bool same(const Volume *v, const VolumeInfo *i)
{
        return v->capacity == i->capacity && v->allocation == i->allocation && v->physical == i->physical &&
               v->mtime_usec == i->mtime_usec && v->type == i->type && v->format == i->format &&
               v->detected == i->detected && v->flags == i->flags && v->creator == i->creator &&
               v->uid == i->uid && v->gid == i->gid && v->mode == i->mode &&
               v->backing_format == i->backing_format && streq_ptr(volume_backing(v), i->backing) &&
               streq_ptr(volume_error(v), i->error) && streq_ptr(volume_snapshots(v), i->snapshots);
}

/* What the backing file of a record is among the volumes of this pool. */
static int hold_base(VolumeTable *t, const char *backing, VolumeBase **ret)
{
        _cleanup_free_ char *base = t->pool && backing ? pool_resolve_record(t->pool, backing) : NULL;

        return base ? volume_base_hold(t->bases, base, ret) : 0;
}

/* In one allocation; NULL where there is no text at all, as nearly always. */
static int make_extra(VolumeTable *t, const VolumeInfo *i, VolumeExtra **ret)
{
        const char *const texts[] = { i->backing ?: "", i->error ?: "", i->snapshots ?: "" };
        size_t size = 0;
        VolumeExtra *x;
        char *end;

        FOREACH_ELEMENT (text, texts)
                size += strlen(*text) + 1;
        if (size == ELEMENTSOF(texts)) {
                *ret = NULL;
                return 0;
        }
        x = calloc(1, sizeof(*x) + size);
        if (!x)
                return -ENOMEM;
        if (hold_base(t, i->backing, &x->link.base) < 0) {
                free(x);
                return -ENOMEM;
        }
        end = x->text;
        FOREACH_ELEMENT (text, texts)
                end = stpcpy(end, *text) + 1;
        *ret = x;
        return 0;
}

static void fill(VolumeTable *t, Volume *v, const VolumeInfo *i, VolumeExtra *extra, uint64_t generation)
{
        extra_free(t, v->extra);
        v->extra = extra;
        v->generation = generation;
        v->type = i->type;
        v->format = i->format;
        v->detected = i->detected;
        v->backing_format = i->backing_format;
        v->flags = i->flags;
        v->capacity = i->capacity;
        v->allocation = i->allocation;
        v->physical = i->physical;
        v->mtime_usec = i->mtime_usec;
        v->creator = i->creator;
        v->uid = i->uid;
        v->gid = i->gid;
        v->mode = i->mode;
}

static int add_record(VolumeTable *t, const char *name, size_t block, size_t index, Volume **ret)
{
        Volume *v = calloc(1, sizeof(*v) + strlen(name) + 1);
        int r;

        if (!v)
                return -ENOMEM;
        v->pool = t->pool;
        memcpy(v->name, name, strlen(name) + 1);
        r = insert(t, v, block, index);
        if (r < 0) {
                free(v);
                return r;
        }
        *ret = v;
        return 0;
}

int volume_table_put(VolumeTable *t, const VolumeInfo *info, uint64_t generation, Volume **ret,
                     bool *ret_added, bool *ret_changed)
{
        VolumeExtra *extra;
        size_t block, index;
        Volume **slot = find_slot(t, info->name, &block, &index), *v = slot ? *slot : NULL;
        bool added = !v;
        int r;

        if (v && same(v, info)) {
                *ret = v;
                *ret_added = *ret_changed = false;
                return 0;
        }

        r = make_extra(t, info, &extra);
        if (r < 0)
                return r;
        r = reserve_owner(t, info->creator);
        if (r >= 0 && added)
                r = add_record(t, info->name, block, index, &v);
        if (r < 0) {
                extra_free(t, extra);
                return r;
        }
        if (!added)
                account(t, v, false);
        fill(t, v, info, extra, generation);
        account(t, v, true);

        *ret = v;
        *ret_added = added;
        *ret_changed = !added;
        return 0;
}

bool volume_table_remove(VolumeTable *t, const char *name)
{
        size_t block, index;
        Volume **slot = find_slot(t, name, &block, &index);
        Block *b;

        if (!slot)
                return false;
        account(t, *slot, false);
        volume_free(t, *slot);
        b = t->blocks[block];
        memmove(b->volumes + index, b->volumes + index + 1, (b->n - index - 1) * sizeof(Volume *));
        t->n_volumes--;
        if (--b->n == 0) {
                free(b);
                memmove(t->blocks + block, t->blocks + block + 1,
                        (t->n_blocks - block - 1) * sizeof(Block *));
                t->n_blocks--;
        }
        return true;
}

Volume *volume_table_first(const VolumeTable *t, const char *after, VolumeCursor *ret_cursor)
{
        VolumeCursor c = { 0 };
        bool found;

        if (t->n_blocks == 0)
                return NULL;
        if (after) {
                c.block = find_block(t, after);
                c.index = find_index(t->blocks[c.block], after, &found) + found;
                if (c.index >= t->blocks[c.block]->n) {
                        c.block++;
                        c.index = 0;
                }
                if (c.block >= t->n_blocks)
                        return NULL;
        }
        *ret_cursor = c;
        return t->blocks[c.block]->volumes[c.index];
}

Volume *volume_table_next(const VolumeTable *t, VolumeCursor *c)
{
        if (++c->index >= t->blocks[c->block]->n) {
                c->index = 0;
                if (++c->block >= t->n_blocks)
                        return NULL;
        }
        return t->blocks[c->block]->volumes[c->index];
}

Volume *volume_table_last(const VolumeTable *t, const char *before, VolumeCursor *ret_cursor)
{
        VolumeCursor c;
        bool found;

        if (t->n_blocks == 0)
                return NULL;
        if (before) {
                c.block = find_block(t, before);
                c.index = find_index(t->blocks[c.block], before, &found);
        } else {
                c.block = t->n_blocks - 1;
                c.index = t->blocks[c.block]->n;
        }
        *ret_cursor = c;
        return volume_table_previous(t, ret_cursor);
}

Volume *volume_table_previous(const VolumeTable *t, VolumeCursor *c)
{
        if (c->index == 0) {
                if (c->block == 0)
                        return NULL;
                c->block--;
                c->index = t->blocks[c->block]->n;
        }
        c->index--;
        return t->blocks[c->block]->volumes[c->index];
}
