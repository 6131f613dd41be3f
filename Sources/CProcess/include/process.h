/// What Swift cannot ask of the system about its own process; see process.c.
#ifndef QUBUS_PROCESS_H
#define QUBUS_PROCESS_H

/// Forbids core dumps of this process, piped ones too, backtraces by another program, and its memory
/// to other processes of the user. To be called before there are threads. Returns 0, or -1 with
/// errno.
int qubus_process_forbid_dumps(void);

#endif
