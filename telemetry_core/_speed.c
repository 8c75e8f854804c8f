/* The writer's hot path, in the stable ABI of CPython 3.10 and newer.
 *
 * telemetry_core/speed.py loads it and says where it is not used. Whatever is unusual is left to
 * the same code in Python, which is the reference. All of this runs with the GIL but for the
 * system calls of an append, which work on a copy of what they need. Nothing static changes.
 */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#define Py_LIMITED_API 0x030A0000
#include <Python.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Raised whenever what Python calls here changes: speed.py does not use another's build. */
enum { INTERFACE = 2 };

/* ---- ids and times: telemetry_core/clock.py has the same in Python ---- */

enum { ID = 36, TIME = 27, DAY = 8, REST_BITS = 40 };

typedef struct {
    char id[ID + 1], time[TIME + 1], day[DAY + 1];
} Tick;

typedef struct {
    PyObject_HEAD
    PyObject *time;  /* the module: what froze its clock has frozen ours */
    PyObject *name;  /* of its function, `time_ns` */
    int64_t last;    /* microseconds since 1970 of the latest tick */
    int64_t second;  /* the one that `said` says */
    uint64_t bits;   /* 42 random ones of this process */
    uint32_t counter;
    Tick said;
} Ticker;

/* Release one reference, which may be NULL, and keep another. */
static void keep(PyObject **place, PyObject *value)
{
    PyObject *old = *place;
    Py_XINCREF(value);
    *place = value;
    Py_XDECREF(old);
}

static inline void put_digits(char *to, int digits, uint64_t value, unsigned base)
{
    for (int at = digits - 1; at >= 0; at--, value /= base)
        to[at] = "0123456789abcdef"[value % base];
}

/* Take the next tick; -1 with an exception if the clock raised one. */
static int take_tick(Ticker *self, Tick *tick)
{
    if (self->time == NULL || self->name == NULL)
        return PyErr_SetString(PyExc_RuntimeError, "a ticker without a seed"), -1;
    PyObject *now = PyObject_CallMethodObjArgs(self->time, self->name, NULL);
    int64_t micros = now == NULL ? 0 : PyLong_AsLongLong(now) / 1000;
    Py_XDECREF(now);
    if (PyErr_Occurred())
        return -1;
    self->last = micros = micros > self->last ? micros : self->last + 1;
    uint64_t fraction = (uint64_t)micros % 1000000, millis = (uint64_t)micros / 1000;
    uint32_t count = self->counter++;
    if (micros / 1000000 != self->second || self->said.day[0] == 0) {
        time_t second = micros / 1000000;
        struct tm parts;
        if (gmtime_r(&second, &parts) == NULL)
            return PyErr_SetFromErrno(PyExc_OSError), -1;
        /* Nanoseconds fit 64 bits, so that a year has four digits. */
        strftime(self->said.time, sizeof self->said.time, "%Y-%m-%dT%H:%M:%S.000000Z", &parts);
        strftime(self->said.day, sizeof self->said.day, "%Y%m%d", &parts);
        memcpy(self->said.id, "00000000-0000-7000-0000-000000000000", ID + 1);
        self->second = second;
    }
    *tick = self->said;
    put_digits(tick->time + 20, 6, fraction, 10);
    put_digits(tick->id, 8, millis >> 16, 16);
    put_digits(tick->id + 9, 4, millis & 0xFFFF, 16);
    put_digits(tick->id + 15, 3, fraction % 1000 << 2, 16);
    put_digits(tick->id + 19, 4, 0x8000u | (count >> 6 & 0x3FFFu), 16);
    put_digits(tick->id + 24, 2, (count << 2 & 0xFCu) | self->bits >> REST_BITS, 16);
    put_digits(tick->id + 26, 10, self->bits, 16);
    return 0;
}

