#include "mapped_ring.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <new>

#ifndef F_GET_SEALS
#define F_GET_SEALS 1034
#endif

namespace roadmask {
namespace {

constexpr int kSeals = 0x1 | 0x2 | 0x4 | 0x10;  // SEAL, SHRINK, GROW, FUTURE_WRITE
constexpr std::uint64_t kBlockBytes = 512;      // the unit of st_blocks, whatever the file system

std::uint64_t time_namespace() noexcept {
  struct stat info;
  return ::stat("/proc/self/ns/time", &info) == 0 ? info.st_ino : 0;
}

}  // namespace

Check MappedRing::open(const Welcome& welcome, int fd, std::uint64_t most_bytes,
                       std::shared_ptr<MappedRing>& ring) {
  const int seals = ::fcntl(fd, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return Check::seals;
  struct stat info;
  if (::fstat(fd, &info) != 0) return Check::ring_size;
  const Check failed = check_welcome(welcome, static_cast<std::uint64_t>(info.st_size));
  if (failed != Check::none) return failed;
  // A page that was never written would be made by who reads it first, and charged to him. Under
  // these seals no hole comes later.
  if (welcome.ring_bytes > most_bytes ||
      static_cast<std::uint64_t>(info.st_blocks) < (welcome.ring_bytes - 1) / kBlockBytes + 1)
    return Check::ring_size;
  const std::uint64_t here = time_namespace();
  // Elsewhere CLOCK_BOOTTIME is shifted, and every age would be wrong.
  if (welcome.time_namespace && here && welcome.time_namespace != here) return Check::clock;
  void* base = ::mmap(nullptr, welcome.ring_bytes, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (base == MAP_FAILED) throw std::bad_alloc();
  try {
    ring = std::make_shared<MappedRing>(base, welcome);
  } catch (...) {
    ::munmap(base, welcome.ring_bytes);
    throw;
  }
  return Check::none;
}

}  // namespace roadmask
