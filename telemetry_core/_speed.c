/* The writer's hot path, in the stable ABI of CPython 3.10 and newer.
 *
 * telemetry_core/speed.py loads it and says where it is not used. Whatever is unusual is left to
 * the same code in Python, which is the reference. Every call here runs with the GIL, so no two
 * threads are in one object at once. Nothing static changes.
 */
#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030A0000
#include <Python.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

/* Raised whenever what Python calls here changes: speed.py does not use another's build. */
enum { INTERFACE = 1 };

typedef struct {
    PyObject *time;          /* the module: what froze its clock has frozen ours */
    PyObject *time_ns;       /* the name of the function */
} State;

/* ---- ids and times: telemetry_core/clock.py has the same in Python ---- */

enum { ID = 36, TIME = 27, DAY = 8 };
enum { REST_BITS = 40 };

typedef struct {
    PyObject_HEAD
    int64_t last;            /* microseconds since 1970 of the latest tick */
    int64_t second;          /* the second that `time` says */
    uint64_t bits;           /* 42 random ones of this process */
    uint32_t counter;
    char time[TIME + 1];
    char day[DAY + 1];
} Ticker;

typedef struct {
    char id[ID + 1];
    char time[TIME + 1];
    char day[DAY + 1];
} Tick;

static void put_hex(char *to, int digits, uint64_t value)
{
    for (int at = digits - 1; at >= 0; at--, value >>= 4)
        to[at] = "0123456789abcdef"[value & 0xF];
}

static void put_decimal(char *to, int digits, int64_t value)
{
    for (int at = digits - 1; at >= 0; at--, value /= 10)
        to[at] = (char)('0' + value % 10);
}

/* Say a second in words. Microseconds count from 1970 up and nanoseconds fit 64 bits, so that a
 * year has four digits. */
static void tell(Ticker *self, int64_t second)
{
    struct tm parts;
    time_t seconds = (time_t)second;
    if (gmtime_r(&seconds, &parts) == NULL)
        return;
    memcpy(self->time, "0000-00-00T00:00:00.000000Z", TIME + 1);
    put_decimal(self->time, 4, parts.tm_year + 1900);
    put_decimal(self->time + 5, 2, parts.tm_mon + 1);
    put_decimal(self->time + 8, 2, parts.tm_mday);
    put_decimal(self->time + 11, 2, parts.tm_hour);
    put_decimal(self->time + 14, 2, parts.tm_min);
    put_decimal(self->time + 17, 2, parts.tm_sec);
    memcpy(self->day, self->time, 4);
    memcpy(self->day + 4, self->time + 5, 2);
    memcpy(self->day + 6, self->time + 8, 2);
    self->second = second;
}

/* Take the next tick; -1 with an exception if the clock raised one. */
static int take_tick(Ticker *self, State *state, Tick *tick)
{
    PyObject *now = PyObject_CallMethodObjArgs(state->time, state->time_ns, NULL);
    if (now == NULL)
        return -1;
    int64_t micros = PyLong_AsLongLong(now) / 1000;
    Py_DECREF(now);
    if (PyErr_Occurred())
        return -1;
    self->last = micros = micros > self->last ? micros : self->last + 1;
    int64_t second = micros / 1000000, fraction = micros % 1000000, millis = micros / 1000;
    uint32_t count = self->counter++;
    if (second != self->second)
        tell(self, second);
    memcpy(tick->time, self->time, sizeof tick->time);
    memcpy(tick->day, self->day, sizeof tick->day);
    put_decimal(tick->time + 20, 6, fraction);
    memcpy(tick->id, "00000000-0000-7000-0000-000000000000", ID + 1);
    put_hex(tick->id, 8, (uint64_t)millis >> 16);
    put_hex(tick->id + 9, 4, (uint64_t)millis & 0xFFFF);
    put_hex(tick->id + 15, 3, (uint64_t)(fraction % 1000) << 2);
    put_hex(tick->id + 19, 4, 0x8000u | (count >> 6 & 0x3FFFu));
    put_hex(tick->id + 24, 2, (count << 2 & 0xFCu) | self->bits >> REST_BITS);
    put_hex(tick->id + 26, 10, self->bits & (((uint64_t)1 << REST_BITS) - 1));
    return 0;
}

static PyObject *ticker_seed(PyObject *object, PyObject *args)
{
    Ticker *self = (Ticker *)object;
    unsigned long counter;
    unsigned long long bits;
    if (!PyArg_ParseTuple(args, "kK:seed", &counter, &bits))
        return NULL;
    self->counter = (uint32_t)counter;
    self->bits = bits & (((uint64_t)1 << (REST_BITS + 2)) - 1);
    Py_RETURN_NONE;
}

static PyObject *ticker_next(PyObject *object, PyObject *unused)
{
    (void)unused;
    Tick tick;
    State *state = PyType_GetModuleState(Py_TYPE(object));
    if (state == NULL || take_tick((Ticker *)object, state, &tick) < 0)
        return NULL;
    return Py_BuildValue("(sss)", tick.id, tick.time, tick.day);
}

static PyObject *ticker_new(PyTypeObject *type, PyObject *args, PyObject *named)
{
    (void)args, (void)named;
    allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Ticker *self = alloc == NULL ? NULL : (Ticker *)alloc(type, 0);
    if (self != NULL)
        self->second = -1;
    return (PyObject *)self;
}

static void plain_dealloc(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef ticker_methods[] = {
    {"seed", ticker_seed, METH_VARARGS, "seed(counter, bits): begin as a process of its own."},
    {"next", ticker_next, METH_NOARGS, "next(): return id, time and day of an instant."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot ticker_slots[] = {
    {Py_tp_new, (void *)ticker_new},
    {Py_tp_dealloc, (void *)plain_dealloc},
    {Py_tp_methods, ticker_methods},
    {0, NULL},
};

static PyType_Spec ticker_spec = {
    "telemetry_core._speed.Ticker", sizeof(Ticker), 0, Py_TPFLAGS_DEFAULT, ticker_slots,
};

/* ---- the module ---- */

static int add_type(PyObject *module, PyType_Spec *spec)
{
    PyObject *type = PyType_FromModuleAndSpec(module, spec, NULL);
    int failed = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
    Py_XDECREF(type);
    return failed;
}

static int module_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(PyExc_ImportError, "telemetry_core._speed is for the main interpreter only");
        return -1;
    }
    state->time = PyImport_ImportModule("time");
    state->time_ns = PyUnicode_InternFromString("time_ns");
    if (state->time == NULL || state->time_ns == NULL
        || PyModule_AddIntConstant(module, "INTERFACE", INTERFACE) < 0)
        return -1;
    return add_type(module, &ticker_spec);
}

static int module_traverse(PyObject *module, visitproc visit, void *arg)
{
    State *state = PyModule_GetState(module);
    Py_VISIT(state->time);
    return 0;
}

static int module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->time);
    Py_CLEAR(state->time_ns);
    return 0;
}

static void module_free(void *module) { module_clear((PyObject *)module); }

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, (void *)module_exec}, {0, NULL}};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "_speed", "The writer's hot path.", sizeof(State), NULL,
    module_slots, module_traverse, module_clear, module_free,
};

PyMODINIT_FUNC PyInit__speed(void) { return PyModuleDef_Init(&module_def); }
