/* The faults: makes one chosen system call under one directory fail, fall short or kill.
 *
 * Loaded before the C library (LD_PRELOAD), so Python's calls and SQLite's both pass through it.
 * Every call on a path below the watched directory, or on a descriptor opened there, is counted;
 * the call with the chosen number meets the fault. Nothing happens until it is armed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum { KILL_BEFORE, KILL_AFTER, TORN, SHORT, ERROR, THROWN };
enum { OPEN, WRITE, SYNC, TRUNCATE, UNLINK, RENAME, MKDIR, LOCK, READ, STAT, KINDS };

#define MAX_FDS 4096
#define MAX_CALLS 65536

static char directory[PATH_MAX];
static size_t directory_length;
static unsigned kinds;                 /* a bit for each kind of call that is counted */
static long chosen;                    /* the number of the call that meets the fault, from 1 */
static int action, error_number, goes_on;
static atomic_long count;
static atomic_long met;
static unsigned char kind_of_call[MAX_CALLS];
static unsigned char watched[MAX_FDS]; /* descriptors opened below the directory */
static __thread int inside;            /* our own calls are not counted */

void faults_arm(const char *path, unsigned which, long number, int what, int error, int sticky)
{
    strncpy(directory, path, sizeof directory - 1);
    kinds = which;
    chosen = number;
    action = what;
    error_number = error;
    goes_on = sticky;
    atomic_store(&count, 0);
    atomic_store(&met, 0);
    directory_length = strlen(directory);
}

void faults_disarm(void) { directory_length = 0; }

/* How many calls there were, as far as their kinds are known: tries at a lock that fails for good
 * can be a hundred thousand. */
long faults_count(void)
{
    long number = atomic_load(&count);
    return number < MAX_CALLS ? number : MAX_CALLS;
}

long faults_met(void) { return atomic_load(&met); }
const unsigned char *faults_kinds(void) { return kind_of_call; }

static int is_below(const char *path)
{
    return directory_length && path && !strncmp(path, directory, directory_length);
}

static int is_watched(int fd) { return directory_length && fd >= 0 && fd < MAX_FDS && watched[fd]; }

