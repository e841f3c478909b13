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

#include "sandbox.h"

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
#define ALLOW(name) ON_CALL(SYS_##name, SECCOMP_RET_ALLOW)
#define SKIP(name) ON_CALL(SYS_##name, FAIL(0))

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

static const struct sock_filter allowed[] = {
        /* files */
        ALLOW(read),
        ALLOW(write),
        ALLOW(readv),
        ALLOW(writev),
        ALLOW(pread64),
        ALLOW(pwrite64),
        ALLOW(preadv),
        ALLOW(pwritev),
        ALLOW(preadv2),
        ALLOW(pwritev2),
        ALLOW(lseek),
        ALLOW(openat),
        ALLOW(openat2),
        ALLOW(close),
        ALLOW(close_range),
        ALLOW(fstat),
#ifdef SYS_newfstatat
        ALLOW(newfstatat),
#endif
        ALLOW(statx),
        ALLOW(statfs),
        ALLOW(fstatfs),
        ALLOW(fsync),
        ALLOW(fdatasync),
#ifdef SYS_sync_file_range
        ALLOW(sync_file_range),
#endif
        ALLOW(fallocate),
        ALLOW(ftruncate),
        ALLOW(copy_file_range),
        ALLOW(readahead),
#ifdef SYS_fadvise64
        ALLOW(fadvise64),
#endif
        ALLOW(flock),
        ALLOW(fcntl),
        ALLOW(ioctl),
        ALLOW(dup),
        ALLOW(dup3),
        ALLOW(pipe2),
        ALLOW(getcwd),
        ALLOW(chdir),
        ALLOW(fchdir),
        ALLOW(faccessat),
        ALLOW(faccessat2),
        ALLOW(readlinkat),
        ALLOW(getdents64),
        ALLOW(getxattr),
        ALLOW(fgetxattr),
        ALLOW(umask),
        ALLOW(memfd_create),
        ALLOW(eventfd2),
        ALLOW(timerfd_create),
        ALLOW(timerfd_settime),
        ALLOW(timerfd_gettime),
        ALLOW(epoll_create1),
        ALLOW(epoll_ctl),
        ALLOW(epoll_pwait),
        ALLOW(ppoll),
        ALLOW(pselect6),
        ALLOW(splice),
        ALLOW(tee),
        ALLOW(vmsplice),
#ifdef SYS_sendfile
        ALLOW(sendfile),
#endif
        ALLOW(io_setup),
        ALLOW(io_destroy),
        ALLOW(io_submit),
        ALLOW(io_getevents),
        ALLOW(io_pgetevents),
        ALLOW(io_cancel),
        /* memory */
        ALLOW(mmap),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(mprotect),
        ALLOW(madvise),
        ALLOW(brk),
        ALLOW(mlock),
        ALLOW(munlock),
        ALLOW(msync),
        ALLOW(mincore),
#ifdef SYS_membarrier
        ALLOW(membarrier),
#endif
        /* threads and processes */
        ALLOW(futex),
#ifdef SYS_futex_waitv
        ALLOW(futex_waitv),
#endif
        ALLOW(set_robust_list),
        ALLOW(get_robust_list),
        ALLOW(set_tid_address),
        ALLOW(rseq),
        ALLOW(sched_yield),
        ALLOW(sched_getaffinity),
        ALLOW(sched_setaffinity),
        ALLOW(sched_getparam),
        ALLOW(sched_getscheduler),
        ALLOW(sched_get_priority_max),
        ALLOW(sched_get_priority_min),
        ALLOW(getpriority),
        ALLOW(gettid),
        ALLOW(getpid),
        ALLOW(getppid),
        ALLOW(getpgid),
        ALLOW(getsid),
        ALLOW(getuid),
        ALLOW(geteuid),
        ALLOW(getgid),
        ALLOW(getegid),
        ALLOW(getgroups),
        ALLOW(getresuid),
        ALLOW(getresgid),
        ALLOW(capget),
        ALLOW(prctl),
        ALLOW(prlimit64),
#ifdef SYS_getrlimit
        ALLOW(getrlimit),
#endif
        ALLOW(getrusage),
        ALLOW(execve),
        ALLOW(exit),
        ALLOW(exit_group),
        ALLOW(wait4),
        ALLOW(waitid),
        ALLOW(restart_syscall),
        ALLOW(getcpu),
        ALLOW(uname),
        ALLOW(sysinfo),
        ALLOW(getrandom),
        ALLOW(get_mempolicy),
        /* signals and time */
        ALLOW(rt_sigaction),
        ALLOW(rt_sigprocmask),
        ALLOW(rt_sigreturn),
        ALLOW(rt_sigpending),
        ALLOW(rt_sigsuspend),
        ALLOW(rt_sigtimedwait),
        ALLOW(sigaltstack),
        ALLOW(signalfd4),
        ALLOW(kill),
        ALLOW(tgkill),
        ALLOW(tkill),
        ALLOW(clock_gettime),
        ALLOW(clock_getres),
        ALLOW(clock_nanosleep),
        ALLOW(nanosleep),
        ALLOW(gettimeofday),
        ALLOW(times),
        ALLOW(getitimer),
        ALLOW(setitimer),
        ALLOW(timer_create),
        ALLOW(timer_settime),
        ALLOW(timer_gettime),
        ALLOW(timer_getoverrun),
        ALLOW(timer_delete),
/* older names, not on every architecture */
#ifdef SYS_open
        ALLOW(open),
#endif
#ifdef SYS_stat
        ALLOW(stat),
#endif
#ifdef SYS_lstat
        ALLOW(lstat),
#endif
#ifdef SYS_access
        ALLOW(access),
#endif
#ifdef SYS_readlink
        ALLOW(readlink),
#endif
#ifdef SYS_dup2
        ALLOW(dup2),
#endif
#ifdef SYS_pipe
        ALLOW(pipe),
#endif
#ifdef SYS_poll
        ALLOW(poll),
#endif
#ifdef SYS_select
        ALLOW(select),
#endif
#ifdef SYS_epoll_create
        ALLOW(epoll_create),
#endif
#ifdef SYS_epoll_wait
        ALLOW(epoll_wait),
#endif
#ifdef SYS_eventfd
        ALLOW(eventfd),
#endif
#ifdef SYS_signalfd
        ALLOW(signalfd),
#endif
#ifdef SYS_getdents
        ALLOW(getdents),
#endif
#ifdef SYS_time
        ALLOW(time),
#endif
#ifdef SYS_arch_prctl
        ALLOW(arch_prctl),
#endif
#ifdef SYS_vfork
        ALLOW(vfork),
#endif
#ifdef SYS_fork
        ALLOW(fork),
#endif
        /* threads; see NAMESPACES */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, LOW_HALF(CLONE_FLAGS)),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 1, 0),
        RETURN(SECCOMP_RET_ALLOW),
        RETURN(FAIL(ENOSYS)),
};

int seccomp_restrict(bool skip_sync)
{
        struct sock_filter filter[ELEMENTSOF(native_only) + ELEMENTSOF(no_sync) + ELEMENTSOF(allowed)];
        struct sock_fprog program = { .filter = filter };
        size_t n = 0;

        memcpy(filter, native_only, sizeof(native_only));
        n += ELEMENTSOF(native_only);
        if (skip_sync) {
                memcpy(filter + n, no_sync, sizeof(no_sync));
                n += ELEMENTSOF(no_sync);
        }
        memcpy(filter + n, allowed, sizeof(allowed));
        program.len = (unsigned short)(n + ELEMENTSOF(allowed));
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
                return -errno;
        return 0;
}
