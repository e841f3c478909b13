/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Calls of every method of every object, with arguments of the right types and any values, from root and
 * from a user whom polkit allows or refuses. No worker runs, so what gets as far as a job fails there. Every
 * call has to be answered. */
#include "fuzz.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/peer.h"
#include "../unit/test.h"
#include "bus-internal.h"

#define CALLS_MAX 4u

static Peer peer;
static Pool *images;

/* ---- the input ---- */

static const uint8_t *input;
static size_t left;

static uint8_t next_byte(void)
{
        if (left == 0)
                return 0;
        left--;
        return *input++;
}

static uint64_t next_number(void)
{
        static const uint64_t interesting[] = { 0,         1,          512,        1 << 20,
                                                INT64_MAX, UINT64_MAX, UINT32_MAX, 107374182400ULL };
        uint8_t kind = next_byte();
        uint64_t value = 0;

        if (kind < 128)
                return interesting[kind % ELEMENTSOF(interesting)];
        for (unsigned i = 0; i < kind % 8u + 1; i++)
                value = value << 8 | next_byte();
        return value;
}

static const char *const words[] = {
        "images",
        "lab",
        "dir",
        "v000001",
        "v000002",
        "new",
        "raw",
        "qcow2",
        "file",
        "name",
        "capacity",
        "yes",
        "caller",
        "",
        "/",
        "/nonexistent/images",
        "/nonexistent/images/v000001",
        "/nonexistent/other",
        "..",
        "v\\x41",
        "a/b",
        "\xc3\xa9",
        "volume-create",
        "pool-define",
        "none",
        "v*[!a-]",
        "[",
        "active",
        "inactive",
        "10%",
        "12 GiB",
        "0600",
        "-1",
        "00000000-0000-0000-0000-000000000001",
        "auto",
        "no",
        "new",
        "any",
        "block",
        "regular",
        "zero",
        "trim",
        "gzip",
        "qemu-blockdev",
        "libvirt-disk",
        "<pool type='dir'><name>x</name><target><path>/nonexistent/x</path></target></pool>",
        "<pool type='dir'><name>images</name><target><path>/nonexistent/images</path></target></pool>",
        ("<volume><name>n</name><capacity unit='G'>1</capacity><target><format "
         "type='qcow2'/></target></volume>"),
        "<pool",
        "<a></a>",
};

static const char *const keys[] = {
        "wait",       "sync",        "lax",           "build",       "overwrite", "force",
        "shrink",     "allocate",    "dependents",    "inactive",    "all",       "state",
        "type",       "after",       "limit",         "pattern",     "format",    "sort",
        "reverse",    "capacity",    "allocation",    "target.path", "uuid",      "name",
        "reserved",   "description", "volume.format", "owner",       "mode",      "backing.path",
        "passphrase", "nonsense",    "read-only",     "kind",        "create",    "template",
        "size",       "offset",      "length",        "sparse",      "grow",      "atomic",
        "checksum",   "sha256",      "bandwidth",     "compression", "probe",     "source-format",
        "linked",     "force-share", "write",         "node-name",   "secret",
};

static const char *next_text(char *buffer, size_t size)
{
        uint8_t kind = next_byte();
        size_t n;

        if (kind < 192)
                return words[kind % ELEMENTSOF(words)];
        n = MIN(next_byte() % size, left);
        for (size_t i = 0; i < n; i++) {
                char c = (char)(next_byte() & 0x7f);

                buffer[i] = c ?: 'x';
        }
        buffer[MIN(n, size - 1)] = '\0';
        return buffer;
}

static const char *const paths[] = {
        "/org/example/Storage",
        "/org/example/Storage/pool/images",
        "/org/example/Storage/volume/images/v000001",
        "/org/example/Storage/volume/images/v000002",
        "/org/example/Storage/job/1",
        "/org/example/Storage/snapshot/images/v000001/monday",
        "/org/example/Storage/pool/none",
        "/org/example/Storage/volume/images/none",
        "/",
};

/* ---- arguments ---- */

static void append_options(sd_bus_message *m, unsigned depth);

