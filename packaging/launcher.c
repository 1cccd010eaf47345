/* The program gearfast: Python runs inside it, so /proc/PID/exe, pidof and start-stop-daemon see gearfast.

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
#include <sys/auxv.h>
#include <unistd.h>

/* LIBRARY, such as "libpython3.11.so.1.0", and MULTIARCH, such as "x86_64-linux-gnu", are given by setup.py. */
static const char *const PLACES[] = {"lib", "lib64", "lib/" MULTIARCH};

/* What the interpreter is to do: no modules from the working directory, and sys.argv begins with the word behind the
   code, which is what this program was called by. */
static char *const INSIDE[] = {
    "-P", "-c", "import sys; del sys.argv[0]; from gearfast.cli.program import main; sys.exit(main())", NULL};

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
    *options = access(python, X_OK) == 0 ? NULL : strstr(python, " -"); /* there may be blanks in the path, too */
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

/* Return a command line for the interpreter: it, its options, what it is to do, and the words behind. */
static char **command_line(char *python, char *options, char *const *what, char *const *words, int *count) {
    size_t most = 2;
    for (char *const *word = what; *word != NULL; word++)
        most++;
    for (char *const *word = words; *word != NULL; word++)
        most++;
    char **line = calloc(most + 1, sizeof *line);
    if (line == NULL)
        abort();
    *count = 0;
    line[(*count)++] = python;
    if (options != NULL)
        line[(*count)++] = options;
    while (*what != NULL)
        line[(*count)++] = *what++;
    while (*words != NULL)
        line[(*count)++] = *words++;
    return line;
}

int main(int argc, char **argv) {
    static char script[PATH_MAX + 8], python[PATH_MAX];
    char *const alone[] = {script, NULL};
    char *options = NULL;
    const char *called = (const char *)getauxval(AT_EXECFN); /* as it was executed; a chroot may be without /proc */
    if (argc < 1 || realpath(called, script) == NULL) {
        fprintf(stderr, "gearfast: cannot say where it lies (%s). Start: python -m gearfast\n", strerror(errno));
        return 1;
    }
    strcat(script, "-python");
    if (read_interpreter(script, python, sizeof python, &options)) {
        Main python_main = main_of(python);
        if (python_main != NULL) {
            char **line = command_line(python, options, INSIDE, argv, &argc);
            return python_main(argc, line);
        }
        execv(python, command_line(python, options, alone, argv + 1, &argc));
    }
    argv[0] = script;
    execv(script, argv); /* some installers write a line for a shell, which finds the interpreter */
    fprintf(stderr, "gearfast: cannot run %s (%s). %s\n", script, strerror(errno),
            "Link to the installed gearfast instead of copying it, or install it again");
    return 1;
}