static PyObject *ticker_seed(PyObject *object, PyObject *args)
{
    Ticker *self = (Ticker *)object;
    PyObject *time, *name;
    unsigned long counter;
    unsigned long long bits;
    if (!PyArg_ParseTuple(args, "OUkK:seed", &time, &name, &counter, &bits))
        return NULL;
    keep(&self->time, time);
    keep(&self->name, name);
    self->counter = (uint32_t)counter;
    self->bits = bits & (((uint64_t)1 << (REST_BITS + 2)) - 1);
    Py_RETURN_NONE;
}

static PyObject *ticker_next(PyObject *self, PyObject *unused)
{
    (void)unused;
    Tick tick;
    if (take_tick((Ticker *)self, &tick) < 0)
        return NULL;
    return Py_BuildValue("(sss)", tick.id, tick.time, tick.day);
}

static void free_object(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static void ticker_free(PyObject *self)
{
    keep(&((Ticker *)self)->time, NULL);
    keep(&((Ticker *)self)->name, NULL);
    free_object(self);
}

static PyMethodDef ticker_methods[] = {
    {"seed", ticker_seed, METH_VARARGS, "Begin as a process of its own."},
    {"next", ticker_next, METH_NOARGS, "Return id, time and day of an instant."},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot ticker_slots[] = {
    {Py_tp_dealloc, (void *)ticker_free}, {Py_tp_methods, ticker_methods}, {0, NULL}};
static PyType_Spec ticker_spec = {
    "telemetry_core._speed.Ticker", sizeof(Ticker), 0, Py_TPFLAGS_DEFAULT, ticker_slots};

/* ---- plain trees: telemetry_core/plain.py has the same in Python ---- */

enum { MOST_VALUES = 20000, MOST_CHARACTERS = 128 * 1024, MOST_DEPTH = 64, SMALL = 1024,
       MOST_BYTES = 1000 * 1000 };

/* Whether a tree is of Python's own JSON types alone, and within what is left of the bounds. No
 * code of the host's runs here, and until orjson is done no other thread changes the tree. */
static int is_plain(PyObject *value, int depth, Py_ssize_t *values, Py_ssize_t *characters)
{
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

/* Return a plain tree as orjson writes it. NULL without an exception: Python has to see to it. */
static PyObject *json_of(PyObject *dumps, PyObject *data)
{
    Py_ssize_t values = MOST_VALUES, characters = MOST_CHARACTERS;
    int is_ours = Py_TYPE(data) == &PyDict_Type && is_plain(data, 0, &values, &characters);
    PyErr_Clear(); /* a text's length may fail, for want of memory */
    /* orjson ends the process where it gets no memory; what is not written to costs nothing. */
    size_t size = (size_t)(MOST_CHARACTERS - characters + 4 * (MOST_VALUES - values));
    void *room = is_ours && size > SMALL ? PyMem_Malloc(6 * size) : NULL;
    if (!is_ours || (size > SMALL && room == NULL))
        return NULL;
    PyMem_Free(room);
    PyObject *json = PyObject_CallFunctionObjArgs(dumps, data, NULL);
    if (json != NULL && !PyBytes_Check(json))
        Py_CLEAR(json);
    /* A number of more than 64 bits, a text that has no encoding, no memory. */
    if (PyErr_Occurred() && (PyErr_ExceptionMatches(PyExc_TypeError)
                             || PyErr_ExceptionMatches(PyExc_MemoryError)))
        PyErr_Clear();
    return json;
}

/* ---- a look for secrets: telemetry_core/secret_screen.py makes the table of what for ---- */

enum { PAIRS = 256 * 256, ANCHORS = 256, IN_CHAIN = 12, LONGEST = 28, WORD_LENGTH = 8 };
enum { ANYWHERE, NAME, WORD };

typedef struct {
    unsigned char text[LONGEST], length, folds, offset, rule;
} Anchor;

typedef struct {
    unsigned char chain_of[PAIRS]; /* by two bytes: which anchors have them at their offset */
    unsigned char chains[ANCHORS][IN_CHAIN]; /* numbers of anchors, the last followed by 0 */
    Anchor anchors[ANCHORS];
} Screen;

static unsigned lowered(unsigned c) { return c >= 'A' && c <= 'Z' ? c | 32u : c; }

static int is_alnum(unsigned c)
{
    return (c >= '0' && c <= '9') || (lowered(c) >= 'a' && lowered(c) <= 'z');
}

/* Whether an anchor is at `at`, with what has to stand around it. */
static int is_found(const Anchor *anchor, const unsigned char *text, Py_ssize_t at, Py_ssize_t size)
{
    Py_ssize_t end = at + anchor->length, stop = end;
    if (at < 0 || end >= size || ((text[at] ^ anchor->text[0]) & ~32u) != 0)
        return 0;
    for (int n = 0; n < anchor->length; n++)
        if ((anchor->folds ? lowered(text[at + n]) : text[at + n]) != anchor->text[n])
            return 0;
    switch (anchor->rule) {
    case NAME:
        return memchr("0123456789\\\"' \t:=,.-", text[end], 20) != NULL;
    case WORD:
        /* Within a word it is none, unless the letter before it is the end of an escape. */
        if (at > 0 && is_alnum(text[at - 1]) && !(at > 1 && text[at - 2] == '\\')
            && !(at > 5 && text[at - 6] == '\\'))
            return 0;
        while (stop < size && (is_alnum(text[stop]) || text[stop] == '_' || text[stop] == '-'))
            if (++stop == end + WORD_LENGTH)
                return 1;
        return 0;
    default:
        return 1;
    }
}

/* Whether a URL in a text has a password. */
static int has_password(const unsigned char *text, Py_ssize_t size)
{
    const unsigned char *stop = memrchr(text, '@', (size_t)size), *found = text;
    while (stop != NULL && (found = memmem(found, (size_t)(stop - found), "://", 3)) != NULL) {
        for (found += 3; *found > ' ' && memchr("/@\"'\\<>", *found, 7) == NULL;)
            found++; /* to the last `@` at most */
        if (*found == '@')
            return 1;
    }
    return 0;
}

/* Whether a text may hold a secret. Every anchor is known by two pairs of its bytes, one at an
 * even and one at an odd offset, so that it is enough to look at every other place. */
static int may_have_secret(const Screen *screen, const unsigned char *text, Py_ssize_t size)
{
    for (Py_ssize_t at = 0; at + 1 < size; at += 2) {
        int chain = screen->chain_of[text[at] << 8 | text[at + 1]];
        for (int n = 0; chain && n < IN_CHAIN && screen->chains[chain][n]; n++) {
            const Anchor *anchor = &screen->anchors[screen->chains[chain][n]];
            if (is_found(anchor, text, at - anchor->offset, size))
                return 1;
        }
    }
    return has_password(text, size);
}

/* ---- the append: telemetry_core/shared_log.py has the same in Python ---- */

static const int64_t SECOND = 1000000000, FIRST_PAUSE = 50000, LONGEST_PAUSE = 2000000;
/* Longer waits are Python's, where signal handlers run meanwhile. */
static const int64_t LONGEST_WAIT = 5000000;

typedef struct {
    int fd;
    unsigned long long device, inode;
} File;

/* What an append needs, and what it finds: copied, so that nobody changes it meanwhile. */
typedef struct {
    File lock, log;
    long long end; /* where the log's last line ended that this process wrote */
    int64_t budget; /* nanoseconds that the lock may be waited for; then what is left of them */
} Place;

static int64_t monotonic(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND + now.tv_nsec;
}

static int64_t nanoseconds(double seconds)
{
    return seconds > 0 && seconds <= 3600 ? (int64_t)(seconds * 1e9) : 0;
}

/* Return the size of a file that is the one that was opened and still has a name, else -1. */
static int64_t size_of(const File *file)
{
    struct stat found;
    int is_it = fstat(file->fd, &found) == 0 && found.st_ino == file->inode
                && found.st_dev == file->device && found.st_nlink > 0;
    return is_it ? found.st_size : -1;
}

static int ends_line(int fd, int64_t at)
{
    char last = 0;
    return at == 0 || (at > 0 && pread(fd, &last, 1, at - 1) == 1 && last == '\n');
}

static int take_lock(Place *place)
{
    int64_t pause = FIRST_PAUSE, most = place->budget < LONGEST_WAIT ? place->budget : LONGEST_WAIT;
    while (flock(place->lock.fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK || most <= 0)
            return 0;
        struct timespec nap = {0, pause < most ? pause : most};
        int64_t before = monotonic();
        int is_interrupted = nanosleep(&nap, NULL) != 0;
        int64_t slept = monotonic() - before;
        /* The clock may stand still: each pause counts as long as it was meant to be. */
        slept = slept > nap.tv_nsec || is_interrupted ? slept : nap.tv_nsec;
        most -= slept;
        place->budget -= slept;
        if (is_interrupted)
            return 0; /* for the signal's handler */
        pause = 2 * pause < LONGEST_PAUSE ? 2 * pause : LONGEST_PAUSE;
    }
    return 1;
}

/* Append with the lock held; whether the line is there, whole, and behind a newline. */
static int write_line(Place *place, const char *line, Py_ssize_t size)
{
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
static int append_to(Place *place, const char *line, Py_ssize_t size, int is_synced)
{
    if (size_of(&place->lock) < 0 || !take_lock(place))
        return 0;
    int is_written = write_line(place, line, size);
    int is_released = flock(place->lock.fd, LOCK_UN) == 0;
    return is_written && is_released && (!is_synced || fdatasync(place->log.fd) == 0);
}

typedef struct {
    PyObject_HEAD
    PyObject *dumps;             /* orjson's */
    PyObject *acquire, *release; /* of the writer's mutex; the first does not wait */
    PyObject *redactor, *table;  /* whose secrets are looked for, and by which Screen, if at all */
    Place place;
    char day[DAY + 1], source[256];
    int is_armed, can_sync;
    int64_t due;            /* when Python looks at the paths again */
    Py_ssize_t most, count; /* appends until then, at most, and made */
} Appender;

/* Append a line; whether it is in the log. No Python code runs in here. */
static int append(Appender *self, PyObject *line, const Tick *tick, int is_synced, double *budget)
{
    if (!self->is_armed || memcmp(tick->day, self->day, DAY) != 0 || self->count >= self->most
        || (is_synced && !self->can_sync) || monotonic() >= self->due)
        return 0;
    PyObject *release = NULL, *answer;
    keep(&release, self->release);
    answer = PyObject_CallNoArgs(self->acquire);
    int is_ours = answer == Py_True, is_written = 0;
    if (is_ours && self->is_armed) {
        /* Whoever has the mutex has the place: nobody else changes it, or closes its files. */
        Place place = self->place;
        const char *text = PyBytes_AsString(line);
        Py_ssize_t size = PyBytes_Size(line);
        place.budget = nanoseconds(*budget);
        Py_BEGIN_ALLOW_THREADS
        is_written = append_to(&place, text, size, is_synced);
        Py_END_ALLOW_THREADS
        *budget = place.budget > 0 ? (double)place.budget / 1e9 : 0;
        self->place.end = place.end;
        self->count++;
    }
    if (is_ours)
        Py_XDECREF(PyObject_CallNoArgs(release));
    PyErr_Clear();
    Py_XDECREF(answer);
    keep(&release, NULL);
    return is_written;
}

/* Return an ASCII text of at most 1,000 characters that JSON writes as it is, else NULL. */
static const char *simple_text(PyObject *value)
{
    Py_ssize_t size = 0;
    int is_text = Py_TYPE(value) == &PyUnicode_Type;
    const char *text = is_text ? PyUnicode_AsUTF8AndSize(value, &size) : NULL;
    int is_simple = text != NULL && size > 0 && size <= 1000;
    PyErr_Clear();
    for (Py_ssize_t at = 0; is_simple && at < size; at++)
        is_simple = text[at] >= ' ' && text[at] <= '~' && text[at] != '"' && text[at] != '\\';
    return is_simple ? text : NULL;
}

/* Take a tick from a Ticker, or read one that Python has made; whether there is one. */
static int tick_of(PyObject *when, Tick *tick)
{
    const char *id, *time, *day;
    if (PyType_GetSlot(Py_TYPE(when), Py_tp_dealloc) == (void *)ticker_free)
        return take_tick((Ticker *)when, tick) == 0;
    if (!PyTuple_Check(when) || !PyArg_ParseTuple(when, "sss", &id, &time, &day)
        || strlen(id) != ID || strlen(time) != TIME || strlen(day) != DAY) {
        PyErr_Clear();
        return 0;
    }
    memcpy(tick->id, id, ID + 1);
    memcpy(tick->time, time, TIME + 1);
    memcpy(tick->day, day, DAY + 1);
    return 1;
}

/* Make the line of an event. NULL without an exception: Python has to see to it. */
static PyObject *line_of(Appender *self, PyObject *const *args, Tick *tick)
{
    const char *kind = simple_text(args[0]), *run = simple_text(args[1]);
    if (kind == NULL || run == NULL || self->dumps == NULL || args[4] != self->redactor)
        return NULL;
    PyObject *line = NULL, *json = json_of(self->dumps, args[2]);
    if (json == NULL)
        return NULL;
    const void *data = PyBytes_AsString(json);
    const void *screen = self->table == NULL ? NULL : PyBytes_AsString(self->table);
    Py_ssize_t size = PyBytes_Size(json);
    int is_harmless = screen == NULL || !may_have_secret(screen, data, size);
    if (is_harmless && size <= MOST_BYTES && tick_of(args[3], tick)) {
        line = PyBytes_FromFormat("{\"specversion\":\"1.0\",\"id\":\"%s\",\"source\":\"%s\","
                                  "\"type\":\"%s\",\"subject\":\"%s\",\"time\":\"%s\","
                                  "\"data\":%s}\n",
                                  tick->id, self->source, kind, run, tick->time,
                                  (const char *)data);
        if (line == NULL)
            PyErr_Clear();
    }
    Py_DECREF(json);
    return line;
}

/* emit(kind, run id, data, tick, redactor, is synced, budget): append an event. Return its id once
 * the log has it; with its line, day and what is left of the budget if it has not; None if there is
 * no line. With a negative budget nothing is appended. */
static PyObject *appender_emit(PyObject *object, PyObject *const *args, Py_ssize_t count)
{
    Appender *self = (Appender *)object;
    Tick tick;
    double budget = count == 7 ? PyFloat_AsDouble(args[6]) : -1;
    if (count != 7 || PyErr_Occurred())
        return PyErr_Format(PyExc_TypeError, "emit takes seven arguments, the last a number");
    PyObject *line = line_of(self, args, &tick), *done;
    if (line == NULL && PyErr_Occurred())
        return NULL;
    if (line == NULL)
        Py_RETURN_NONE;
    if (budget >= 0 && append(self, line, &tick, args[5] == Py_True, &budget))
        done = PyUnicode_FromString(tick.id);
    else
        done = Py_BuildValue("(sOsd)", tick.id, line, tick.day, budget);
    Py_DECREF(line);
    return done;
}

/* Whether a table may be a Screen: nothing in it leads out of it. */
static int is_screen(PyObject *table)
{
    if (!PyBytes_Check(table) || PyBytes_Size(table) != (Py_ssize_t)sizeof(Screen))
        return 0;
    const Screen *screen = (const Screen *)PyBytes_AsString(table);
    for (int at = 0; at < ANCHORS; at++)
        if (screen->anchors[at].length > LONGEST)
            return 0;
    return 1;
}

/* Take over from Python, which has just appended: see _speed.pyi for the arguments. */
static PyObject *appender_arm(PyObject *object, PyObject *args)
{
    Appender *self = (Appender *)object;
    Place *place = &self->place;
    PyObject *source, *dumps, *acquire, *release, *redactor, *table;
    const char *day;
    double seconds;
    self->is_armed = 0;
    if (!PyArg_ParseTuple(args, "(UOOO)(OO)(iKK)(iKK)sLpdn:arm", &source, &dumps, &acquire,
                          &release, &redactor, &table, &place->lock.fd, &place->lock.device,
                          &place->lock.inode, &place->log.fd, &place->log.device,
                          &place->log.inode, &day, &place->end, &self->can_sync, &seconds,
                          &self->most))
        return NULL;
    const char *text = simple_text(source);
    if (text == NULL || strlen(text) >= sizeof self->source || strlen(day) != DAY
        || !(table == Py_None || is_screen(table)))
        Py_RETURN_NONE; /* then Python goes on alone */
    memcpy(self->source, text, strlen(text) + 1);
    memcpy(self->day, day, DAY + 1);
    keep(&self->dumps, dumps);
    keep(&self->acquire, acquire);
    keep(&self->release, release);
    keep(&self->redactor, redactor);
    keep(&self->table, table == Py_None ? NULL : table);
    self->due = monotonic() + nanoseconds(seconds);
    self->count = 0;
    self->is_armed = 1;
    Py_RETURN_NONE;
}

/* Leave the files to Python; return where the last line ended, -1 if unknown, and the appends. */
static PyObject *appender_disarm(PyObject *object, PyObject *unused)
{
    (void)unused;
    Appender *self = (Appender *)object;
    PyObject *found = Py_BuildValue("(Ln)", self->is_armed ? self->place.end : -1, self->count);
    self->is_armed = 0;
    self->count = 0;
    return found;
}

static void appender_free(PyObject *object)
{
    Appender *self = (Appender *)object;
    PyObject **kept[] = {&self->dumps, &self->acquire, &self->release, &self->redactor,
                         &self->table};
    for (size_t at = 0; at < sizeof kept / sizeof *kept; at++)
        keep(kept[at], NULL);
    free_object(object);
}

static PyMethodDef appender_methods[] = {
    {"emit", (PyCFunction)(void (*)(void))appender_emit, METH_FASTCALL, "Append an event."},
    {"arm", appender_arm, METH_VARARGS, "Take over from Python."},
    {"disarm", appender_disarm, METH_NOARGS, "Leave the files to Python."},
    {NULL, NULL, 0, NULL},
};
static PyType_Slot appender_slots[] = {
    {Py_tp_dealloc, (void *)appender_free}, {Py_tp_methods, appender_methods}, {0, NULL}};
static PyType_Spec appender_spec = {
    "telemetry_core._speed.Appender", sizeof(Appender), 0, Py_TPFLAGS_DEFAULT, appender_slots};

/* ---- the module ---- */

static int module_exec(PyObject *module)
{
    if (PyInterpreterState_GetID(PyInterpreterState_Get()) != 0) {
        PyErr_SetString(PyExc_ImportError, "_speed is for the main interpreter only");
        return -1;
    }
    PyType_Spec *specs[] = {&ticker_spec, &appender_spec};
    for (size_t at = 0; at < sizeof specs / sizeof *specs; at++) {
        PyObject *type = PyType_FromModuleAndSpec(module, specs[at], NULL);
        int failed = type == NULL ? -1 : PyModule_AddType(module, (PyTypeObject *)type);
        Py_XDECREF(type);
        if (failed)
            return -1;
    }
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, (void *)module_exec}, {0, NULL}};
static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT, "_speed", "The writer's hot path.", 0, NULL, module_slots, NULL, NULL,
    NULL};

PyMODINIT_FUNC PyInit__speed(void) { return PyModuleDef_Init(&module_def); }
