#define _GNU_SOURCE
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

#include "accept.h"

/// Of enum tcp_state, include/net/tcp_states.h.
enum { listening = 10 };

int32_t qubus_tcp_peer_read(int32_t descriptor, qubus_tcp_peer *into) {
  struct tcp_info info;
  socklen_t size = sizeof info;
  if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return -1;
  if (size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) return -1;
  if (info.tcpi_state == listening) return -1;
  uint64_t cookie = 0;
  size = sizeof cookie;
  if (getsockopt(descriptor, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) return -1;
  struct sockaddr_storage address = {0};
  size = sizeof address;
  if (getsockname(descriptor, (struct sockaddr *)&address, &size) != 0) return -1;
  into->received = info.tcpi_bytes_received;
  into->cookie = cookie;
  into->port = ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                                   : ((struct sockaddr_in *)&address)->sin_port);
  return 0;
}
