/* The fan-out in C: media.kernel.Fanout over one non-blocking UDP socket. media/kernel/native.py wraps it.
 *
 * A call reads its Python arguments into fixed tables, releases the GIL, and for each viewer copies, patches and
 * encrypts the frame into the arena; when the arena or the message table is full, one sendmmsg sends what is there.
 * A viewer's frame is one message where its packets have equal sizes (UDP_SEGMENT).
 *
 * libsrtp is the one that pylibsrtp carries: its functions come as addresses, so nothing is linked. */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* linux/udp.h */
#endif

enum {
  ARENA_BYTES = 256 * 1024, /* stays in the L2 cache; more than twice the largest frame */
  MAX_MESSAGES = 256,
  MAX_SLOTS = 1 << 16, /* peers at once; a slot's number carries the generation above these bits */
  FIRST_SLOTS = 64,
};

typedef int (*protect_function)(void *context, void *packet, int *size);

struct slot {
  void *context; /* libsrtp's; NULL: free. Its owner is kept alive by native.py */
  uint32_t generation, next_free;
  int tag;
  socklen_t address_size;
  struct sockaddr_storage address;
};

struct job {
  struct slot *slot;
  struct patch patch;
};

struct message {
  struct iovec bytes;
  int packets, segment;
  _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(uint16_t))];
};

struct outcome {
  long packets, octets, dropped;
};

typedef struct {
  PyObject_HEAD
  int fd, gso, busy;
  protect_function protect, protect_rtcp;
  PyObject *sent_type;
  struct slot *slots;
  uint32_t capacity, free_head;
  struct job *jobs;
  Py_ssize_t jobs_capacity;
  int waiting;      /* messages in the table */
  size_t arena_used;
  struct mmsghdr headers[MAX_MESSAGES];
  struct message messages[MAX_MESSAGES];
  uint8_t arena[ARENA_BYTES];
} Table;

/* --- sending ------------------------------------------------------------------------------------------------- */

static int is_full(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == ENOBUFS; }

static int knows_no_gso(int error) {
  return error == EIO || error == EINVAL || error == EOPNOTSUPP || error == ENOPROTOOPT;
}

static void count_message(const struct message *message, int ok, struct outcome *out) {
  if (!ok) {
    out->dropped += message->packets;
    return;
  }
  out->packets += message->packets;
  out->octets += (long)message->bytes.iov_len;
}

/* One datagram at a time, for the message that taught us that the device cannot cut. */
static void send_cut(Table *self, const struct msghdr *header, const struct message *message, struct outcome *out) {
  const uint8_t *bytes = message->bytes.iov_base;
  size_t left = message->bytes.iov_len;
  while (left > 0) {
    size_t size = left < (size_t)message->segment ? left : (size_t)message->segment;
    if (sendto(self->fd, bytes, size, MSG_DONTWAIT, header->msg_name, header->msg_namelen) < 0) {
      out->dropped++;
    } else {
      out->packets++;
      out->octets += (long)size;
    }
    bytes += size;
    left -= size;
  }
}

/* Send what waits. A full socket drops the rest (the policy of media.kernel); a dead address costs its viewer alone. */
static void flush(Table *self, struct outcome *out) {
  for (int at = 0; at < self->waiting;) {
    int taken = sendmmsg(self->fd, &self->headers[at], (unsigned)(self->waiting - at), MSG_DONTWAIT);
    if (taken > 0) {
      for (int end = at + taken; at < end; at++) count_message(&self->messages[at], 1, out);
      continue;
    }
    if (errno == EINTR) continue;
    if (is_full(errno)) {
      for (; at < self->waiting; at++) count_message(&self->messages[at], 0, out);
      break;
    }
    if (self->messages[at].segment && knows_no_gso(errno)) {
      self->gso = 0;
      send_cut(self, &self->headers[at].msg_hdr, &self->messages[at], out);
    } else {
      count_message(&self->messages[at], 0, out);
    }
    at++;
  }
  self->waiting = 0;
  self->arena_used = 0;
}

