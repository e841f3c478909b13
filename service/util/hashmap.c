/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entries stand without gaps in one array; beside it a power-of-two table of slots, probed linearly and
 * at most three quarters full, says where the entry of a hash is. A removal moves the last entry into the
 * gap and closes the run of slots, so there are no tombstones; iteration goes from the last entry to the
 * first, which is why the current one may be removed. The hash is SipHash-2-4 with a key of its own per
 * process: names come from outside and must not be able to pile up in one run. */
#include "hashmap.h"

#include <sys/random.h>

#define SLOTS_MIN 16u

typedef struct Entry {
        char *key;
        void *value;
} Entry;

typedef struct Slot {
        uint32_t hash;
        uint32_t position; /* of the entry, plus one; 0: free */
} Slot;

struct Hashmap {
        Entry *entries;
        Slot *slots;
        size_t n_entries, n_slots; /* the array of entries has room for three quarters of n_slots */
};

static inline uint64_t rotate_left(uint64_t x, unsigned n)
{
        return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[static 4])
{
        v[0] += v[1];
        v[1] = rotate_left(v[1], 13) ^ v[0];
        v[0] = rotate_left(v[0], 32);
        v[2] += v[3];
        v[3] = rotate_left(v[3], 16) ^ v[2];
        v[0] += v[3];
        v[3] = rotate_left(v[3], 21) ^ v[0];
        v[2] += v[1];
        v[1] = rotate_left(v[1], 17) ^ v[2];
        v[2] = rotate_left(v[2], 32);
}

static const uint64_t *hash_key(void)
{
        static uint64_t key[2];
        static bool initialized;

        if (!initialized) {
                /* Short of entropy at early boot, a fixed key is no worse than an unkeyed hash. */
                (void)!getrandom(key, sizeof(key), GRND_NONBLOCK);
                initialized = true;
        }
        return key;
}

/* SipHash-2-4: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012. */
static uint32_t hash_string(const char *s)
{
        const uint64_t *key = hash_key();
        uint64_t v[4] = { key[0] ^ 0x736f6d6570736575ULL, key[1] ^ 0x646f72616e646f6dULL,
                          key[0] ^ 0x6c7967656e657261ULL, key[1] ^ 0x7465646279746573ULL };
        size_t size = strlen(s), left;
        uint64_t word;

        for (left = size; left >= sizeof(word); left -= sizeof(word), s += sizeof(word)) {
                memcpy(&word, s, sizeof(word));
                v[3] ^= word;
                sip_round(v);
                sip_round(v);
                v[0] ^= word;
        }
        word = 0;
        memcpy(&word, s, left);
        word |= (uint64_t)size << 56;
        v[3] ^= word;
        sip_round(v);
        sip_round(v);
        v[0] ^= word;
        v[2] ^= 0xff;
        for (unsigned i = 0; i < 4; i++)
                sip_round(v);
        return (uint32_t)(v[0] ^ v[1] ^ v[2] ^ v[3]);
}

Hashmap *hashmap_new(void)
{
        return calloc(1, sizeof(Hashmap));
}

void hashmap_free(Hashmap *h)
{
        if (!h)
                return;
        for (size_t i = 0; i < h->n_entries; i++)
                free(h->entries[i].key);
        free(h->entries);
        free(h->slots);
        free(h);
}

/* The slot that holds `key`, or the free one where it would go; NULL in a table without slots. */
static Slot *find_slot(const Hashmap *h, const char *key, uint32_t hash)
{
        size_t mask = h->n_slots - 1;

        if (h->n_slots == 0)
                return NULL;
        for (size_t i = hash & mask;; i = (i + 1) & mask) {
                Slot *slot = &h->slots[i];

                if (slot->position == 0 ||
                    (slot->hash == hash && streq(h->entries[slot->position - 1].key, key)))
                        return slot;
        }
}

/* Doubles the table when one more entry would fill more than three quarters of it. */
static int make_room(Hashmap *h)
{
        size_t n = MAX(h->n_slots * 2, (size_t)SLOTS_MIN);
        Entry *entries;
        Slot *slots;

        if (h->n_entries < h->n_slots / 4 * 3)
                return 0;
        if (n > UINT32_MAX)
                return -ENOMEM;
        entries = reallocarray(h->entries, n / 4 * 3, sizeof(Entry));
        if (!entries)
                return -ENOMEM;
        h->entries = entries;
        slots = calloc(n, sizeof(Slot));
        if (!slots)
                return -ENOMEM;
        for (size_t i = 0; i < h->n_slots; i++) {
                size_t at = h->slots[i].hash & (n - 1);

                if (h->slots[i].position == 0)
                        continue;
                while (slots[at].position != 0)
                        at = (at + 1) & (n - 1);
                slots[at] = h->slots[i];
        }
        free(h->slots);
        h->slots = slots;
        h->n_slots = n;
        return 0;
}

int hashmap_put(Hashmap *h, const char *key, void *value)
{
        uint32_t hash = hash_string(key);
        Slot *slot;
        char *copy;

        if (make_room(h) < 0)
                return -ENOMEM;
        slot = find_slot(h, key, hash);
        if (slot->position != 0)
                return -EEXIST;
        copy = strdup(key);
        if (!copy)
                return -ENOMEM;
        h->entries[h->n_entries++] = (Entry){ .key = copy, .value = value };
        *slot = (Slot){ .hash = hash, .position = (uint32_t)h->n_entries };
        return 0;
}

void *hashmap_get(const Hashmap *h, const char *key)
{
        const Slot *slot = h ? find_slot(h, key, hash_string(key)) : NULL;

        return slot && slot->position != 0 ? h->entries[slot->position - 1].value : NULL;
}

/* Frees the slot `hole` and moves those of the run behind it back that may stand there. */
static void close_run(Hashmap *h, size_t hole)
{
        size_t mask = h->n_slots - 1;

        for (size_t i = (hole + 1) & mask; h->slots[i].position != 0; i = (i + 1) & mask) {
                size_t home = h->slots[i].hash & mask;

                /* It is at least as far from its home as from the hole: the hole lies on its way. */
                if (((i - home) & mask) >= ((i - hole) & mask)) {
                        h->slots[hole] = h->slots[i];
                        hole = i;
                }
        }
        h->slots[hole] = (Slot){};
}

void *hashmap_remove(Hashmap *h, const char *key)
{
        Slot *slot = h ? find_slot(h, key, hash_string(key)) : NULL;
        Entry removed, *last;
        uint32_t position;

        if (!slot || slot->position == 0)
                return NULL;
        position = slot->position;
        removed = h->entries[position - 1];
        last = &h->entries[h->n_entries - 1];
        if (position != h->n_entries) {
                find_slot(h, last->key, hash_string(last->key))->position = position;
                h->entries[position - 1] = *last;
        }
        h->n_entries--;
        close_run(h, (size_t)(slot - h->slots));
        free(removed.key);
        return removed.value;
}

size_t hashmap_size(const Hashmap *h)
{
        return h ? h->n_entries : 0;
}

/* *cursor is 0 at the beginning, then the position of the last one told, plus one. */
bool hashmap_next(const Hashmap *h, size_t *cursor, const char **ret_key, void **ret_value)
{
        size_t left = *cursor == 0 ? hashmap_size(h) : *cursor - 1;

        if (left == 0)
                return false;
        *ret_key = h->entries[left - 1].key;
        *ret_value = h->entries[left - 1].value;
        *cursor = left;
        return true;
}
