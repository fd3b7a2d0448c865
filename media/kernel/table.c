/* The fan-out as a Python type: media.kernel.Fanout over one non-blocking UDP socket. media/kernel/native.py wraps it.
 *
 * A call reads its Python arguments into fixed tables and releases the GIL around the work of send.c. */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#include <Python.h>

#include <stdlib.h>
#include <string.h>

#include "kernel.h"

typedef struct {
  PyObject_HEAD
  int busy;
  PyObject *sent_type, *acked_type, *refused_type;
  struct slots slots;
  struct told told;
  protect_function unprotect_rtcp;
  struct job *jobs;
  Py_ssize_t jobs_capacity;
  struct sender sender;
} Table;

/* --- slots --------------------------------------------------------------------------------------------------- */

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
  unsigned long long context, inbound;
  int tag, extension;
  Py_buffer address;
  if (!PyArg_ParseTuple(args, "KKiy*i", &context, &inbound, &tag, &address, &extension)) return NULL;
  PyObject *number = NULL;
  struct history *history = extension ? calloc(1, sizeof *history) : NULL;
  if (!context || tag < 0 || tag > MAX_TRAILER_BYTES || extension < 0 || extension > 14) {
    PyErr_SetString(PyExc_ValueError, "no SRTP context, or a tag or extension id that cannot be");
  } else if (extension && !history) {
    PyErr_NoMemory();
  } else if (!refuse_reentry(self)) {
    struct slot *slot = slots_free(&self->slots);
    if (!slot) {
      PyErr_SetString(PyExc_OverflowError, "65,536 peers are connected, or memory is used up: no slot is free");
    } else if (!take_address(slot, &address)) {
      slot->context = (void *)(uintptr_t)context;
      slot->inbound = (void *)(uintptr_t)inbound;
      slot->tag = tag;
      slot->extension = extension;
      slot->history = history;
      history = NULL;
      number = PyLong_FromUnsignedLongLong(slots_take(&self->slots, slot));
    }
  }
  free(history);
  PyBuffer_Release(&address);
  return number;
}

static PyObject *Table_move(Table *self, PyObject *args) {
  long long number;
  Py_buffer address;
  if (!PyArg_ParseTuple(args, "Ly*", &number, &address)) return NULL;
  struct slot *slot = slots_find(&self->slots, number);
  int failed = refuse_reentry(self) || (slot && take_address(slot, &address));
  PyBuffer_Release(&address);
  if (failed) return NULL;
  Py_RETURN_NONE;
}

