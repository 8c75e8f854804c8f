/* The writer's hot path, and the module: telemetry_core/speed.py says where it is not used.
 *
 * Whatever is unusual is left to the same code in Python, which is the reference. All of this
 * runs with the GIL but for the system calls of an append, which work on a copy of what they
 * need. Nothing static changes. */
#include "_speed.h"
#include <errno.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Raised whenever what Python calls here changes: speed.py does not use another's build. */
enum { INTERFACE = 4 };

/* ---- ids and times: telemetry_core/clock.py has the same in Python ---- */
enum { ID = 36, TIME = 27, DAY = 8, REST_BITS = 40 };
typedef struct {
    char id[ID + 1], time[TIME + 1], day[DAY + 1];
} Tick;

typedef struct {
    PyObject_HEAD
    int64_t last, second; /* the latest tick, in microseconds since 1970; what `said` says */
    unsigned long long bits; /* 42 random ones of this process */
    unsigned counter;
    Tick said;
} Ticker;

static void put_digits(char *to, int digits, uint64_t value, unsigned base) {
    for (int at = digits - 1; at >= 0; at--, value /= base)
        to[at] = "0123456789abcdef"[value % base];
}

/* Return the tick of a moment in nanoseconds, or the next that is free. */
static Tick take_tick(Ticker *self, int64_t now) {
    int64_t micros = self->last = now / 1000 > self->last ? now / 1000 : self->last + 1;
    uint64_t fraction = (uint64_t)micros % 1000000, millis = (uint64_t)micros / 1000;
    unsigned count = self->counter++;
    if (micros / 1000000 != self->second || self->said.day[0] == 0) {
        /* Nanoseconds fit 64 bits, so that a year has four digits. */
        time_t second = self->second = micros / 1000000;
        struct tm parts = {0};
        gmtime_r(&second, &parts);
        strftime(self->said.time, sizeof self->said.time, "%Y-%m-%dT%H:%M:%S.000000Z", &parts);
        strftime(self->said.day, sizeof self->said.day, "%Y%m%d", &parts);
        memcpy(self->said.id, "00000000-0000-7000-0000-000000000000", ID + 1);
    }
    Tick tick = self->said;
    put_digits(tick.time + 20, 6, fraction, 10);
    put_digits(tick.id, 8, millis >> 16, 16);
    put_digits(tick.id + 9, 4, millis & 0xFFFF, 16);
    put_digits(tick.id + 15, 3, fraction % 1000 << 2, 16);
    put_digits(tick.id + 19, 4, 0x8000u | (count >> 6 & 0x3FFFu), 16);
    put_digits(tick.id + 24, 2, (count << 2 & 0xFCu) | (self->bits >> REST_BITS & 3), 16);
    put_digits(tick.id + 26, 10, self->bits, 16);
    return tick;
}

static PyObject *ticker_seed(PyObject *self, PyObject *args) {
    Ticker *ticker = (Ticker *)self;
    if (!PyArg_ParseTuple(args, "IK:seed", &ticker->counter, &ticker->bits))
        return NULL;
    Py_RETURN_NONE;
}

static PyObject *ticker_next(PyObject *self, PyObject *now) {
    long long moment = PyLong_AsLongLong(now);
    if (PyErr_Occurred())
        return NULL;
    Tick tick = take_tick((Ticker *)self, moment);
    return Py_BuildValue("(sss)", tick.id, tick.time, tick.day);
}

