/* Makes calls on files under $FAIL_UNDER fail while a file of that name is in $FAIL_WHEN: sync, write, readonly, and (of
   stored blobs alone) read. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int is_on(const char *mode) {
  char path[4096];
  const char *folder = getenv("FAIL_WHEN");
  int before = errno, found;
  if (!folder) return 0;
  snprintf(path, sizeof path, "%s/%s", folder, mode);
  found = access(path, F_OK) == 0;
  errno = before;
  return found;
}

static int is_under(const char *path) {
  const char *under = getenv("FAIL_UNDER");
  return under && strncmp(path, under, strlen(under)) == 0;
}

static int is_ours(int fd, int blobs) {
  char link[64], path[4096];
  ssize_t length;
  int before = errno;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, path, sizeof path - 1);
  errno = before;
  if (length < 0) return 0;
  path[length] = 0;
  return is_under(path) && (!blobs || strstr(path, "/blobs/"));
}

static int fails(int fd, const char *mode, int code) {
  if (!is_on(mode) || !is_ours(fd, strcmp(mode, "read") == 0)) return 0;
  errno = code;
  return 1;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int fsync(int fd) { REAL(fsync); return fails(fd, "sync", EIO) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); return fails(fd, "sync", EIO) ? -1 : real(fd); }

#define REFUSED(fd) (fails(fd, "write", EIO) || fails(fd, "readonly", EROFS))
ssize_t write(int fd, const void *from, size_t n) { REAL(write); return REFUSED(fd) ? -1 : real(fd, from, n); }
ssize_t pwrite(int fd, const void *from, size_t n, off_t at) {
  REAL(pwrite); return REFUSED(fd) ? -1 : real(fd, from, n, at);
}
ssize_t pwrite64(int fd, const void *from, size_t n, off64_t at) {
  REAL(pwrite64); return REFUSED(fd) ? -1 : real(fd, from, n, at);
}
int ftruncate(int fd, off_t n) { REAL(ftruncate); return REFUSED(fd) ? -1 : real(fd, n); }
int ftruncate64(int fd, off64_t n) { REAL(ftruncate64); return REFUSED(fd) ? -1 : real(fd, n); }
ssize_t read(int fd, void *to, size_t n) { REAL(read); return fails(fd, "read", EIO) ? -1 : real(fd, to, n); }
ssize_t pread64(int fd, void *to, size_t n, off64_t at) {
  REAL(pread64); return fails(fd, "read", EIO) ? -1 : real(fd, to, n, at);
}

static int is_refused(const char *path, int flags) {
  if (!(flags & (O_CREAT | O_WRONLY | O_RDWR)) || !is_under(path) || !is_on("readonly")) return 0;
  errno = EROFS;
  return 1;
}

#define MODE(flags) mode_t mode = 0; if (flags & O_CREAT) { va_list more; va_start(more, flags); mode = va_arg(more, int); va_end(more); }
int open(const char *path, int flags, ...) { MODE(flags) REAL(open); return is_refused(path, flags) ? -1 : real(path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) REAL(open64); return is_refused(path, flags) ? -1 : real(path, flags, mode); }
int rename(const char *from, const char *to) { REAL(rename); return is_refused(from, O_WRONLY) ? -1 : real(from, to); }
int unlink(const char *path) { REAL(unlink); return is_refused(path, O_WRONLY) ? -1 : real(path); }
int mkdir(const char *path, mode_t mode) { REAL(mkdir); return is_refused(path, O_WRONLY) ? -1 : real(path, mode); }
