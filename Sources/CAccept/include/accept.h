/// How libzmq takes connections in this process; see accept.c and sources.c.
#ifndef QUBUS_ACCEPT_H
#define QUBUS_ACCEPT_H

#include <stdint.h>
#include <sys/socket.h>

int accept4(int listener, struct sockaddr *address, socklen_t *length, int flags);

/// Limits the connections of a network address that come to nothing: `burst` at once, then `per_second`
/// more. What is beyond is closed before any handshake. 0 for `burst`: no limit, as at the start. Safe
/// from any thread.
void qubus_accept_limit(uint32_t burst, uint32_t per_second);

/// A connection from this numeric address was let in: it counts against its address no more.
/// `address`: as libzmq tells it, not NULL; what is no address of IPv4 or IPv6 is ignored. Safe from any
/// thread.
void qubus_accept_admitted(const char *address);

typedef struct {
  uint64_t received;
  uint64_t cookie;
  uint16_t port;
} qubus_tcp_peer;

/// What the system knows of a connection over TCP: `received`, bytes that came by it; `cookie`, a number
/// that no other socket has had since the system started; `port`, the local one. Returns 0; -1 for a
/// descriptor that is no connection over TCP, whose `into` is not written. `into` is not NULL.
int32_t qubus_tcp_peer_read(int32_t descriptor, qubus_tcp_peer *into);

#endif
