/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The system calls that an image tool needs: files it has, memory, threads, time, signals to itself. No
 * sockets, no mounts, no namespaces, no tracing, no io_uring, no keys, no modules. The filter is written
 * down as BPF because building it by a library at each start costs more than loading it. See seccomp(2),
 * seccomp_data. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "worker/sandbox.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCHITECTURE AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define ARCHITECTURE AUDIT_ARCH_S390X
#else
#error "say here which AUDIT_ARCH_ this architecture has"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define ON_CALL(number, value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), RETURN(value)
#define FAIL(error) (SECCOMP_RET_ERRNO | (error))
#define SKIP(name) ON_CALL(SYS_##name, FAIL(0))
#define ALLOW(name) ON_CALL(SYS_##name, SECCOMP_RET_ALLOW)

/* clone() makes threads and processes, never namespaces; clone3(), whose flags cannot be seen from here,
 * makes the C library use clone(). */
#define NAMESPACES                                                                                    \
        (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
         CLONE_NEWNET)

#ifdef __s390x__
#define CLONE_FLAGS args[1]
#else
#define CLONE_FLAGS args[0]
#endif

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define LOW_HALF(field) offsetof(struct seccomp_data, field)
#else
#define LOW_HALF(field) (offsetof(struct seccomp_data, field) + 4)
#endif

static const struct sock_filter native_only[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
#ifdef __x86_64__
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1), /* x32 */
        RETURN(FAIL(ENOSYS)),
#endif
};

static const struct sock_filter no_sync[] = {
        SKIP(fsync),
        SKIP(fdatasync),
        SKIP(sync_file_range),
};

/* No socket(), connect() or bind() among them: there are no sockets but those that it was given, and their clients. */
static const struct sock_filter serve[] = {
#ifdef SYS_accept
        ALLOW(accept),
#endif
        ALLOW(accept4),  ALLOW(recvfrom),   ALLOW(recvmsg),    ALLOW(sendto),      ALLOW(sendmsg),
        ALLOW(shutdown), ALLOW(getsockopt), ALLOW(setsockopt), ALLOW(getsockname), ALLOW(getpeername),
};

static const struct sock_filter no_namespaces[] = {
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_HALF(CLONE_FLAGS)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 1, 0),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(FAIL(ENOSYS)),
};

static const uint16_t allowed[] = {
        /* files */
        SYS_read,
        SYS_write,
        SYS_readv,
        SYS_writev,
        SYS_pread64,
        SYS_pwrite64,
        SYS_preadv,
        SYS_pwritev,
        SYS_preadv2,
        SYS_pwritev2,
        SYS_lseek,
        SYS_openat,
        SYS_openat2,
        SYS_close,
        SYS_close_range,
        SYS_fstat,
#ifdef SYS_newfstatat
        SYS_newfstatat,
#endif
        SYS_statx,
        SYS_statfs,
        SYS_fstatfs,
        SYS_fsync,
        SYS_fdatasync,
#ifdef SYS_sync_file_range
        SYS_sync_file_range,
#endif
        SYS_fallocate,
        SYS_ftruncate,
        SYS_copy_file_range,
        SYS_readahead,
#ifdef SYS_fadvise64
        SYS_fadvise64,
#endif
        SYS_flock,
        SYS_fcntl,
        SYS_ioctl,
        SYS_dup,
        SYS_dup3,
        SYS_pipe2,
        SYS_getcwd,
        SYS_chdir,
        SYS_fchdir,
        SYS_faccessat,
        SYS_faccessat2,
        SYS_readlinkat,
        SYS_getdents64,
        SYS_getxattr,
        SYS_fgetxattr,
        SYS_umask,
        SYS_memfd_create,
        SYS_eventfd2,
        SYS_timerfd_create,
        SYS_timerfd_settime,
        SYS_timerfd_gettime,
        SYS_epoll_create1,
        SYS_epoll_ctl,
        SYS_epoll_pwait,
        SYS_ppoll,
        SYS_pselect6,
        SYS_splice,
        SYS_tee,
        SYS_vmsplice,
#ifdef SYS_sendfile
        SYS_sendfile,
#endif
        SYS_io_setup,
        SYS_io_destroy,
        SYS_io_submit,
        SYS_io_getevents,
        SYS_io_pgetevents,
        SYS_io_cancel,
        /* memory */
        SYS_mmap,
        SYS_munmap,
        SYS_mremap,
        SYS_mprotect,
        SYS_madvise,
        SYS_brk,
        SYS_mlock,
        SYS_munlock,
        SYS_msync,
        SYS_mincore,
#ifdef SYS_membarrier
        SYS_membarrier,
#endif
        /* threads and processes */
        SYS_futex,
#ifdef SYS_futex_waitv
        SYS_futex_waitv,
#endif
        SYS_set_robust_list,
        SYS_get_robust_list,
        SYS_set_tid_address,
        SYS_rseq,
        SYS_sched_yield,
        SYS_sched_getaffinity,
        SYS_sched_setaffinity,
        SYS_sched_getparam,
        SYS_sched_getscheduler,
        SYS_sched_get_priority_max,
        SYS_sched_get_priority_min,
        SYS_getpriority,
        SYS_gettid,
        SYS_getpid,
        SYS_getppid,
        SYS_getpgid,
        SYS_getsid,
        SYS_getuid,
        SYS_geteuid,
        SYS_getgid,
        SYS_getegid,
        SYS_getgroups,
        SYS_getresuid,
        SYS_getresgid,
        SYS_capget,
        SYS_prctl,
        SYS_prlimit64,
#ifdef SYS_getrlimit
        SYS_getrlimit,
#endif
        SYS_getrusage,
        SYS_execve,
        SYS_exit,
        SYS_exit_group,
        SYS_wait4,
        SYS_waitid,
        SYS_restart_syscall,
        SYS_getcpu,
        SYS_uname,
        SYS_sysinfo,
        SYS_getrandom,
        SYS_get_mempolicy,
        /* signals and time */
        SYS_rt_sigaction,
        SYS_rt_sigprocmask,
        SYS_rt_sigreturn,
        SYS_rt_sigpending,
        SYS_rt_sigsuspend,
        SYS_rt_sigtimedwait,
        SYS_sigaltstack,
        SYS_signalfd4,
        SYS_kill,
        SYS_tgkill,
        SYS_tkill,
        SYS_clock_gettime,
        SYS_clock_getres,
        SYS_clock_nanosleep,
        SYS_nanosleep,
        SYS_gettimeofday,
        SYS_times,
        SYS_getitimer,
        SYS_setitimer,
        SYS_timer_create,
        SYS_timer_settime,
        SYS_timer_gettime,
        SYS_timer_getoverrun,
        SYS_timer_delete,
/* older names, not on every architecture */
#ifdef SYS_open
        SYS_open,
#endif
#ifdef SYS_stat
        SYS_stat,
#endif
#ifdef SYS_lstat
        SYS_lstat,
#endif
#ifdef SYS_access
        SYS_access,
#endif
#ifdef SYS_readlink
        SYS_readlink,
#endif
#ifdef SYS_dup2
        SYS_dup2,
#endif
#ifdef SYS_pipe
        SYS_pipe,
#endif
#ifdef SYS_poll
        SYS_poll,
#endif
#ifdef SYS_select
        SYS_select,
#endif
#ifdef SYS_epoll_create
        SYS_epoll_create,
#endif
#ifdef SYS_epoll_wait
        SYS_epoll_wait,
#endif
#ifdef SYS_eventfd
        SYS_eventfd,
#endif
#ifdef SYS_signalfd
        SYS_signalfd,
#endif
#ifdef SYS_getdents
        SYS_getdents,
#endif
#ifdef SYS_time
        SYS_time,
#endif
#ifdef SYS_arch_prctl
        SYS_arch_prctl,
#endif
#ifdef SYS_vfork
        SYS_vfork,
#endif
#ifdef SYS_fork
        SYS_fork,
#endif
};

