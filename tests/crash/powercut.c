/* Keeps, beside every file in one folder, what of it would be left if the power failed now.
 *
 * Loaded into a server with LD_PRELOAD. Each time a file in the folder POWERCUT_WATCH is forced to disk, its content is
 * copied to a file of that name in the folder POWERCUT_SHADOW, at once or not at all. A file that is deleted keeps its
 * shadow, and gets a second one with ".gone" behind its name, until the folder itself is forced to disk.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static void fail(const char *what) {
    fprintf(stderr, "powercut: %s: %s\n", what, strerror(errno));
    abort(); /* the campaign sees a server that died by itself */
}

/* The name of a file in the watched folder, "" for the folder itself, NULL for anything else. */
static const char *watched(const char *path) {
    const char *folder = getenv("POWERCUT_WATCH");
    size_t size = folder ? strlen(folder) : 0;
    if (!size || strncmp(path, folder, size) != 0) return NULL;
    if (path[size] == 0) return path + size;
    return path[size] == '/' && !strchr(path + size + 1, '/') ? path + size + 1 : NULL;
}

static void shadow(char *path, const char *name, const char *end) {
    snprintf(path, PATH_MAX, "%s/%s%s", getenv("POWERCUT_SHADOW"), name, end);
}

static void keep(const char *from, const char *name) {
    char unfinished[PATH_MAX], kept[PATH_MAX], gone[PATH_MAX];
    struct stat status;
    int in, out;
    ssize_t sent = 1;
    shadow(unfinished, name, ".unfinished");
    shadow(kept, name, "");
    shadow(gone, name, ".gone");
    in = open(from, O_RDONLY | O_CLOEXEC);
    out = open(unfinished, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (in < 0 || out < 0 || fstat(in, &status) != 0) fail(from);
    while (sent > 0) sent = sendfile(out, in, NULL, 1 << 24);
    if (sent < 0) fail("copy");
    close(in);
    close(out);
    if (rename(unfinished, kept) != 0) fail("rename");
    remove(gone);
}

/* The folder is on the disk: what was deleted is. */
static void settle_folder(void) {
    DIR *folder = opendir(getenv("POWERCUT_SHADOW"));
    struct dirent *entry;
    char path[PATH_MAX], name[NAME_MAX + 1];
    if (!folder) fail("shadow");
    while ((entry = readdir(folder)) != NULL) {
        size_t size = strlen(entry->d_name);
        if (size <= 5 || strcmp(entry->d_name + size - 5, ".gone") != 0) continue;
        memcpy(name, entry->d_name, size - 5);
        name[size - 5] = 0;
        shadow(path, name, "");
        remove(path);
        shadow(path, name, ".gone");
        remove(path);
    }
    closedir(folder);
}

static int synced(int file, const char *call) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);
    int result = real(file);
    char link[64], path[PATH_MAX];
    const char *name;
    ssize_t size;
    if (result != 0) return result;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    size = readlink(link, path, sizeof path - 1);
    if (size < 0) return result;
    path[size] = 0;
    name = watched(path);
    if (!name) return result;
    pthread_mutex_lock(&one_at_a_time);
    if (*name)
        keep(link, name);
    else
        settle_folder();
    pthread_mutex_unlock(&one_at_a_time);
    return result;
}

int fsync(int file) { return synced(file, "fsync"); }

int fdatasync(int file) { return synced(file, "fdatasync"); }

int unlink(const char *path) {
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    int result = real(path);
    const char *name = result == 0 ? watched(path) : NULL;
    char kept[PATH_MAX], gone[PATH_MAX];
    if (name && *name) {
        shadow(kept, name, "");
        shadow(gone, name, ".gone");
        if (access(kept, F_OK) == 0) close(open(gone, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
    return result;
}