static void enqueue(Table *self, const struct slot *slot, uint8_t *bytes, size_t size, int packets, int segment) {
  struct message *message = &self->messages[self->waiting];
  struct msghdr *header = &self->headers[self->waiting].msg_hdr;
  message->bytes.iov_base = bytes;
  message->bytes.iov_len = size;
  message->packets = packets;
  message->segment = segment;
  memset(header, 0, sizeof *header);
  header->msg_name = (void *)&slot->address;
  header->msg_namelen = slot->address_size;
  header->msg_iov = &message->bytes;
  header->msg_iovlen = 1;
  if (segment) {
    header->msg_control = message->control;
    header->msg_controllen = sizeof message->control;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);
    control->cmsg_level = IPPROTO_UDP;
    control->cmsg_type = UDP_SEGMENT;
    control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
    uint16_t value = (uint16_t)segment;
    memcpy(CMSG_DATA(control), &value, sizeof value);
  }
  self->waiting++;
}

/* Encrypt one viewer's copy of the frame into the arena; its packets lie behind one another. Returns 0 when libsrtp
 * refused one: a hole would break the run, so the viewer's NACK brings all of it. */
static int protect_frame(Table *self, const struct job *job, const struct packet *packets, int count, size_t *ends) {
  size_t at = self->arena_used;
  for (int i = 0; i < count; i++) {
    int size = (int)packets[i].size;
    rewrite(self->arena + at, &packets[i], &job->patch);
    if (self->protect(job->slot->context, self->arena + at, &size)) return 0;
    if ((size_t)size != packets[i].size + (size_t)job->slot->tag) return 0;
    at += (size_t)size;
    ends[i] = at;
  }
  return 1;
}

static void send_burst(Table *self, const struct packet *packets, int count, Py_ssize_t jobs, struct outcome *out) {
  struct run runs[MAX_BURST_PACKETS];
  size_t ends[MAX_BURST_PACKETS], plain = 0;
  int number = 0, tag = -1, gso = self->gso;
  for (int i = 0; i < count; i++) plain += packets[i].size;
  for (Py_ssize_t j = 0; j < jobs; j++) {
    const struct job *job = &self->jobs[j];
    if (job->slot->tag != tag || gso != self->gso) {
      tag = job->slot->tag;
      gso = self->gso;
      number = group_runs(packets, count, (size_t)tag, gso, runs);
    }
    size_t room = plain + (size_t)count * (size_t)tag + MAX_TRAILER_BYTES;
    if (self->arena_used + room > ARENA_BYTES || self->waiting + number > MAX_MESSAGES) flush(self, out);
    if (!protect_frame(self, job, packets, count, ends)) {
      out->dropped += count;
      continue;
    }
    size_t start = self->arena_used;
    for (int r = 0; r < number; r++) {
      size_t end = ends[runs[r].first + runs[r].count - 1];
      int segment = runs[r].count > 1 ? (int)packets[runs[r].first].size + tag : 0;
      enqueue(self, job->slot, self->arena + start, end - start, runs[r].count, segment);
      start = end;
    }
    self->arena_used = start;
  }
  flush(self, out);
}

static void send_whole(Table *self, const struct slot *slot, protect_function protect, const struct packet *packets,
                       int count, struct outcome *out) {
  for (int i = 0; i < count; i++) {
    if (self->arena_used + packets[i].size + MAX_TRAILER_BYTES > ARENA_BYTES || self->waiting == MAX_MESSAGES) {
      flush(self, out);
    }
    uint8_t *at = self->arena + self->arena_used;
    int size = (int)packets[i].size;
    memcpy(at, packets[i].bytes, packets[i].size);
    if (protect(slot->context, at, &size)) {
      out->dropped++;
      continue;
    }
    self->arena_used += (size_t)size;
    enqueue(self, slot, at, (size_t)size, 1, 0);
  }
  flush(self, out);
}

/* --- slots --------------------------------------------------------------------------------------------------- */

static struct slot *find(Table *self, long long number) {
  uint64_t index = (uint64_t)number & (MAX_SLOTS - 1);
  if (number < 0 || index >= self->capacity) return NULL;
  struct slot *slot = &self->slots[index];
  return slot->context && slot->generation == (uint64_t)number >> 16 ? slot : NULL;
}

