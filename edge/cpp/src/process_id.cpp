#include "process_id.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>

#ifndef MADV_WIPEONFORK
#define MADV_WIPEONFORK 18
#endif

namespace roadmask {
namespace {

using Id = std::atomic<pid_t>;

// A page that the kernel clears in every fork, those too that no handler hears of; or null.
Id* wiped_on_fork() noexcept {
  constexpr std::size_t kBytes = sizeof(Id);
  void* page = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return nullptr;
  if (::madvise(page, kBytes, MADV_WIPEONFORK) == 0) return static_cast<Id*>(page);
  ::munmap(page, kBytes);  // before Linux 4.14
  return nullptr;
}

}  // namespace

pid_t process_id() noexcept {
  static Id* const known = wiped_on_fork();
  if (!known) return ::getpid();
  pid_t id = known->load(std::memory_order_relaxed);
  if (id == 0) known->store(id = ::getpid(), std::memory_order_relaxed);
  return id;
}

}  // namespace roadmask