/* Returns allow what is in the range, the call's number being loaded, and deny what is below it; the rest
 * goes on. */
#define IN_RANGE(first, last)                                                                  \
        BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, (last), 3, 0),                                     \
                BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, (first), 0, 1), RETURN(SECCOMP_RET_ALLOW), \
                RETURN(FAIL(ENOSYS))
#define RANGE_SIZE 4u

typedef struct Filter {
        struct sock_filter code[ELEMENTSOF(native_only) + ELEMENTSOF(no_sync) + ELEMENTSOF(serve) +
                                ELEMENTSOF(no_namespaces) + RANGE_SIZE * ELEMENTSOF(allowed) + 1];
        unsigned short n;
} Filter;

static void append(Filter *f, const struct sock_filter *code, size_t n)
{
        memcpy(f->code + f->n, code, n * sizeof(*code));
        f->n += (unsigned short)n;
}

static int compare(const void *a, const void *b)
{
        return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* Ascending ranges: the kernel runs the whole filter once for each of its calls when it is loaded, so a long
 * one costs more than all that the tool does with it. */
static void append_ranges(Filter *f)
{
        uint16_t sorted[ELEMENTSOF(allowed)];

        memcpy(sorted, allowed, sizeof(allowed));
        qsort(sorted, ELEMENTSOF(sorted), sizeof(*sorted), compare);
        for (size_t i = 0, next; i < ELEMENTSOF(sorted); i = next) {
                for (next = i + 1; next < ELEMENTSOF(sorted) && sorted[next] <= sorted[next - 1] + 1; next++)
                        ;
                append(f, (const struct sock_filter[]){ IN_RANGE(sorted[i], sorted[next - 1]) }, RANGE_SIZE);
        }
        append(f, (const struct sock_filter[]){ RETURN(FAIL(ENOSYS)) }, 1);
}

int seccomp_restrict(bool skip_sync, bool server)
{
        Filter f = { .n = 0 };
        struct sock_fprog program = { .filter = f.code };

        append(&f, native_only, ELEMENTSOF(native_only));
        if (skip_sync)
                append(&f, no_sync, ELEMENTSOF(no_sync));
        if (server)
                append(&f, serve, ELEMENTSOF(serve));
        append(&f, no_namespaces, ELEMENTSOF(no_namespaces));
        append_ranges(&f);
        program.len = f.n;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                return -errno;
        return 0;
}