static int grow(Table *self) {
  uint32_t capacity = self->capacity ? self->capacity * 2 : FIRST_SLOTS;
  if (capacity > MAX_SLOTS) {
    PyErr_SetString(PyExc_OverflowError, "65,536 peers are connected: no slot is free");
    return -1;
  }
  struct slot *slots = PyMem_Realloc(self->slots, capacity * sizeof *slots);
  if (!slots) {
    PyErr_NoMemory();
    return -1;
  }
  memset(slots + self->capacity, 0, (capacity - self->capacity) * sizeof *slots);
  for (uint32_t i = self->capacity; i < capacity; i++) slots[i].next_free = i + 1; /* the last: capacity = none */
  self->slots = slots;
  self->free_head = self->capacity;
  self->capacity = capacity;
  return 0;
}

static int take_address(struct slot *slot, const Py_buffer *address) {
  if (address->len < (Py_ssize_t)sizeof(sa_family_t) || address->len > (Py_ssize_t)sizeof slot->address) {
    PyErr_SetString(PyExc_ValueError, "an address is a sockaddr_in or a sockaddr_in6");
    return -1;
  }
  memcpy(&slot->address, address->buf, (size_t)address->len);
  slot->address_size = (socklen_t)address->len;
  return 0;
}

static int refuse_reentry(Table *self) {
  if (self->busy) PyErr_SetString(PyExc_RuntimeError, "the fan-out is used from two threads at once");
  return self->busy;
}

static PyObject *Table_add(Table *self, PyObject *args) {
  unsigned long long context;
  int tag;
  Py_buffer address;
  if (!PyArg_ParseTuple(args, "Kiy*", &context, &tag, &address)) return NULL;
  PyObject *number = NULL;
  if (!context || tag < 0 || tag > MAX_TRAILER_BYTES) {
    PyErr_SetString(PyExc_ValueError, "no SRTP context, or a tag of an impossible length");
  } else if (!refuse_reentry(self) && (self->free_head < self->capacity || !grow(self))) {
    uint32_t index = self->free_head;
    struct slot *slot = &self->slots[index];
    if (!take_address(slot, &address)) {
      self->free_head = slot->next_free;
      slot->generation++;
      slot->context = (void *)(uintptr_t)context;
      slot->tag = tag;
      number = PyLong_FromUnsignedLongLong((uint64_t)slot->generation << 16 | index);
    }
  }
  PyBuffer_Release(&address);
  return number;
}

static PyObject *Table_move(Table *self, PyObject *args) {
  long long number;
  Py_buffer address;
  if (!PyArg_ParseTuple(args, "Ly*", &number, &address)) return NULL;
  struct slot *slot = find(self, number);
  int failed = refuse_reentry(self) || (slot && take_address(slot, &address));
  PyBuffer_Release(&address);
  if (failed) return NULL;
  Py_RETURN_NONE;
}

static PyObject *Table_remove(Table *self, PyObject *argument) {
  long long number = PyLong_AsLongLong(argument);
  if ((number == -1 && PyErr_Occurred()) || refuse_reentry(self)) return NULL;
  struct slot *slot = find(self, number);
  if (slot) {
    slot->context = NULL;
    slot->next_free = self->free_head;
    self->free_head = (uint32_t)(slot - self->slots);
  }
  Py_RETURN_NONE;
}

/* --- calls from Python --------------------------------------------------------------------------------------- */

/* A reference to every packet of the list, since the list may change while the GIL is released. */
static int take_packets(PyObject *list, size_t smallest, size_t largest, PyObject **owned, struct packet *packets) {
  if (!PyList_Check(list) || PyList_GET_SIZE(list) > MAX_BURST_PACKETS) {
    PyErr_SetString(PyExc_ValueError, "packets are a list of at most MAX_BURST_PACKETS");
    return -1;
  }
  int count = (int)PyList_GET_SIZE(list);
  for (int i = 0; i < count; i++) {
    PyObject *item = PyList_GET_ITEM(list, i);
    if (!PyBytes_Check(item) || (size_t)PyBytes_GET_SIZE(item) < smallest || (size_t)PyBytes_GET_SIZE(item) > largest) {
      PyErr_SetString(PyExc_ValueError, "a packet is bytes, from its header's length to MAX_PACKET_BYTES");
      return -1;
    }
    owned[i] = item;
    packets[i].bytes = (const uint8_t *)PyBytes_AS_STRING(item);
    packets[i].size = (size_t)PyBytes_GET_SIZE(item);
  }
  for (int i = 0; i < count; i++) Py_INCREF(owned[i]);
  return count;
}

