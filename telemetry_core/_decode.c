/* The indexer's hot path: lines as our own writer spells them, as rows of `run_events`.
 *
 * indexer/ingest/parse.py calls it, and has every other line decoded in Python, the reference.
 * What is around the data is read here; the data is orjson's to judge and to write, as it is in
 * Python. All of this runs with the GIL, and nothing static changes. No loop goes past the byte 0
 * that is behind every bytes object.
 */
#include "_speed.h"

typedef struct { const char *at; Py_ssize_t size; } Text;
typedef struct { Text id, source, type, run_id, time, event_type, extra, data; } Line;

static int skip_word(const char **at, const char *word) {
    size_t size = strlen(word);
    int is_there = strncmp(*at, word, size) == 0;
    *at += is_there ? size : 0;
    return is_there;
}

/* Read a word, and the text behind it if that is not empty and has no escapes; whether it is so. */
static int read_text(const char **at, const char *word, Text *text) {
    if (!skip_word(at, word))
        return 0;
    text->at = *at;
    while ((unsigned char)**at >= ' ' && **at != '"' && **at != '\\')
        ++*at;
    text->size = *at - text->at;
    return text->size > 0 && skip_word(at, "\"");
}

/* Whether a text is a time as telemetry_core/timestamp.py writes it; a leap day is Python's. */
static int is_time(Text time) {
    static const char most[] = "9999-19-39T29:59:59.999999Z";
    const char *at = time.at;
    if (time.size != (Py_ssize_t)sizeof most - 1)
        return 0;
    for (int n = 0; most[n]; n++)
        if (at[n] > most[n] || at[n] < (most[n] < '0' || most[n] > '9' ? most[n] : '0'))
            return 0;
    int month = 10 * at[5] + at[6] - 11 * '0', day = 10 * at[8] + at[9] - 11 * '0';
    return strncmp(at, "0000", 4) != 0 && month > 0 && month < 13 && day > 0
           && day <= (month == 2 ? 28 : 30 + (month + month / 8) % 2)
           && (at[11] < '2' || at[12] < '4');
}

/* Find the parts of a line; whether it is spelled as ours are. The data may still be anything. */
static int read_line(const char *at, Py_ssize_t size, Line *line) {
    const char *end = at + size;
    Text ignored;
    if (!read_text(&at, "{\"specversion\":\"1.0\",\"id\":\"", &line->id)
        || !read_text(&at, ",\"source\":\"", &line->source)
        || !read_text(&at, ",\"type\":\"", &line->type)
        || !read_text(&at, ",\"subject\":\"", &line->run_id)
        || !read_text(&at, ",\"time\":\"", &line->time) || !is_time(line->time))
        return 0;
    line->extra.at = at + 1;
    read_text(&at, ",\"traceparent\":\"", &ignored);
    read_text(&at, ",\"processstart\":\"", &ignored);
    line->extra.size = at - line->extra.at; /* -1 if there is none */
    line->event_type = line->type;
    if (!skip_word(&at, ",\"data\":") || end[-1] != '}')
        return 0;
    end--;
    if (line->type.size == 9 && strncmp(line->type.at, "run.event", 9) == 0) {
        if (!read_text(&at, "{\"event_type\":\"", &line->event_type)
            || !skip_word(&at, ",\"payload\":") || end[-1] != '}')
            return 0;
        end--;
    }
    line->data = (Text){at, end - at};
    return at < end;
}

/* Whether a line is left to Python: nothing went wrong but that orjson or the encoding refused. */
static int is_for_python(void) {
    int is_fine = PyErr_Occurred() == NULL || PyErr_ExceptionMatches(PyExc_ValueError)
                  || PyErr_ExceptionMatches(PyExc_TypeError);
    if (is_fine)
        PyErr_Clear();
    return is_fine;
}

/* Return the row of a line, or NULL. */
static PyObject *row_of(const Line *line, PyObject *const *given, unsigned long long offset,
                        Py_ssize_t length) {
    PyObject *file = given[1], *loads = given[3], *dumps = given[4], *row = NULL, *extra = NULL;
    PyObject *data = PyObject_CallFunction(loads, "y#", line->data.at, line->data.size);
    /* Two levels down, as in its line: orjson refuses what nests too deep, and Python cuts it. */
    PyObject *inside = data == NULL ? NULL : Py_BuildValue("((O))", data);
    PyObject *json = inside == NULL ? NULL : PyObject_CallFunctionObjArgs(dumps, inside, NULL);
    if (json != NULL && line->extra.size > 0)
        extra = PyUnicode_FromStringAndSize(line->extra.at, line->extra.size);
    if (json != NULL && PyBytes_Check(json) && PyBytes_Size(json) > 4 && !PyErr_Occurred())
        row = Py_BuildValue(
            "(s#s#s#s#s#s#s#NOKn)", line->run_id.at, line->run_id.size, line->id.at, line->id.size,
            line->event_type.at, line->event_type.size, line->time.at, line->time.size,
            line->type.at, line->type.size, line->source.at, line->source.size,
            data == Py_None ? NULL : PyBytes_AsString(json) + 2, PyBytes_Size(json) - 4,
            extra == NULL ? Py_NewRef(Py_None) : PyUnicode_FromFormat("{%U}", extra), file, offset,
            length);
    Py_XDECREF(data);
    Py_XDECREF(inside);
    Py_XDECREF(json);
    Py_XDECREF(extra);
    return row;
}

/* usual_rows(lines, file, offset, loads, dumps): see _speed.pyi. */
PyObject *usual_rows(PyObject *module, PyObject *const *args, Py_ssize_t count) {
    (void)module;
    if (count != 5 || !PyList_Check(args[0]))
        return PyErr_Format(PyExc_TypeError, "usual_rows takes a list and four arguments more");
    unsigned long long offset = PyLong_AsUnsignedLongLongMask(args[2]);
    /* A copy, which holds the lines: what the collector of garbage runs may change the list. */
    PyObject *lines = PyList_AsTuple(args[0]), *found = Py_BuildValue("([][])");
    int is_done = lines != NULL && found != NULL && !PyErr_Occurred();
    for (Py_ssize_t at = 0, size = 0; is_done && at < PyTuple_Size(lines); at++) {
        Line line;
        char *content;
        PyObject *row = NULL, *odd = NULL;
        is_done = PyBytes_AsStringAndSize(PyTuple_GetItem(lines, at), &content, &size) == 0;
        if (is_done && read_line(content, size, &line))
            row = row_of(&line, args, offset, size + 1);
        if (row == NULL && is_done && is_for_python()) {
            row = Py_NewRef(Py_None);
            odd = Py_BuildValue("(nK)", at, offset);
            is_done = odd != NULL && PyList_Append(PyTuple_GetItem(found, 1), odd) == 0;
        }
        is_done = is_done && row != NULL && PyList_Append(PyTuple_GetItem(found, 0), row) == 0;
        Py_XDECREF(row);
        Py_XDECREF(odd);
        offset += (unsigned long long)size + 1;
    }
    if (!is_done)
        Py_CLEAR(found);
    Py_XDECREF(lines);
    return found;
}
