/// How libzmq takes connections in this process; see accept.c.
#ifndef QUBUS_ACCEPT_H
#define QUBUS_ACCEPT_H

#include <sys/socket.h>

int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);

#endif
