/* The program gearfast: Python runs inside it, so /proc/PID/exe, pidof and start-stop-daemon see gearfast (docs/process.md).

   Beside it lies gearfast-python, a script. Its first line names the interpreter of this installation: whoever unpacks
   a wheel writes it there. That interpreter's library is loaded, from the folders where it belongs and from no others,
   and does what the interpreter would do: same version, same environment, same variables. Where there is none, the
   script is run: everything works, but the process is an interpreter's. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* LIBRARY, such as "libpython3.11.so.1.0", and MULTIARCH, such as "x86_64-linux-gnu", are given by setup.py. */
static const char *const PLACES[] = {"lib", "lib64", "lib/" MULTIARCH};

/* The name this program was called by is the first word behind; sys.argv begins with it. */
static char CODE[] = "import sys; del sys.argv[0]; from gearfast.cli import main; sys.exit(main())";

typedef int (*Main)(int, char **);

/* Read the first line of a script as "#!interpreter [options]"; return whether it names a Python. */
static int read_interpreter(const char *script, char *python, int size, char **options) {
    FILE *file = fopen(script, "re");
    char *read = file == NULL ? NULL : fgets(python, size, file);
    if (file != NULL)
        fclose(file);
    if (read == NULL || strncmp(python, "#!", 2) != 0)
        return 0;
    python[strcspn(python, "\r\n")] = '\0';
    char *path = python + 2 + strspn(python + 2, " \t");
    memmove(python, path, strlen(path) + 1);
    *options = strstr(python, " -"); /* a path may have blanks, as pip writes it */
    if (*options != NULL)
        *(*options)++ = '\0';
    char *name = strrchr(python, '/');
    return name != NULL && strncmp(name, "/python", 7) == 0;
}

/* Load the library that belongs to the interpreters of a folder. */
static void *load_from(const char *folder) {
    char path[2 * PATH_MAX];
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        snprintf(path, sizeof path, "%s/../%s/" LIBRARY, folder, PLACES[i]);
        void *library = dlopen(path, RTLD_NOW | RTLD_GLOBAL); /* modules look for its functions among the global ones */
        if (library != NULL)
            return library;
    }
    return NULL;
}

/* Say where the interpreters lie of which an environment was made; needed where they were copied, not linked to. */
static int read_home(const char *python, char *home) {
    char line[PATH_MAX + 16];
    snprintf(line, sizeof line, "%.*s/../pyvenv.cfg", (int)(strrchr(python, '/') - python), python);
    FILE *file = fopen(line, "re");
    int found = 0;
    while (file != NULL && !found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, " home = %4095[^\r\n]", home) == 1;
    if (file != NULL)
        fclose(file);
    return found;
}

/* Return what an interpreter does with its words, if it has a library. */
static Main main_of(const char *python) {
    char folder[PATH_MAX];
    void *library = NULL;
    if (realpath(python, folder) != NULL) {
        *strrchr(folder, '/') = '\0';
        library = load_from(folder);
    }
    if (library == NULL && read_home(python, folder))
        library = load_from(folder);
    return library == NULL ? NULL : (Main)dlsym(library, "Py_BytesMain");
}

/* Be the interpreter, with a program and its words. */
static int run(Main python_main, char *python, char *options, int argc, char **argv) {
    char **words = calloc((size_t)argc + 6, sizeof *words);
    int count = 0;
    if (words == NULL)
        return 1;
    words[count++] = python;
    if (options != NULL)
        words[count++] = options;
    words[count++] = "-P"; /* the working directory is no place for modules */
    words[count++] = "-c";
    words[count++] = CODE;
    for (int i = 0; i < argc; i++)
        words[count++] = argv[i];
    return python_main(count, words);
}

int main(int argc, char **argv) {
    static char script[PATH_MAX + 8], python[PATH_MAX];
    char *options = NULL;
    ssize_t length = readlink("/proc/self/exe", script, PATH_MAX - 1);
    if (length < 0 || argc < 1) {
        fprintf(stderr, "gearfast: /proc is not mounted. Mount it, or start: python -m gearfast\n");
        return 1;
    }
    strcpy(script + length, "-python");
    if (read_interpreter(script, python, sizeof python, &options)) {
        Main python_main = main_of(python);
        if (python_main != NULL)
            return run(python_main, python, options, argc, argv);
    }
    argv[0] = script;
    execv(script, argv);
    fprintf(stderr, "gearfast: cannot run %s (%s). Link to the installed gearfast instead of copying it, or install it again\n",
            script, strerror(errno));
    return 1;
}
