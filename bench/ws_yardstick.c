/* The yardstick of ws_deliveries.py: what the kernel alone costs.
 *
 *   ws_yardstick read FD...             reads the given sockets until all are closed (the viewers of both measurements)
 *   ws_yardstick send N ROUNDS BYTES GAP_US
 *       forks a reader of N loopback TCP connections, then sends BYTES to each of them, ROUNDS times, with a pause
 *       after each round; prints sends and the CPU seconds of the sending process alone.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  perror(what);
  exit(1);
}

static void read_all(const int *fds, int n) {
  static char buffer[1 << 16];
  struct epoll_event events[256];
  int ep = epoll_create1(0), open_fds = n;
  for (int i = 0; i < n; i++) {
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fds[i]};
    if (epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &ev)) die("epoll_ctl");
  }
  while (open_fds > 0) {
    int got = epoll_wait(ep, events, 256, -1);
    for (int i = 0; i < got; i++) {
      ssize_t len = recv(events[i].data.fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (len > 0 || (len < 0 && (errno == EAGAIN || errno == EINTR))) continue;
      close(events[i].data.fd);
      open_fds--;
    }
  }
}

static double cpu_seconds(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int run_sender(int n, int rounds, int bytes, int gap_us) {
  int listener = socket(AF_INET, SOCK_STREAM, 0), *ours = calloc(n, sizeof(int)), *theirs = calloc(n, sizeof(int));
  struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof addr;
  if (bind(listener, (struct sockaddr *)&addr, len) || listen(listener, 128)) die("listen");
  getsockname(listener, (struct sockaddr *)&addr, &len);
  if (fork() == 0) {  /* each side holds its own ends only: N may come near the limit of open files */
    for (int i = 0; i < n; i++) {
      theirs[i] = socket(AF_INET, SOCK_STREAM, 0);
      if (connect(theirs[i], (struct sockaddr *)&addr, sizeof addr)) die("connect");
    }
    close(listener);
    read_all(theirs, n);
    exit(0);
  }
  int one = 1;
  for (int i = 0; i < n; i++) {
    if ((ours[i] = accept(listener, NULL, NULL)) < 0) die("accept");
    setsockopt(ours[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  char *frame = malloc(bytes);
  memset(frame, 'x', bytes);
  struct timespec gap = {gap_us / 1000000, (gap_us % 1000000) * 1000L};
  long sent = 0;
  double before = cpu_seconds();
  for (int r = 0; r < rounds; r++) {
    for (int i = 0; i < n; i++) {
      if (send(ours[i], frame, bytes, MSG_NOSIGNAL) != bytes) die("send");
      sent++;
    }
    nanosleep(&gap, NULL);
  }
  printf("%ld %.6f\n", sent, cpu_seconds() - before);
  return 0;
}

int main(int argc, char **argv) {
  if (argc > 2 && !strcmp(argv[1], "read")) {
    int n = argc - 2, *fds = calloc(n, sizeof(int));
    for (int i = 0; i < n; i++) fds[i] = atoi(argv[i + 2]);
    read_all(fds, n);
    return 0;
  }
  if (argc == 6 && !strcmp(argv[1], "send"))
    return run_sender(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]), atoi(argv[5]));
  fprintf(stderr, "usage: see the comment at the top\n");
  return 2;
}