/* Count a call; return whether it is the one. */
static int is_chosen(int kind)
{
    if (inside || !(kinds & (1u << kind)))
        return 0;
    long number = atomic_fetch_add(&count, 1) + 1;
    if (number <= MAX_CALLS)
        kind_of_call[number - 1] = (unsigned char)kind;
    if (!chosen || !(number == chosen || (goes_on && number > chosen)))
        return 0;
    atomic_fetch_add(&met, 1);
    return 1;
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Meet the fault before the call is made; return whether it is not to be made at all. */
static int meet(int is_the_one)
{
    if (!is_the_one)
        return 0;
    if (action == KILL_BEFORE)
        die();
    if (action == ERROR) {
        errno = error_number;
        return 1;
    }
    return 0;
}

static void meet_after(int is_the_one)
{
    if (is_the_one && (action == KILL_AFTER || action == TORN))
        die();
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int note_fd(int fd, int ours)
{
    if (fd >= 0 && fd < MAX_FDS)
        watched[fd] = (unsigned char)ours;
    return fd;
}

#define OPENER(name, parameters, arguments, path) \
    int name parameters \
    { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        int ours = is_below(path), one = ours && is_chosen(OPEN); \
        if (meet(one)) \
            return -1; \
        int fd = note_fd(real arguments, ours); \
        meet_after(one); \
        return fd; \
    }

OPENER(open, (const char *path, int flags, ...), (path, flags, mode), path)
OPENER(open64, (const char *path, int flags, ...), (path, flags, mode), path)
OPENER(openat, (int at, const char *path, int flags, ...), (at, path, flags, mode), path)
OPENER(openat64, (int at, const char *path, int flags, ...), (at, path, flags, mode), path)

int close(int fd)
{
    REAL(close);
    note_fd(fd, 0);
    return real(fd);
}

#define PLAIN(kind, type, name, parameters, arguments, ours) \
    type name parameters \
    { \
        REAL(name); \
        int one = (ours) && is_chosen(kind); \
        if (meet(one)) \
            return -1; \
        type result = real arguments; \
        meet_after(one); \
        return result; \
    }

PLAIN(SYNC, int, fsync, (int fd), (fd), is_watched(fd))
PLAIN(SYNC, int, fdatasync, (int fd), (fd), is_watched(fd))
PLAIN(TRUNCATE, int, ftruncate, (int fd, off_t size), (fd, size), is_watched(fd))
PLAIN(TRUNCATE, int, ftruncate64, (int fd, off64_t size), (fd, size), is_watched(fd))
PLAIN(UNLINK, int, unlink, (const char *path), (path), is_below(path))
PLAIN(RENAME, int, rename, (const char *from, const char *to), (from, to), is_below(to))
PLAIN(MKDIR, int, mkdir, (const char *path, mode_t mode), (path, mode), is_below(path))
PLAIN(LOCK, int, flock, (int fd, int how), (fd, how), is_watched(fd))
PLAIN(READ, ssize_t, read, (int fd, void *to, size_t size), (fd, to, size), is_watched(fd))
PLAIN(READ, ssize_t, pread64, (int fd, void *to, size_t size, off64_t at), (fd, to, size, at),
      is_watched(fd))
PLAIN(STAT, int, fstat64, (int fd, struct stat64 *to), (fd, to), is_watched(fd))
PLAIN(STAT, int, stat64, (const char *path, struct stat64 *to), (path, to), is_below(path))

static ssize_t fd_write(int fd, const void *from, size_t size)
{
    REAL(write);
    return real(fd, from, size);
}

/* A write that is chosen may also fall short, or be torn: half of it, and then the end. Or a program
 * that takes no lock throws a fragment in just before it. */
#define WRITER(name, parameters, whole, half) \
    ssize_t name parameters \
    { \
        REAL(name); \
        int one = is_watched(fd) && is_chosen(WRITE); \
        if (meet(one)) \
            return -1; \
        if (one && action == THROWN && fd_write(fd, "{\"half", 6) < 0) \
            return -1; \
        int is_cut = one && size > 1 && (action == SHORT || action == TORN); \
        ssize_t result = is_cut ? real half : real whole; \
        meet_after(one); \
        return result; \
    }

WRITER(write, (int fd, const void *from, size_t size), (fd, from, size), (fd, from, size / 2))
WRITER(pwrite64, (int fd, const void *from, size_t size, off64_t at), (fd, from, size, at),
       (fd, from, size / 2, at))

/* SQLite's locks. */
#define CONTROL(name) \
    int name(int fd, int command, ...) \
    { \
        REAL(name); \
        va_list rest; \
        va_start(rest, command); \
        void *argument = va_arg(rest, void *); \
        va_end(rest); \
        int is_lock = command == F_SETLK || command == F_SETLKW; \
        int one = is_lock && is_watched(fd) && is_chosen(LOCK); \
        if (meet(one)) \
            return -1; \
        int result = real(fd, command, argument); \
        meet_after(one); \
        return result; \
    }

CONTROL(fcntl)
CONTROL(fcntl64)

/* Where a lock fails for good SQLite tries for ten seconds, and counts its tries, not the time:
 * once a fault was met, it sleeps for a hundredth of what it asks for. */
static int is_hurried(void) { return directory_length && atomic_load(&met); }

int usleep(useconds_t micros)
{
    REAL(usleep);
    return real(is_hurried() ? micros / 100 : micros);
}

int nanosleep(const struct timespec *asked, struct timespec *left)
{
    REAL(nanosleep);
    struct timespec hurried = {asked->tv_sec / 100,
                               (asked->tv_sec % 100 * 1000000000L + asked->tv_nsec) / 100};
    return real(is_hurried() ? &hurried : asked, left);
}
