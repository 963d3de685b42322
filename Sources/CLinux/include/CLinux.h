// System calls of Linux that Swift's Glibc module does not show, because they stand behind _GNU_SOURCE.
#ifndef CLINUX_H
#define CLINUX_H

#include <poll.h>
#include <sys/types.h>
#include <time.h>

/// `ppoll(2)` without a signal mask: waits with the precision of nanoseconds.
int clinux_ppoll(struct pollfd *descriptors, unsigned long count, const struct timespec *timeout);

/// `pidfd_open(2)`: a descriptor that becomes readable when the process ends; also for processes that are no children
/// of ours. -1 with `errno` on failure.
int clinux_pidfd_open(pid_t process);

/// `pidfd_send_signal(2)`: cannot hit another process that got the same number later. -1 with `errno` on failure.
int clinux_pidfd_send_signal(int descriptor, int signal);

/// Starts `path` in a session of its own, with standard input from /dev/null and both outputs appended to `log`, in
/// `directory`, with the default action for every signal and none blocked.
///
/// - Returns: 0, or the error number. `process` is set on success.
int clinux_spawn(pid_t *process, const char *path, char *const arguments[], char *const environment[],
                 const char *directory, const char *log);

/// Ends a wait status: exit code if it exited, or minus the signal that killed it.
int clinux_exit_code(int status);

/// `mallopt(3)` with `M_ARENA_MAX`: how many arenas there are at the most, from now on. Does nothing without glibc.
void clinux_bound_arenas(int count);

#endif
