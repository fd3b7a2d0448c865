/* Sends HTTP requests at the times that a file gives, and says how long each waited for its answer.
 *
 *   paced PORT CONNECTIONS STATUS FILE
 *       FILE: for each request its due time (uint64, microseconds from the start, rising), its size (uint32) and its bytes.
 *
 * The schedule does not wait for answers: a request that finds no free connection waits, and that counts. Prints, for each
 * answer in the order in which they come, the microseconds from when its request was due. Ends with a message and status 1 at
 * an answer of another status, one without Content-Length, or when a second passes in which nothing happens at all. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* epoll_pwait2 */
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 256, ANSWER_BYTES = 16384, HEAD_BYTES = 12, SILENCE_US = 1000000 };

struct connection {
  int fd, used; /* bytes of the answer so far */
  uint64_t due_us;
  char answer[ANSWER_BYTES + 1];
};

static struct connection connections[MAX_CONNECTIONS];
static struct connection *idle[MAX_CONNECTIONS];
static int idle_count;

static void die(const char *what) {
  fprintf(stderr, "paced: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
  exit(1);
}

static uint64_t now_us(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The whole file; `*end` is where it ends. */
static const char *read_file(const char *name, const char **end) {
  FILE *file = fopen(name, "rb");
  if (!file || fseek(file, 0, SEEK_END)) die(name);
  long size = ftell(file);
  char *bytes = malloc((size_t)size + 1);
  rewind(file);
  if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size) die(name);
  fclose(file);
  *end = bytes + size;
  return bytes;
}

static void open_connections(int epoll, int count, int port) {
  struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0, on = 1; i < count; i++) {
    struct connection *one = &connections[i];
    one->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (one->fd < 0 || connect(one->fd, (struct sockaddr *)&there, sizeof there)) die("connect");
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, one->fd, &event)) die("epoll_ctl");
    idle[idle_count++] = one;
  }
}

/* Whether all of the answer is there. */
static int is_complete(const struct connection *one, int status) {
  const char *body = strstr(one->answer, "\r\n\r\n");
  if (!body) return 0;
  const char *length = strcasestr(one->answer, "\r\ncontent-length: ");
  errno = 0;
  if (!length || length > body) die("an answer without Content-Length");
  if (atoi(one->answer + 9) != status) die(one->answer);
  return one->used >= body + 4 - one->answer + atoi(length + 18);
}

int main(int argc, char **argv) {
  if (argc != 5) die("PORT CONNECTIONS STATUS FILE");
  int count = atoi(argv[2]), status = atoi(argv[3]), epoll = epoll_create1(0);
  const char *end, *at = read_file(argv[4], &end);
  if (count < 1 || count > MAX_CONNECTIONS) die("CONNECTIONS is 1 to 256");
  open_connections(epoll, count, atoi(argv[1]));
  uint64_t start = now_us();
  while (at < end || idle_count < count) {
    uint64_t due_us = 0, now = now_us() - start, wait_us = SILENCE_US;
    uint32_t size = 0;
    while (at < end && idle_count) {
      memcpy(&due_us, at, sizeof due_us);
      memcpy(&size, at + sizeof due_us, sizeof size);
      if (due_us > now) {
        wait_us = due_us - now < SILENCE_US ? due_us - now : SILENCE_US;
        break;
      }
      struct connection *one = idle[--idle_count];
      one->due_us = due_us;
      one->used = 0;
      if (send(one->fd, at + HEAD_BYTES, size, MSG_NOSIGNAL) != (ssize_t)size) die("send");
      at += HEAD_BYTES + size;
    }
    struct timespec until = {.tv_sec = (time_t)(wait_us / 1000000), .tv_nsec = (long)(wait_us % 1000000) * 1000};
    struct epoll_event events[MAX_CONNECTIONS];
    int ready = epoll_pwait2(epoll, events, MAX_CONNECTIONS, &until, NULL);
    if (ready < 0 && errno != EINTR) die("epoll_pwait2");
    if (ready == 0 && wait_us == SILENCE_US && idle_count < count) die("no answer for a second");
    for (int i = 0; i < ready; i++) {
      struct connection *one = events[i].data.ptr;
      ssize_t got = recv(one->fd, one->answer + one->used, (size_t)(ANSWER_BYTES - one->used), 0);
      if (got <= 0) die("recv");
      one->used += (int)got;
      one->answer[one->used] = 0;
      if (!is_complete(one, status)) continue;
      printf("%llu\n", (unsigned long long)(now_us() - start - one->due_us));
      idle[idle_count++] = one;
    }
  }
  return 0;
}