static PyObject *Table_remove(Table *self, PyObject *argument) {
  long long number = PyLong_AsLongLong(argument);
  if ((number == -1 && PyErr_Occurred()) || refuse_reentry(self)) return NULL;
  struct slot *slot = slots_find(&self->slots, number);
  if (slot) slots_release(&self->slots, slot);
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
    struct slot *slot = slots_find(&self->slots, PyLong_AsLongLong(PyTuple_GET_ITEM(target, 0)));
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

/* Monotonic microseconds from Python; 0 with an exception set when they are none. */
static uint64_t take_time(PyObject *number) { return (uint64_t)PyLong_AsUnsignedLongLongMask(number); }

static PyObject *Table_send(Table *self, PyObject *const *args, Py_ssize_t given) {
  PyObject *owned[MAX_BURST_PACKETS];
  struct packet packets[MAX_BURST_PACKETS];
  struct outcome out = {0, 0, 0};
  if (given != 3) return PyErr_Format(PyExc_TypeError, "send(packets, targets, now_us)");
  if (refuse_reentry(self)) return NULL;
  uint64_t now_us = take_time(args[2]);
  if (PyErr_Occurred()) return NULL;
  Py_ssize_t jobs = take_targets(self, args[1]);
  if (jobs < 0) return NULL;
  int count = take_packets(args[0], MIN_RTP_BYTES, MAX_PACKET_BYTES, owned, packets);
  if (count < 0) return NULL;
  self->busy = 1;
  Py_BEGIN_ALLOW_THREADS
  send_burst(&self->sender, packets, count, self->jobs, jobs, now_us, &out);
  Py_END_ALLOW_THREADS
  self->busy = 0;
  release_packets(owned, count);
  return as_sent(self, &out);
}

/* Packets for one slot: RTP, or with `rtcp` one compound. An unknown slot is skipped. */
static PyObject *send_few(Table *self, PyObject *number, PyObject *list, int rtcp, uint64_t now_us) {
  PyObject *owned[MAX_BURST_PACKETS];
  struct packet packets[MAX_BURST_PACKETS];
  struct outcome out = {0, 0, 0};
  if (refuse_reentry(self)) return NULL;
  struct slot *slot = slots_find(&self->slots, PyLong_AsLongLong(number));
  if (PyErr_Occurred()) return NULL;
  if (!slot) return as_sent(self, &out);
  int count = take_packets(list, 8, MAX_PACKET_BYTES + MAX_TRAILER_BYTES, owned, packets);
  if (count < 0) return NULL;
  self->busy = 1;
  Py_BEGIN_ALLOW_THREADS
  if (rtcp) {
    send_rtcp(&self->sender, slot, packets, &out);
  } else {
    send_packets(&self->sender, slot, packets, count, now_us, &out);
  }
  Py_END_ALLOW_THREADS
  self->busy = 0;
  release_packets(owned, count);
  return as_sent(self, &out);
}

static PyObject *Table_send_to(Table *self, PyObject *const *args, Py_ssize_t given) {
  if (given != 3) return PyErr_Format(PyExc_TypeError, "send_to(slot, packets, now_us)");
  uint64_t now_us = take_time(args[2]);
  return PyErr_Occurred() ? NULL : send_few(self, args[0], args[1], 0, now_us);
}

static PyObject *Table_send_rtcp(Table *self, PyObject *const *args, Py_ssize_t given) {
  if (given != 2) return PyErr_Format(PyExc_TypeError, "send_rtcp(slot, packet)");
  PyObject *list = PyList_New(1);
  if (!list) return NULL;
  PyList_SET_ITEM(list, 0, Py_NewRef(args[1]));
  PyObject *sent = send_few(self, args[0], list, 1, 0);
  Py_DECREF(list);
  return sent;
}

static PyObject *Table_open_rtcp(Table *self, PyObject *const *args, Py_ssize_t given) {
  uint8_t compound[MAX_RTCP_BYTES];
  if (given != 3 || !PyBytes_Check(args[1])) return PyErr_Format(PyExc_TypeError, "open_rtcp(slot, datagram, now_us)");
  long long number = PyLong_AsLongLong(args[0]);
  uint64_t now_us = take_time(args[2]);
  if (PyErr_Occurred() || refuse_reentry(self)) return NULL;
  struct slot *slot = slots_find(&self->slots, number);
  if (!slot || !slot->inbound) Py_RETURN_NONE;
  if (PyBytes_GET_SIZE(args[1]) > MAX_RTCP_BYTES) return PyErr_Format(self->refused_type, "too long");
  int size = (int)PyBytes_GET_SIZE(args[1]);
  memcpy(compound, PyBytes_AS_STRING(args[1]), (size_t)size);
  if (self->unprotect_rtcp(slot->inbound, compound, &size)) return PyErr_Format(self->refused_type, "SRTCP was refused");
  if (!take_feedback(&self->told, number, slot->history, compound, (size_t)size, now_us)) Py_RETURN_NONE;
  return PyBytes_FromStringAndSize((const char *)compound, size);
}

static PyObject *Table_acknowledged(Table *self, PyObject *unused) {
  (void)unused;
  PyObject *list = PyList_New(self->told.count);
  for (int i = 0; list && i < self->told.count; i++) {
    const struct acked *acked = &self->told.entries[i].acked;
    PyObject *digest = PyObject_CallFunction(self->acked_type, "llllLL", acked->received, acked->lost, acked->octets,
                                             acked->unknown, acked->queue_us, acked->arrived_us);
    PyObject *entry = digest ? Py_BuildValue("LN", self->told.entries[i].slot, digest) : NULL;
    if (entry) {
      PyList_SET_ITEM(list, i, entry);
    } else {
      Py_CLEAR(list);
    }
  }
  self->told.count = 0;
  return list;
}

/* --- the type ------------------------------------------------------------------------------------------------ */

static int Table_init(Table *self, PyObject *args, PyObject *keywords) {
  unsigned long long protect, protect_rtcp, unprotect_rtcp;
  PyObject *sent_type, *acked_type, *refused_type;
  static char *names[] = {"fd",        "gso",        "protect",      "protect_rtcp", "unprotect_rtcp",
                          "sent_type", "acked_type", "refused_type", NULL};
  struct sender *sender = &self->sender;
  if (!PyArg_ParseTupleAndKeywords(args, keywords, "ipKKKOOO", names, &sender->fd, &sender->gso, &protect,
                                   &protect_rtcp, &unprotect_rtcp, &sent_type, &acked_type, &refused_type)) {
    return -1;
  }
  if (!protect || !protect_rtcp || !unprotect_rtcp) {
    PyErr_SetString(PyExc_ValueError, "no libsrtp");
    return -1;
  }
  sender->protect = (protect_function)(uintptr_t)protect;
  sender->protect_rtcp = (protect_function)(uintptr_t)protect_rtcp;
  self->unprotect_rtcp = (protect_function)(uintptr_t)unprotect_rtcp;
  Py_XSETREF(self->sent_type, Py_NewRef(sent_type));
  Py_XSETREF(self->acked_type, Py_NewRef(acked_type));
  Py_XSETREF(self->refused_type, Py_NewRef(refused_type));
  return 0;
}

static void Table_dealloc(Table *self) {
  PyTypeObject *type = Py_TYPE(self);
  Py_XDECREF(self->sent_type);
  Py_XDECREF(self->acked_type);
  Py_XDECREF(self->refused_type);
  slots_end(&self->slots);
  PyMem_Free(self->jobs);
  type->tp_free((PyObject *)self);
  Py_DECREF(type);
}

static PyObject *Table_get_gso(Table *self, void *closure) {
  (void)closure;
  return PyBool_FromLong(self->sender.gso);
}

static PyMethodDef table_methods[] = {
    {"add", (PyCFunction)(void (*)(void))Table_add, METH_VARARGS, "add(context, inbound, tag, sockaddr, extension) -> slot"},
    {"move", (PyCFunction)(void (*)(void))Table_move, METH_VARARGS, "move(slot, sockaddr)"},
    {"remove", (PyCFunction)(void (*)(void))Table_remove, METH_O, "remove(slot)"},
    {"send", (PyCFunction)(void (*)(void))Table_send, METH_FASTCALL, "See media.kernel.Fanout.send."},
    {"send_to", (PyCFunction)(void (*)(void))Table_send_to, METH_FASTCALL, "See media.kernel.Fanout.send_to."},
    {"send_rtcp", (PyCFunction)(void (*)(void))Table_send_rtcp, METH_FASTCALL, "See media.kernel.Fanout.send_rtcp."},
    {"open_rtcp", (PyCFunction)(void (*)(void))Table_open_rtcp, METH_FASTCALL, "See media.kernel.Fanout.open_rtcp."},
    {"acknowledged", (PyCFunction)(void (*)(void))Table_acknowledged, METH_NOARGS, "See media.kernel.Fanout.acknowledged."},
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