/* Kinds that are accepted and kinds that are not. */
static void append_descriptor(sd_bus_message *m)
{
        static const char *const files[] = { "/dev/null", "/", "/proc/self/stat" };
        uint8_t kind = next_byte();
        int fds[2] = { -EBADF, -EBADF };

        if (kind % 5 < ELEMENTSOF(files))
                fds[0] = open(files[kind % 5], (kind & 128 ? O_PATH : O_RDONLY) | O_CLOEXEC);
        else if (kind % 5 == ELEMENTSOF(files))
                fds[0] = memfd_create("fuzz", MFD_CLOEXEC);
        else
                CHECK_OK(pipe2(fds, O_CLOEXEC));
        CHECK(fds[0] >= 0);
        CHECK_OK(sd_bus_message_append(m, "h", fds[0]));
        safe_close(fds[0]);
        safe_close(fds[1]);
}

static void append_variant(sd_bus_message *m, unsigned depth)
{
        static const char *const types[] = { "s", "b", "t", "u",     "as",   "h", "i",
                                             "x", "d", "o", "a{sv}", "(ss)", "y" };
        const char *type = types[next_byte() % ELEMENTSOF(types)];
        char text[64];

        if (*type == 'h') {
                CHECK_OK(sd_bus_message_open_container(m, 'v', "h"));
                append_descriptor(m);
                CHECK_OK(sd_bus_message_close_container(m));
        } else if (*type == 's' || streq(type, "as")) {
                const char *value = next_text(text, sizeof(text));

                CHECK_OK(*type == 's' ? sd_bus_message_append(m, "v", "s", value)
                                      : sd_bus_message_append(m, "v", "as", 2, value, "x"));
        } else if (streq(type, "a{sv}")) {
                CHECK_OK(sd_bus_message_open_container(m, 'v', type));
                append_options(m, depth + 1);
                CHECK_OK(sd_bus_message_close_container(m));
        } else if (*type == 'o')
                CHECK_OK(sd_bus_message_append(m, "v", "o", paths[next_byte() % ELEMENTSOF(paths)]));
        else if (*type == 'd')
                CHECK_OK(sd_bus_message_append(m, "v", "d", (double)next_number()));
        else if (*type == '(')
                CHECK_OK(sd_bus_message_append(m, "v", "(ss)", "a", "b"));
        else if (*type == 't' || *type == 'x')
                CHECK_OK(sd_bus_message_append(m, "v", type, next_number()));
        else
                CHECK_OK(sd_bus_message_append(m, "v", type, (int)next_byte() & (*type == 'b' ? 1 : 255)));
}

static void append_options(sd_bus_message *m, unsigned depth)
{
        unsigned n = depth > 4 ? 0 : next_byte() % 6u;
        char text[32];

        CHECK_OK(sd_bus_message_open_container(m, 'a', "{sv}"));
        for (unsigned i = 0; i < n; i++) {
                uint8_t key = next_byte();

                CHECK_OK(sd_bus_message_open_container(m, 'e', "sv"));
                CHECK_OK(sd_bus_message_append(
                        m, "s", key < 224 ? keys[key % ELEMENTSOF(keys)] : next_text(text, sizeof(text))));
                append_variant(m, depth);
                CHECK_OK(sd_bus_message_close_container(m));
        }
        CHECK_OK(sd_bus_message_close_container(m));
}

/* All that our methods take. */
static void append_arguments(sd_bus_message *m, const char *signature)
{
        char text[128];

        while (*signature) {
                if (startswith(signature, "a{sv}")) {
                        append_options(m, 0);
                        signature += strlen("a{sv}");
                        continue;
                }
                if (startswith(signature, "as")) {
                        CHECK_OK(sd_bus_message_append(m, "as", 2, next_text(text, sizeof(text)),
                                                       "volume-list"));
                        signature += 2;
                        continue;
                }
                switch (*signature++) {
                case 's':
                        CHECK_OK(sd_bus_message_append(m, "s", next_text(text, sizeof(text))));
                        break;
                case 'o':
                        CHECK_OK(sd_bus_message_append(m, "o", paths[next_byte() % ELEMENTSOF(paths)]));
                        break;
                case 't':
                        CHECK_OK(sd_bus_message_append(m, "t", next_number()));
                        break;
                case 'h':
                        append_descriptor(m);
                        break;
                case 'u':
                        CHECK_OK(sd_bus_message_append(m, "u", (uint32_t)next_number()));
                        break;
                case 'b':
                        CHECK_OK(sd_bus_message_append(m, "b", next_byte() & 1));
                        break;
                default:
                        abort(); /* a new type has to be added here */
                }
        }
}

/* ---- calls ---- */

