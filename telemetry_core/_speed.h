/* What the files of the extension have in common: the stable ABI of CPython 3.10 and newer. */
#define PY_SSIZE_T_CLEAN
#define _GNU_SOURCE
#define Py_LIMITED_API 0x030A0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

PyObject *usual_rows(PyObject *module, PyObject *const *args, Py_ssize_t count);
