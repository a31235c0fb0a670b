"""The system calls that a submission may make; all others answer as if the kernel had none such.

A filter that the kernel runs before each call (classic BPF, kernel 3.5 or newer), put together
here: for the two machines that TensorFlow has wheels for this is shorter than a library's help, and
always there. What newer kernels add is shut until it is listed.

- In bubblewrap it is a second wall: no memory that outlives a process (memfd, System V, message
  queues, keyrings), none of the calls that most kernel holes were in (bpf, io_uring, perf,
  userfaultfd, namespaces, ptrace), no socket but Unix ones.
- With Landlock it is half of the only wall, and also shuts what Landlock leaves open: sockets with
  a name, signals where the kernel is old, limits and priorities of others, owners and dates of
  files.

The answer is ENOSYS or EOPNOTSUPP where libraries have another way then, and would give up at
EPERM: glibc takes `clone`, whose flags a filter can see, for `clone3`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from dataclasses import dataclass
from functools import lru_cache

#: name, its number on x86-64, its number on AArch64 ("-": it has none).
USUAL = """
read 0 63, write 1 64, close 3 57, fstat 5 80, lseek 8 62, mmap 9 222, mprotect 10 226,
munmap 11 215, brk 12 214, rt_sigaction 13 134, rt_sigprocmask 14 135, rt_sigreturn 15 139,
ioctl 16 29, pread64 17 67, pwrite64 18 68, readv 19 65, writev 20 66, preadv 295 69,
pwritev 296 70, preadv2 327 286, pwritev2 328 287, sched_yield 24 124, mremap 25 216, msync 26 227,
mincore 27 232, madvise 28 233, dup 32 23, dup2 33 -, dup3 292 24, nanosleep 35 101,
getitimer 36 102, setitimer 38 103, getpid 39 172, sendfile 40 71, exit 60 93, exit_group 231 94,
wait4 61 260, waitid 247 95, uname 63 160, fcntl 72 25, flock 73 32, fsync 74 82, fdatasync 75 83,
ftruncate 77 46, truncate 76 45, getdents 78 -, getdents64 217 61, getcwd 79 17, chdir 80 49,
fchdir 81 50, link 86 -, linkat 265 37, symlink 88 -, symlinkat 266 36, unlink 87 -,
unlinkat 263 35, rmdir 84 -, rename 82 -, renameat 264 38, renameat2 316 276, mkdir 83 -,
mkdirat 258 34, open 2 -, openat 257 56, creat 85 -, stat 4 -, lstat 6 -, newfstatat 262 79,
statx 332 291, readlink 89 -, readlinkat 267 78, access 21 -, faccessat 269 48, faccessat2 439 439,
mknod 133 -, mknodat 259 33, umask 95 166, gettimeofday 96 169, time 201 -, getrlimit 97 163,
setrlimit 160 164, prlimit64 302 261, getrusage 98 165, sysinfo 99 179, times 100 153,
getuid 102 174, getgid 104 176, geteuid 107 175, getegid 108 177, setpgid 109 154, getpgrp 111 -,
getppid 110 173, getpgid 121 155, getsid 124 156, setsid 112 157, getgroups 115 158,
getresuid 118 148, getresgid 120 150, capget 125 90, rt_sigpending 127 136, rt_sigtimedwait 128 137,
rt_sigsuspend 130 133, sigaltstack 131 132, pause 34 -, alarm 37 -, statfs 137 43, fstatfs 138 44,
getpriority 140 141, setpriority 141 140, sched_getparam 143 121, sched_setparam 142 118,
sched_getscheduler 145 120, sched_setscheduler 144 119, sched_get_priority_max 146 125,
sched_get_priority_min 147 126, sched_rr_get_interval 148 127, sched_setaffinity 203 122,
sched_getaffinity 204 123, sched_setattr 314 274, sched_getattr 315 275, prctl 157 167,
arch_prctl 158 -, sync_file_range 277 84, fallocate 285 47, fadvise64 221 223, readahead 187 213,
gettid 186 178, futex 202 98, futex_waitv 449 449, futex_wake 454 454, futex_wait 455 455,
futex_requeue 456 456, set_tid_address 218 96, set_robust_list 273 99, timer_create 222 107,
timer_settime 223 110, timer_gettime 224 108, timer_getoverrun 225 109, timer_delete 226 111,
clock_gettime 228 113, clock_getres 229 114, clock_nanosleep 230 115, epoll_create 213 -,
epoll_create1 291 20, epoll_ctl 233 21, epoll_wait 232 -, epoll_pwait 281 22, epoll_pwait2 441 441,
poll 7 -, ppoll 271 73, select 23 -, pselect6 270 72, eventfd 284 -, eventfd2 290 19,
signalfd 282 -, signalfd4 289 74, timerfd_create 283 85, timerfd_settime 286 86,
timerfd_gettime 287 87, pipe 22 -, pipe2 293 59,
copy_file_range 326 285, getrandom 318 278, membarrier 324 283, rseq 334 293, fork 57 -, vfork 58 -,
clone 56 220, execve 59 221, execveat 322 281, close_range 436 436, getcpu 309 168, mlock 149 228,
munlock 150 229, mlock2 325 284, mlockall 151 230, munlockall 152 231, pkey_mprotect 329 288,
pkey_alloc 330 289, pkey_free 331 290, map_shadow_stack 453 453, kill 62 129, tkill 200 130,
tgkill 234 131, restart_syscall 219 128, socket 41 198, socketpair 53 199, recvfrom 45 207,
recvmsg 47 212, recvmmsg 299 243, sendto 44 206, shutdown 48 210, getsockname 51 204,
getpeername 52 205, getsockopt 55 209, get_mempolicy 239 236, set_mempolicy 238 237, mbind 237 235
"""
#: Owners, rights and dates of files, which Landlock does not look at.
MARKS = """
chmod 90 -, fchmod 91 52, fchmodat 268 53, fchmodat2 452 452, utime 132 -, utimes 235 -,
futimesat 261 -, utimensat 280 88, chown 92 -, lchown 94 -, fchown 93 55, fchownat 260 54
"""
LABELS = """
getxattr 191 8, lgetxattr 192 9, fgetxattr 193 10, listxattr 194 11, llistxattr 195 12,
flistxattr 196 13, setxattr 188 5, lsetxattr 189 6, fsetxattr 190 7, removexattr 197 14,
lremovexattr 198 15, fremovexattr 199 16
"""
#: What reaches other processes, or files by their names, unless namespaces hide them.
REACHING = """
connect 42 203, bind 49 200, listen 50 201, accept 43 202, accept4 288 242, sendmsg 46 211,
sendmmsg 307 269, setsockopt 54 208, inotify_init 253 -, inotify_init1 294 26,
inotify_add_watch 254 27, inotify_rm_watch 255 28, pidfd_open 434 434, pidfd_send_signal 424 424,
rt_sigqueueinfo 129 138, rt_tgsigqueueinfo 297 240
"""

PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, PR_SET_DUMPABLE = 22, 38, 4
FILTER = 2  # SECCOMP_MODE_FILTER
ALL = 0xFFFFFFFF
CLONE_NEW = 0x7E020000  # every kind of namespace
AF_UNIX, SOCK_STREAM, SOCK_SEQPACKET, SOCK_KIND = 1, 1, 5, 0xF
O_ACCMODE, O_TRUNC = 0o3, 0o1000
#: fcntl: who gets a file's signals, and which; leases on files of others, and notes on folders.
F_OWNERS, F_HOLDERS = (8, 10, 15), (1024, 1026)
SCHEDULING = ("scheduler", "param", "attr")
RWF_NOWAIT = 0x8
BUFFERS = (7, 8, 32, 33)  # how much the kernel keeps for a socket, to send and to be read
#: ioctl: is it a terminal, how large; how much can be read; blocking; closing on exec.
IOCTLS = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)


@dataclass(frozen=True)
class Check:
    """A condition on one argument of a call: its lower half and `mask`, among `values` or not."""

    argument: int
    values: tuple[int, ...]
    among: bool
    mask: int = ALL
    error: int = errno.EPERM


def only(argument: int, *values: int, **more: int) -> Check:
    return Check(argument, values, True, **more)


def never(argument: int, *values: int, **more: int) -> Check:
    return Check(argument, values, False, **more)


#: What is done with a call: allowed under conditions (none: always), or answered with an error;
#: error 0 says that it was done.
Rule = tuple[Check, ...] | int
ALLOWED: Rule = ()
ABSENT: Rule = errno.ENOSYS


def rules(mode: str, abi: int = 0, pid: int = 0) -> dict[str, Rule]:
    """What is done with each call in a mode; what is not named is ABSENT.

    abi: what Landlock can do here; what it cannot, the filter must. pid: of the first process to
    be filtered, for a kernel where it is the only one that may be sent signals.
    """
    found = dict.fromkeys(_names(USUAL), ALLOWED)
    found["clone"] = (only(0, 0, mask=CLONE_NEW),)
    found["socket"] = (only(0, AF_UNIX, error=errno.EOPNOTSUPP),)
    found["sched_setaffinity"] = errno.EPERM  # the other cores are for others
    # What an earlier run has read must not be seen in what is kept in memory of a file.
    found["preadv2"] = (never(5, RWF_NOWAIT, mask=RWF_NOWAIT, error=errno.EOPNOTSUPP),)
    found |= {"fadvise64": 0, "readahead": 0, "mincore": ABSENT}
    found["fcntl"] = (never(1, *F_HOLDERS),)
    if mode == "bubblewrap":
        found |= dict.fromkeys(_names(MARKS + "," + LABELS + "," + REACHING), ALLOWED)
        found["setsockopt"] = (never(2, *BUFFERS, error=0),)
        return found
    found["socket"] = errno.EOPNOTSUPP
    found["socketpair"] = (  # the kinds that cannot be sent elsewhere by address
        only(0, AF_UNIX, error=errno.EOPNOTSUPP),
        only(1, SOCK_STREAM, SOCK_SEQPACKET, mask=SOCK_KIND, error=errno.EOPNOTSUPP),
    )
    for name in ("prlimit64", *(f"sched_set{w}" for w in SCHEDULING)):
        found[name] = (only(0, 0),)  # oneself
    found["setpriority"] = (only(0, 0), only(1, 0))
    found["fcntl"] = (never(1, *F_OWNERS, *F_HOLDERS),)
    found["ioctl"] = (only(1, *IOCTLS, error=errno.ENOTTY),)
    found["prctl"] = (never(0, PR_SET_DUMPABLE),)  # the warm process counts its open files
    found |= dict.fromkeys(_names(MARKS), 0)
    found |= dict.fromkeys(_names(LABELS), errno.EOPNOTSUPP)
    if abi < 3:  # Landlock does not see files being cut
        found["truncate"] = errno.EACCES
        cutting = {"mask": O_ACCMODE | O_TRUNC, "error": errno.EACCES}
        found["open"] = (never(1, O_TRUNC, **cutting),)
        found["openat"] = (never(2, O_TRUNC, **cutting),)
    if abi < 6:  # nor signals
        found["kill"] = found["tgkill"] = (only(0, 0, pid),)
        found["tkill"] = (only(0, pid),)
    return found


def why_not() -> str:
    """Why no filter can be had here, as the end of a sentence; "" if it can."""
    if not sys.platform.startswith("linux") or _machine() not in MACHINES:
        return f"there is no seccomp filter for {sys.platform} on {_machine() or 'this machine'}"
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_SECCOMP, FILTER, None, 0, 0)
    if ctypes.get_errno() != errno.EFAULT:  # it looked for the filter, so it knows filters
        return "the kernel has no seccomp filters"
    return ""


@lru_cache
def prepared(mode: str, abi: int = 0, pid: int = 0) -> bytes:
    """The filter of a mode for this machine; made before a fork, it costs the fork nothing."""
    return b"".join(program(_machine(), rules(mode, abi, pid)))


def install(mode: str, abi: int = 0) -> None:
    """Filter this process and all that it starts, for ever. Raises OSError."""
    ready = prepared(mode, abi, os.getpid() if 0 < abi < 6 else 0)
    code = ctypes.create_string_buffer(ready, len(ready))
    header = struct.pack("HP", len(ready) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
        PR_SET_SECCOMP, FILTER, ctypes.c_char_p(header), 0, 0
    ):
        raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


# ---------------------------------------------------------------- the filter's program

#: Of each machine: what the kernel calls it, and the column of its numbers above.
MACHINES = {"x86_64": (0xC000003E, 1), "aarch64": (0xC00000B7, 2)}
LOAD, AND, EQUAL, AT_LEAST, RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
RET_KILL, RET_ERRNO, RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000


def program(machine: str, said: dict[str, Rule]) -> list[bytes]:
    """The instructions that do as the rules say, for calls of that machine and no other."""
    known_as, column = MACHINES[machine]
    numbers = _numbers(column)
    steps = [_do(LOAD, 4), _do(EQUAL, known_as, 1, 0), _do(RETURN, RET_KILL), _do(LOAD, 0)]
    ranges: list[tuple[int, Rule]] = [(0, ABSENT)]  # from which number on, what
    for number, name in sorted((n, name) for name, n in numbers.items() if name in said):
        for start, rule in ((number, said[name]), (number + 1, ABSENT)):
            if ranges[-1][0] == start:
                ranges.pop()
            if not ranges or ranges[-1][1] != rule:
                ranges.append((start, rule))
    for (_, rule), after in zip(ranges, [*ranges[1:], None], strict=True):
        body = _body(rule)
        if after is not None:
            steps.append(_do(AT_LEAST, after[0], len(body), 0))
        steps += body
    return steps


def _body(rule: Rule) -> list[bytes]:
    """What is done with a call; every way ends in a RETURN."""
    if isinstance(rule, int):
        return [_do(RETURN, RET_ERRNO | rule)]
    steps = []
    for check in rule:
        steps += [_do(LOAD, 16 + 8 * check.argument), _do(AND, check.mask)]
        for left in reversed(range(len(check.values))):
            value = check.values[-1 - left]
            if check.among:  # over the error
                steps.append(_do(EQUAL, value, left + 1, 0))
            else:  # to the error; from the last one over it
                steps.append(_do(EQUAL, value, left, 0 if left else 1))
        steps.append(_do(RETURN, RET_ERRNO | check.error))
    return [*steps, _do(RETURN, RET_ALLOW)]


def _do(code: int, value: int, if_so: int = 0, if_not: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_so, if_not, value)


def _machine() -> str:
    return os.uname().machine if hasattr(os, "uname") and sys.maxsize > 1 << 32 else ""


def _names(table: str) -> list[str]:
    return [row.split()[0] for row in table.split(",")]


def _numbers(column: int) -> dict[str, int]:
    rows = [row.split() for t in (USUAL, MARKS, LABELS, REACHING) for row in t.split(",")]
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}