static PyMethodDef ticker_methods[] = {
    {"seed", ticker_seed, METH_VARARGS, "Begin as a process of its own."},
    {"next", ticker_next, METH_O, "Return id, time and day of a moment."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot ticker_slots[] = {{Py_tp_methods, ticker_methods}, {0, NULL}};

/* Take a tick from a Ticker, or read one that Python has made; whether there is one. */
static int tick_of(PyObject *when, PyObject *now, Tick *tick) {
    const char *id, *time, *day;
    Py_ssize_t a, b, c;
    if (PyType_GetSlot(Py_TYPE(when), Py_tp_methods) == (void *)ticker_methods) {
        long long moment = PyLong_AsLongLong(now);
        return PyErr_Occurred() ? 0 : (*tick = take_tick((Ticker *)when, moment), 1);
    }
    if (!PyTuple_Check(when) || !PyArg_ParseTuple(when, "s#s#s#", &id, &a, &time, &b, &day, &c)
        || a != ID || b != TIME || c != DAY)
        return 0;
    memcpy(tick->id, id, sizeof tick->id);
    memcpy(tick->time, time, sizeof tick->time);
    memcpy(tick->day, day, sizeof tick->day);
    return 1;
}

/* ---- plain trees: telemetry_core/plain.py has the same in Python ---- */
enum { MOST_VALUES = 20000, MOST_CHARACTERS = 128 * 1024, MOST_DEPTH = 64, SMALL = 1024,
       MOST_BYTES = 1000 * 1000 };

/* Whether a tree is of Python's own JSON types alone, and within what is left of the bounds. No
 * code of the host's runs here, and until orjson is done no other thread changes the tree. */
static int is_plain(PyObject *value, int depth, Py_ssize_t *values, Py_ssize_t *characters) {
    PyTypeObject *type = Py_TYPE(value);
    if (type == &PyUnicode_Type) {
        Py_ssize_t length = PyUnicode_GetLength(value);
        return length >= 0 && (*characters -= length) >= 0;
    }
    if (type == &PyLong_Type || type == &PyFloat_Type || type == &PyBool_Type || value == Py_None)
        return 1;
    int is_list = type == &PyList_Type, is_dict = type == &PyDict_Type;
    if (depth == MOST_DEPTH || !(is_list || is_dict || type == &PyTuple_Type))
        return 0;
    Py_ssize_t size = PyObject_Size(value), place = 0;
    PyObject *name, *item;
    if (size < 0 || (*values -= size) < 0)
        return 0;
    while (is_dict && PyDict_Next(value, &place, &name, &item))
        if (Py_TYPE(name) != &PyUnicode_Type || !is_plain(name, depth, values, characters)
            || !is_plain(item, depth + 1, values, characters))
            return 0;
    for (Py_ssize_t at = 0; at < size && !is_dict; at++) {
        item = is_list ? PyList_GetItem(value, at) : PyTuple_GetItem(value, at);
        if (item == NULL || !is_plain(item, depth + 1, values, characters))
            return 0;
    }
    return 1;
}

/* Return a plain tree as orjson writes it; NULL if Python has to see to it. */
static PyObject *json_of(PyObject *dumps, PyObject *data) {
    Py_ssize_t values = MOST_VALUES, characters = MOST_CHARACTERS;
    if (Py_TYPE(data) != &PyDict_Type || !is_plain(data, 0, &values, &characters))
        return NULL;
    /* orjson ends the process where it gets no memory; what is not written to costs nothing. */
    size_t size = (size_t)(MOST_CHARACTERS - characters + 4 * (MOST_VALUES - values));
    void *room = PyMem_Malloc(size > SMALL ? 6 * size : 1);
    if (room == NULL)
        return NULL;
    PyMem_Free(room);
    PyObject *json = PyObject_CallFunctionObjArgs(dumps, data, NULL);
    if (json != NULL && !PyBytes_Check(json))
        Py_CLEAR(json);
    return json;
}

/* ---- a look for secrets: telemetry_core/secret_screen.py makes the table of what for ---- */
enum { PAIRS = 256 * 256, ANCHORS = 256, IN_CHAIN = 12, ROOM = 32, WORD_LENGTH = 8 };
enum { ANYWHERE, NAME, WORD };
typedef struct {
    unsigned char text[ROOM], length, fold, offset, rule;
} Anchor;

typedef struct {
    unsigned char chain_of[PAIRS]; /* by two bytes: which anchors have them at their offset */
    unsigned char chains[ANCHORS][IN_CHAIN]; /* numbers of anchors, the last followed by 0 */
    Anchor anchors[ANCHORS];
} Screen;

static unsigned pair(const unsigned char *at) { return (unsigned)at[0] << 8 | at[1]; }
static int is_alnum(unsigned c) { return c - '0' < 10 || (c | 32) - 'a' < 26; }

/* Whether an anchor is at `at`, with what has to stand around it. */
static int is_found(const Anchor *anchor, const unsigned char *all, Py_ssize_t at,
                    Py_ssize_t size) {
    int length = anchor->length % ROOM;
    if (at < 0 || at + length >= size)
        return 0;
    const unsigned char *start = all + at, *end = start + length, *stop = end;
    for (int n = 0; n < length; n++)
        if ((start[n] | anchor->fold) != anchor->text[n])
            return 0;
    if (anchor->rule == NAME)
        return memchr("0123456789\\\"' \t:=,.-", *end, 20) != NULL;
    /* Within a word it is none, unless the letter before it is the end of an escape. */
    if (anchor->rule == WORD && at > 0 && is_alnum(start[-1]) && !(at > 1 && start[-2] == '\\')
        && !(at > 5 && start[-6] == '\\'))
        return 0;
    while (anchor->rule == WORD && (is_alnum(*stop) || *stop == '_' || *stop == '-'))
        stop++;
    return anchor->rule != WORD || stop - end >= WORD_LENGTH;
}

/* Whether a URL in a text may hold a password: between "://" and an "@" is nothing that ends it. */
static int may_have_password(const char *text, Py_ssize_t size) {
    const char *end = text + size, *at = text, *back;
    while ((at = memchr(at, '@', (size_t)(end - at))) != NULL) {
        for (back = at++; back > text && strchr("/@\"'\\<> ", back[-1]) == NULL;)
            back--;
        if (back - text > 2 && memcmp(back - 3, "://", 3) == 0)
            return 1;
    }
    return 0;
}

/* Whether a text may hold a secret. Every anchor is known by two pairs of its bytes, one at an
 * even and one at an odd offset, so that it is enough to look at every other place, and at four
 * of them at once. Behind the last byte is a 0. */
static int may_have_secret(const Screen *screen, const unsigned char *text, Py_ssize_t size) {
    const unsigned char *of = screen->chain_of, *here = text, *end = text + size;
    for (; here + 1 < end; here += 2) {
        while (here + 8 < end && !(of[pair(here)] | of[pair(here + 2)] | of[pair(here + 4)]
                                   | of[pair(here + 6)]))
            here += 8;
        const unsigned char *chain = screen->chains[of[pair(here)]];
        for (int n = 0; n < IN_CHAIN && chain[n]; n++) {
            const Anchor *anchor = &screen->anchors[chain[n]];
            if (is_found(anchor, text, here - text - anchor->offset, size))
                return 1;
        }
    }
    return may_have_password((const char *)text, size);
}

/* ---- the append: telemetry_core/shared_log.py has the same in Python ---- */
/* A lock is busy for microseconds: so often it is tried at once, and then after pauses, in seconds.
 * Longer waits are Python's, where signal handlers run meanwhile. */
enum { TRIES = 100 };
static const double FIRST_PAUSE = 0.00005, LONGEST_PAUSE = 0.002, LONGEST_WAIT = 0.005;
typedef struct { int fd; unsigned long long device, inode; } File;
/* What an append needs, and what it finds: copied, so that nobody changes it meanwhile. */
typedef struct {
    File lock, log;
    long long end; /* where the log's last line ended that this process wrote */
    double budget; /* seconds that the lock may be waited for; then what is left of them */
} Place;

static double monotonic(void) {
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Return the size of a file that is the one that was opened and still has a name, else -1. */
static int64_t size_of(const File *file) {
    struct stat found;
    if (fstat(file->fd, &found) != 0 || found.st_ino != file->inode || found.st_nlink == 0)
        return -1;
    return found.st_dev == file->device ? found.st_size : -1;
}

static int ends_line(int fd, int64_t at) {
    char last = 0;
    return at == 0 || (at > 0 && pread(fd, &last, 1, at - 1) == 1 && last == '\n');
}

static int take_lock(int fd, double *budget) {
    double pause = FIRST_PAUSE, most = *budget < LONGEST_WAIT ? *budget : LONGEST_WAIT;
    int tries = TRIES, is_interrupted = 0; /* by a signal, whose handler has to run */
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || most <= 0 || is_interrupted)
            return 0;
        if (tries-- > 0 && sched_yield() == 0)
            continue;
        double nap = pause < most ? pause : most, before = monotonic();
        is_interrupted = nanosleep(&(struct timespec){0, (long)(nap * 1e9)}, NULL) != 0;
        double slept = monotonic() - before;
        /* The clock may stand still: each pause counts as long as it was meant to be. */
        slept = slept > nap || is_interrupted ? slept : nap;
        most -= slept;
        *budget -= slept < *budget ? slept : *budget;
        pause = 2 * pause < LONGEST_PAUSE ? 2 * pause : LONGEST_PAUSE;
    }
    return 1;
}

/* Append with the lock held; whether the line is there, whole, and behind a newline. */
static int write_line(Place *place, const char *line, Py_ssize_t size) {
    int64_t before = size_of(&place->log), known = place->end;
    place->end = -1;
    if (before < 0 || (before != known && !ends_line(place->log.fd, before))
        || write(place->log.fd, line, (size_t)size) != size)
        return 0;
    place->end = lseek(place->log.fd, 0, SEEK_CUR);
    /* A program that ignores the lock may have left a fragment just before it. */
    return place->end == before + size || ends_line(place->log.fd, place->end - size);
}

/* The whole of an append, without the GIL; whether all of it went well. */
static int append_to(Place *place, const char *line, Py_ssize_t size, int is_synced) {
    if (size_of(&place->lock) < 0 || !take_lock(place->lock.fd, &place->budget))
        return 0;
    int is_written = write_line(place, line, size);
    int is_released = flock(place->lock.fd, LOCK_UN) == 0;
    return is_written && is_released && (!is_synced || fdatasync(place->log.fd) == 0);
}

/* Where what Python lends stands in its tuple: orjson's `dumps`; two functions of the writer's
 * mutex, the first of which does not wait; whose secrets are looked for, and by which Screen. */
enum { DUMPS, ACQUIRE, RELEASE, REDACTOR, TABLE, MEANS };
typedef struct {
    PyObject_HEAD
    PyObject *means; /* NULL until it was armed */
    Place place;
    char day[DAY + 1];
    int is_armed, can_sync;
    double due;             /* when Python looks at the paths again */
    Py_ssize_t most, count; /* appends until then, at most, and made */
} Appender;

/* Append a line; whether it is in the log. No Python code runs in here. */
static int append(Appender *self, PyObject *means, PyObject *line, const Tick *tick, int is_synced,
                  double *budget) {
    if (!self->is_armed || memcmp(tick->day, self->day, DAY) != 0 || self->count >= self->most
        || (is_synced && !self->can_sync) || !(monotonic() < self->due))
        return 0;
    PyObject *answer = PyObject_CallNoArgs(PyTuple_GetItem(means, ACQUIRE));
    int is_ours = answer == Py_True, is_written = 0;
    if (is_ours && self->is_armed) {
        /* Whoever has the mutex has the place: nobody else changes it, or closes its files. */
        Place place = self->place;
        const char *text = PyBytes_AsString(line);
        Py_ssize_t size = PyBytes_Size(line);
        place.budget = *budget;
        Py_BEGIN_ALLOW_THREADS
        is_written = append_to(&place, text, size, is_synced);
        Py_END_ALLOW_THREADS
        *budget = place.budget;
        self->place.end = place.end;
        self->count++;
    }
    if (is_ours)
        Py_XDECREF(PyObject_CallNoArgs(PyTuple_GetItem(means, RELEASE)));
    PyErr_Clear();
    Py_XDECREF(answer);
    return is_written;
}

/* Make the line of an event; NULL, perhaps with an exception, if Python has to see to it. */
static PyObject *line_of(PyObject *means, PyObject *const *args, Tick *tick) {
    PyObject *table = PyTuple_GetItem(means, TABLE), *line = NULL, *json = NULL;
    if (PyBytes_Check(args[0]) && args[4] == PyTuple_GetItem(means, REDACTOR))
        json = json_of(PyTuple_GetItem(means, DUMPS), args[1]);
    if (json == NULL)
        return NULL;
    const void *data = PyBytes_AsString(json);
    const void *screen = table == Py_None ? NULL : PyBytes_AsString(table);
    Py_ssize_t size = PyBytes_Size(json);
    if (size <= MOST_BYTES && (screen == NULL || !may_have_secret(screen, data, size))
        && tick_of(args[2], args[3], tick))
        line = PyBytes_FromFormat("{\"specversion\":\"1.0\",\"id\":\"%s\",%s%s\",\"data\":%s}\n",
                                  tick->id, PyBytes_AsString(args[0]), tick->time,
                                  (const char *)data);
    Py_DECREF(json);
    return line;
}

/* emit(head, data, tick, now, redactor, is synced, budget): append an event. Return its id once
 * the log has it; with its line, day and what is left of the budget if it has not; None if there
 * is no line. With a negative budget nothing is appended. */
static PyObject *appender_emit(PyObject *object, PyObject *const *args, Py_ssize_t count) {
    Appender *self = (Appender *)object;
    Tick tick;
    double budget = count == 7 ? PyFloat_AsDouble(args[6]) : -1;
    if (count != 7 || PyErr_Occurred())
        return PyErr_Format(PyExc_TypeError, "emit takes seven arguments, the last a number");
    /* Held: another thread may arm it again meanwhile. */
    PyObject *means = Py_XNewRef(self->means), *done = NULL;
    PyObject *line = means == NULL ? NULL : line_of(means, args, &tick);
    /* A text without an encoding, a number of more than 64 bits, no memory. */
    PyErr_Clear();
    if (line == NULL)
        done = Py_NewRef(Py_None);
    else if (budget >= 0 && append(self, means, line, &tick, args[5] == Py_True, &budget))
        done = PyUnicode_FromString(tick.id);
    else
        done = Py_BuildValue("(sOsd)", tick.id, line, tick.day, budget);
    Py_XDECREF(line);
    Py_XDECREF(means);
    return done;
}

/* Take over from Python, which has just appended: see _speed.pyi for the arguments. */
static PyObject *appender_arm(PyObject *object, PyObject *args) {
    Appender *self = (Appender *)object;
    Place *place = &self->place;
    PyObject *means, *old = self->means;
    const char *day;
    self->is_armed = 0;
    if (!PyArg_ParseTuple(args, "O!(iKK)(iKK)sLpdn:arm", &PyTuple_Type, &means, &place->lock.fd,
                          &place->lock.device, &place->lock.inode, &place->log.fd,
                          &place->log.device, &place->log.inode, &day, &place->end,
                          &self->can_sync, &self->due, &self->most))
        return NULL;
    PyObject *table = PyTuple_Size(means) == MEANS ? PyTuple_GetItem(means, TABLE) : NULL;
    if (table == NULL || strlen(day) != DAY
        || (table != Py_None && (!PyBytes_Check(table) || PyBytes_Size(table) != sizeof(Screen))))
        return PyErr_Format(PyExc_ValueError, "not the means, the day, or the table of a writer");
    memcpy(self->day, day, DAY + 1);
    self->means = Py_NewRef(means);
    Py_XDECREF(old);
    self->due += monotonic();
    self->count = 0;
    self->is_armed = 1;
    Py_RETURN_NONE;
}

/* Leave the files to Python; return where the last line ended, -1 if unknown, and the appends. */
static PyObject *appender_disarm(PyObject *object, PyObject *unused) {
    (void)unused;
    Appender *self = (Appender *)object;
    PyObject *found = Py_BuildValue("(Ln)", self->is_armed ? self->place.end : -1, self->count);
    self->is_armed = 0;
    self->count = 0;
    return found;
}

static void appender_free(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Py_XDECREF(((Appender *)self)->means);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyMethodDef appender_methods[] = {
    {"emit", (PyCFunction)(void (*)(void))appender_emit, METH_FASTCALL, "Append an event."},
    {"arm", appender_arm, METH_VARARGS, "Take over from Python."},
    {"disarm", appender_disarm, METH_NOARGS, "Leave the files to Python."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot appender_slots[] = {
    {Py_tp_dealloc, (void *)appender_free}, {Py_tp_methods, appender_methods}, {0, NULL}};

/* ---- the module ---- */
static PyType_Spec specs[] = {
    {"telemetry_core._speed.Ticker", sizeof(Ticker), 0, Py_TPFLAGS_DEFAULT, ticker_slots},
    {"telemetry_core._speed.Appender", sizeof(Appender), 0, Py_TPFLAGS_DEFAULT, appender_slots},
};

static int module_exec(PyObject *module) {
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0)
        return PyErr_SetString(PyExc_ImportError, "_speed is for the main interpreter only"), -1;
    for (size_t at = 0; at < sizeof specs / sizeof *specs; at++) {
        PyObject *type = PyType_FromModuleAndSpec(module, &specs[at], NULL);
        int failed = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
        Py_XDECREF(type);
        if (failed)
            return -1;
    }
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyMethodDef module_methods[] = {
    {"usual_rows", (PyCFunction)(void (*)(void))usual_rows, METH_FASTCALL, "Return lines' rows."},
    {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, (void *)module_exec}, {0, NULL}};
static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "_speed", "The writer's and the indexer's hot paths.", 0,
    module_methods, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__speed(void) { return PyModuleDef_Init(&module_def); }
