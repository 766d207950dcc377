/* Stands in for EGL, GBM and OpenGL ES where there is no graphics hardware: draws nothing, takes its time for it, and
 * after some frames does what STAND_IN says. Loaded before the real libraries (LD_PRELOAD) into stress-ng. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SOUND = 40, FRAME_US = 50000, ARGB8888 = 0x34325241, VENDOR = 0x1F00, RENDERER = 0x1F01, OUT_OF_MEMORY = 0x0505 };

static int frames;

static int does(const char *what)
{
    const char *told = getenv("STAND_IN");
    return told != NULL && strcmp(told, what) == 0;
}

#define GIVES(name) void *name() { return (void *)1L; }
#define DOES(name) void name() {}
GIVES(eglBindAPI) GIVES(eglCreatePlatformWindowSurface) GIVES(eglGetPlatformDisplay) GIVES(eglMakeCurrent)
GIVES(gbm_create_device) GIVES(gbm_surface_create) GIVES(glCreateProgram) GIVES(glCreateShader)
DOES(glAttachShader) DOES(glBindTexture) DOES(glClear) DOES(glClearColor) DOES(glCompileShader) DOES(glDeleteProgram)
DOES(glDeleteShader) DOES(glDrawArrays) DOES(glEnableVertexAttribArray) DOES(glGenTextures) DOES(glGetProgramInfoLog)
DOES(glGetShaderInfoLog) DOES(glLinkProgram) DOES(glShaderSource) DOES(glTexImage2D) DOES(glUniform1i)
DOES(glUseProgram) DOES(glVertexAttribPointer) DOES(glViewport)

int eglInitialize() { return !does("no-driver"); }
void *eglCreateContext() { return does("no-context") ? NULL : (void *)1L; }
int eglGetConfigs(void *display, void **configs, int size, int *number) { return *number = 1; }
int eglChooseConfig(void *display, const int *wanted, void **configs, int size, int *number)
{
    configs[0] = (void *)1L;
    return *number = 1;
}
int eglGetConfigAttrib(void *display, void *config, int what, int *value)
{
    *value = ARGB8888;
    return 1;
}
int glGetAttribLocation() { return 0; }
int glGetUniformLocation() { return 0; }
void glGetIntegerv(int what, int *value) { *value = 16384; }
void glGetProgramiv(unsigned program, int what, int *value) { *value = 1; }
void glGetShaderiv(unsigned shader, int what, int *value) { *value = 1; }
int glGetError() { return does("error") && frames > SOUND ? OUT_OF_MEMORY : 0; }

const char *glGetString(int what)
{
    if (what == VENDOR)
        return "Intel";
    if (what != RENDERER)
        return "OpenGL ES 3.2 Mesa 22.3.6";
    return does("software") ? "llvmpipe (LLVM 15.0.6, 256 bits)" : "Mesa Intel(R) UHD Graphics 630 (CFL GT2)";
}

void glFinish()
{
    if (does("crash-at-once"))
        raise(SIGSEGV);
    usleep(FRAME_US);
    if (++frames < SOUND)
        return;
    if (does("abort"))
        abort();
    if (does("crash"))
        raise(SIGSEGV);
    if (does("killed"))
        raise(SIGKILL);
    if (does("exit")) {
        fputs("amdgpu: The process will be terminated.\n", stderr);
        exit(1);
    }
    if (does("lost"))
        fputs("amdgpu: The CS has been cancelled because the context is lost.\n", stderr);
    while (does("hang"))
        pause();
}
