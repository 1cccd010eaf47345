/* The memory that the broker and the sessions ask for: one request of it is refused, when a test says which. For LD_PRELOAD.

   What Python and the C library ask for themselves is always given, so a test goes on. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
static void *(*real_mmap)(void *, size_t, int, int, int, off_t);
static long left;

/* Refuse the request that comes after so many others, from 1 on; 0: none. Tells whether the last one was reached. */
int refuse(long which) {
    int reached = left == 0;
    real_mmap = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
    left = which;
    return reached;
}

static int refused(const void *caller) {
    Dl_info info;
    if (left == 0 || !dladdr(caller, &info) || info.dli_fname == NULL)
        return 0;
    if (!strstr(info.dli_fname, "/gearfast/broker/") && !strstr(info.dli_fname, "/gearfast/ground/")
        && !strstr(info.dli_fname, "/gearfast/server/"))
        return 0;
    return --left == 0;
}

#define OR_NONE(given, none) (refused(__builtin_return_address(0)) ? (errno = ENOMEM, none) : (given))

void *malloc(size_t size) { return OR_NONE(__libc_malloc(size), NULL); }
void *calloc(size_t count, size_t size) { return OR_NONE(__libc_calloc(count, size), NULL); }
void *realloc(void *at, size_t size) { return OR_NONE(__libc_realloc(at, size), NULL); }

void *mmap(void *at, size_t size, int protection, int flags, int file, off_t offset) {
    if (real_mmap == NULL)
        real_mmap = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
    return OR_NONE(real_mmap(at, size, protection, flags, file, offset), MAP_FAILED);
}
