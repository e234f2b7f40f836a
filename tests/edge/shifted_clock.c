// For LD_PRELOAD: the file SHIFTED_CLOCK holds two int64, by how many ns CLOCK_BOOTTIME and
// CLOCK_REALTIME are ahead for this process. The tests write it while the process runs. Clock 1000
// is the true CLOCK_BOOTTIME.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static volatile const int64_t* shifts;

__attribute__((constructor)) static void open_shifts(void) {
  const int fd = open(getenv("SHIFTED_CLOCK"), O_RDONLY | O_CLOEXEC);
  void* memory = mmap(NULL, 16, PROT_READ, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) abort();
  shifts = memory;
  close(fd);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
  const long failed = syscall(SYS_clock_gettime, clock == 1000 ? CLOCK_BOOTTIME : clock, time);
  if (failed == 0 && shifts && (clock == CLOCK_BOOTTIME || clock == CLOCK_REALTIME)) {
    const int64_t ns =
        time->tv_sec * 1000000000ll + time->tv_nsec + shifts[clock == CLOCK_REALTIME];
    time->tv_sec = ns / 1000000000ll;
    time->tv_nsec = ns % 1000000000ll;
  }
  return (int)failed;
}