static void release_packets(PyObject **owned, int count) {
  for (int i = 0; i < count; i++) Py_DECREF(owned[i]);
}

/* The targets that have a slot, as jobs. Returns their number, -1 with an exception set. */
static Py_ssize_t take_targets(Table *self, PyObject *targets) {
  if (!PyList_Check(targets)) {
    PyErr_SetString(PyExc_ValueError, "targets are a list of Target");
    return -1;
  }
  Py_ssize_t count = PyList_GET_SIZE(targets), jobs = 0;
  if (count > self->jobs_capacity) {
    struct job *more = PyMem_Realloc(self->jobs, (size_t)count * sizeof *more);
    if (!more) {
      PyErr_NoMemory();
      return -1;
    }
    self->jobs = more;
    self->jobs_capacity = count;
  }
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject *target = PyList_GET_ITEM(targets, i);
    if (!PyTuple_Check(target) || PyTuple_GET_SIZE(target) != 4) {
      PyErr_SetString(PyExc_ValueError, "targets are a list of Target");
      return -1;
    }
    struct slot *slot = find(self, PyLong_AsLongLong(PyTuple_GET_ITEM(target, 0)));
    if (!slot) continue;
    struct job *job = &self->jobs[jobs++];
    job->slot = slot;
    job->patch.ssrc = (uint32_t)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(target, 1));
    job->patch.payload_type = (uint8_t)(PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(target, 2)) & 0x7f);
    job->patch.seq_offset = (uint16_t)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(target, 3));
  }
  return PyErr_Occurred() ? -1 : jobs;
}

static PyObject *as_sent(Table *self, const struct outcome *out) {
  return PyObject_CallFunction(self->sent_type, "lll", out->packets, out->octets, out->dropped);
}

static PyObject *Table_send(Table *self, PyObject *const *args, Py_ssize_t given) {
  PyObject *owned[MAX_BURST_PACKETS];
  struct packet packets[MAX_BURST_PACKETS];
  struct outcome out = {0, 0, 0};
  if (given != 2) return PyErr_Format(PyExc_TypeError, "send(packets, targets)");
  if (refuse_reentry(self)) return NULL;
  Py_ssize_t jobs = take_targets(self, args[1]);
  if (jobs < 0) return NULL;
  int count = take_packets(args[0], MIN_RTP_BYTES, MAX_PACKET_BYTES, owned, packets);
  if (count < 0) return NULL;
  self->busy = 1;
  Py_BEGIN_ALLOW_THREADS
  send_burst(self, packets, count, jobs, &out);
  Py_END_ALLOW_THREADS
  self->busy = 0;
  release_packets(owned, count);
  return as_sent(self, &out);
}

static PyObject *send_few(Table *self, PyObject *number, PyObject *list, protect_function protect, size_t largest) {
  PyObject *owned[MAX_BURST_PACKETS];
  struct packet packets[MAX_BURST_PACKETS];
  struct outcome out = {0, 0, 0};
  if (refuse_reentry(self)) return NULL;
  struct slot *slot = find(self, PyLong_AsLongLong(number));
  if (PyErr_Occurred()) return NULL;
  int count = slot ? take_packets(list, 8, largest, owned, packets) : 0;
  if (count < 0) return NULL;
  if (slot) {
    self->busy = 1;
    Py_BEGIN_ALLOW_THREADS
    send_whole(self, slot, protect, packets, count, &out);
    Py_END_ALLOW_THREADS
    self->busy = 0;
    release_packets(owned, count);
  }
  return as_sent(self, &out);
}

