/// Connections counted by the network address they come from.
#ifndef QUBUS_SOURCES_H
#define QUBUS_SOURCES_H

#include <sys/socket.h>

/// Counts a connection from there: 0 when there were too many that came to nothing. Addresses that are
/// not of a network are not counted.
int qubus_source_enter(const struct sockaddr *address);

#endif
