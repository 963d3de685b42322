#ifndef ROLLBOOK_CLIBPQ_SHIM_H
#define ROLLBOOK_CLIBPQ_SHIM_H

#include <libpq-fe.h>
#include <spawn.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Character-literal macros do not reach Swift; these constants do. */
static const int clibpq_diag_severity = PG_DIAG_SEVERITY_NONLOCALIZED;
static const int clibpq_diag_sqlstate = PG_DIAG_SQLSTATE;
static const int clibpq_diag_message = PG_DIAG_MESSAGE_PRIMARY;
static const int clibpq_diag_detail = PG_DIAG_MESSAGE_DETAIL;
static const int clibpq_diag_hint = PG_DIAG_MESSAGE_HINT;
static const int clibpq_diag_position = PG_DIAG_STATEMENT_POSITION;
static const int clibpq_diag_context = PG_DIAG_CONTEXT;
static const int clibpq_diag_schema = PG_DIAG_SCHEMA_NAME;
static const int clibpq_diag_table = PG_DIAG_TABLE_NAME;
static const int clibpq_diag_column = PG_DIAG_COLUMN_NAME;
static const int clibpq_diag_function = PG_DIAG_SOURCE_FUNCTION;
static const int clibpq_diag_constraint = PG_DIAG_CONSTRAINT_NAME;

/* A counter that one thread raises to wake another out of poll(). */
static inline int clibpq_wake_create(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }
static inline void clibpq_wake_raise(int fd) { uint64_t one = 1; (void)!write(fd, &one, sizeof one); }
static inline void clibpq_wake_clear(int fd) { uint64_t seen; (void)!read(fd, &seen, sizeof seen); }

/* GNU extensions that Swift's view of <spawn.h> leaves out: for starting the private server's tools. */
extern int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *, int);
extern int posix_spawn_file_actions_addchdir_np(posix_spawn_file_actions_t *, const char *);
static inline void clibpq_spawn_isolate(posix_spawn_file_actions_t *actions) {
    (void)posix_spawn_file_actions_addclosefrom_np(actions, 3);
    (void)posix_spawn_file_actions_addchdir_np(actions, "/");
}
static const short clibpq_spawn_setsid = 0x80; /* POSIX_SPAWN_SETSID */

#endif