static PyObject *Table_send_to(Table *self, PyObject *const *args, Py_ssize_t given) {
  if (given != 2) return PyErr_Format(PyExc_TypeError, "send_to(slot, packets)");
  return send_few(self, args[0], args[1], self->protect, MAX_PACKET_BYTES + MAX_TRAILER_BYTES);
}

static PyObject *Table_send_rtcp(Table *self, PyObject *const *args, Py_ssize_t given) {
  if (given != 2) return PyErr_Format(PyExc_TypeError, "send_rtcp(slot, packet)");
  PyObject *list = PyList_New(1);
  if (!list) return NULL;
  PyList_SET_ITEM(list, 0, Py_NewRef(args[1]));
  PyObject *sent = send_few(self, args[0], list, self->protect_rtcp, MAX_PACKET_BYTES + MAX_TRAILER_BYTES);
  Py_DECREF(list);
  return sent;
}

/* --- the type ------------------------------------------------------------------------------------------------ */

static int Table_init(Table *self, PyObject *args, PyObject *keywords) {
  unsigned long long protect, protect_rtcp;
  PyObject *sent_type;
  static char *names[] = {"fd", "gso", "protect", "protect_rtcp", "sent_type", NULL};
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "ipKKO", names, &self->fd, &self->gso, &protect, &protect_rtcp,
                                   &sent_type)) {
    return -1;
  }
  if (!protect || !protect_rtcp) {
    PyErr_SetString(PyExc_ValueError, "no libsrtp");
    return -1;
  }
  self->protect = (protect_function)(uintptr_t)protect;
  self->protect_rtcp = (protect_function)(uintptr_t)protect_rtcp;
  Py_XSETREF(self->sent_type, Py_NewRef(sent_type));
  return 0;
}

static void Table_dealloc(Table *self) {
  PyTypeObject *type = Py_TYPE(self);
  Py_XDECREF(self->sent_type);
  PyMem_Free(self->slots);
  PyMem_Free(self->jobs);
  type->tp_free((PyObject *)self);
  Py_DECREF(type);
}

static PyObject *Table_get_gso(Table *self, void *closure) {
  (void)closure;
  return PyBool_FromLong(self->gso);
}

static PyMethodDef table_methods[] = {
    {"add", (PyCFunction)(void (*)(void))Table_add, METH_VARARGS, "add(context, tag, sockaddr) -> slot"},
    {"move", (PyCFunction)(void (*)(void))Table_move, METH_VARARGS, "move(slot, sockaddr)"},
    {"remove", (PyCFunction)(void (*)(void))Table_remove, METH_O, "remove(slot)"},
    {"send", (PyCFunction)(void (*)(void))Table_send, METH_FASTCALL, "See media.kernel.Fanout.send."},
    {"send_to", (PyCFunction)(void (*)(void))Table_send_to, METH_FASTCALL, "See media.kernel.Fanout.send_to."},
    {"send_rtcp", (PyCFunction)(void (*)(void))Table_send_rtcp, METH_FASTCALL, "See media.kernel.Fanout.send_rtcp."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef table_fields[] = {{"gso", (getter)Table_get_gso, NULL, "Whether messages are cut by the system.", NULL},
                                     {NULL, NULL, NULL, NULL, NULL}};

static PyType_Slot table_slots[] = {{Py_tp_init, Table_init},       {Py_tp_dealloc, Table_dealloc},
                                    {Py_tp_methods, table_methods}, {Py_tp_getset, table_fields},
                                    {Py_tp_doc, "Slots of connected peers, and what is sent to them."}, {0, NULL}};

static PyType_Spec table_spec = {"media.kernel._native.Table", sizeof(Table), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                                 table_slots};

static int module_exec(PyObject *module) {
  PyObject *type = PyType_FromSpec(&table_spec);
  if (!type) return -1;
  int failed = PyModule_AddObjectRef(module, "Table", type);
  Py_DECREF(type);
  return failed;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, module_exec}, {0, NULL}};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_native", "The fan-out in C.", 0, NULL, module_slots,
                                    NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModuleDef_Init(&module); }