static const struct {
        const char *interface;
        const sd_bus_vtable *vtable;
} interfaces[] = {
        { INTERFACE_MANAGER, manager_vtable },   { INTERFACE_POOL, pool_vtable },
        { INTERFACE_VOLUME, volume_vtable },     { INTERFACE_JOB, job_vtable },
        { INTERFACE_SNAPSHOT, snapshot_vtable },
};

static const sd_bus_vtable *pick_method(const sd_bus_vtable *vtable, uint8_t number)
{
        const sd_bus_vtable *methods[64];
        size_t n = 0;

        for (; vtable->type != _SD_BUS_VTABLE_END; vtable++)
                if (vtable->type == _SD_BUS_VTABLE_METHOD)
                        methods[n++] = vtable;
        return methods[number % n];
}

/* Of each interface an object that has it: an index of `paths`. */
static const size_t own_path[] = { 0, 1, 2, 4, 5 };

static sd_bus_message *next_call(void)
{
        uint8_t kind = next_byte(), path = next_byte(), caller = next_byte();
        size_t i = kind % (ELEMENTSOF(interfaces) + 1);
        const sd_bus_vtable *method;
        sd_bus_message *m;

        peer.uid = caller % 2 ? 1000 : 0;
        if (i == ELEMENTSOF(interfaces)) { /* what sd-bus serves from the getters */
                m = peer_new_call(&peer, caller % 2 ? ":1.1" : ":1.0", paths[path % ELEMENTSOF(paths)],
                                  "org.freedesktop.DBus.Properties", "GetAll");
                CHECK_OK(sd_bus_message_append(m, "s",
                                               interfaces[next_byte() % ELEMENTSOF(interfaces)].interface));
                return m;
        }
        method = pick_method(interfaces[i].vtable, next_byte());
        m = peer_new_call(&peer, caller % 2 ? ":1.1" : ":1.0",
                          /* mostly an object that has the method */ path < 192
                                  ? paths[own_path[i]]
                                  : paths[path % ELEMENTSOF(paths)],
                          interfaces[i].interface, method->x.method.member);
        CHECK_OK(sd_bus_message_set_allow_interactive_authorization(m, caller & 2));
        append_arguments(m, method->x.method.signature);
        return m;
}

static void answer_question(Peer *p, sd_bus_message *question)
{
        uint8_t verdict = next_byte();

        peer_answer(question, verdict % 4 != 0, verdict % 8 == 0);
}

/* A list may have to wait its turn, all else is answered at once. */
static void make_call(void)
{
        sd_bus_message *m = next_call(), *reply;
        bool may_wait = streq(sd_bus_message_get_member(m), "DumpVolumes");

        peer_send(&peer, m, &reply);
        peer_settle(&peer);
        for (unsigned i = 0; !reply && i < (may_wait ? 300 : 20); i++)
                (void)sd_event_run(peer.event, 10 * 1000);
        if (!reply)
                abort();
        sd_bus_message_unref(reply);
}

static void keep_snapshot(void)
{
        VolumeInfo info = {
                .name = "v000001",
                .format = FORMAT_QCOW2,
                .creator = 1000,
                .snapshots = "internal 1700000000000000 1048576 monday",
        };
        bool added, changed;
        Volume *v;

        CHECK_OK(volume_table_put(images->volumes, &info, images->generation, &v, &added, &changed));
        peer.manager->observer.volume_changed(v, peer.manager->observer_data);
}

/* The next input finds what this one found. */
static void tidy(void)
{
        Pool *extra[64];
        const char *name;
        size_t n = 0;
        Pool *p;

        peer_settle(&peer);
        HASHMAP_FOREACH (name, p, peer.manager->pools)
                if (p != images && n < ELEMENTSOF(extra))
                        extra[n++] = p;
        for (size_t i = 0; i < n; i++)
                if (extra[i]->persistent)
                        (void)manager_undefine(peer.manager, extra[i], NULL);
        images->state = POOL_ACTIVE;
        keep_snapshot();
        for (size_t i = 0; i < 4; i++)
                peer_add_volume(images, i);
}

static void close_peer(void)
{
        peer_close(&peer);
}

static void set_up(void)
{
        peer_open(&peer);
        peer_show(&peer, false);
        peer.on_question = answer_question;
        images = peer_add_pool(&peer, "images", 4);
        keep_snapshot();
        (void)atexit(close_peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (!peer.bus)
                set_up();
        input = data;
        left = size;
        for (unsigned i = 0; i < CALLS_MAX && left > 0; i++)
                make_call();
        tidy();
        return 0;
}
