// What tests/edge/stream/test_calls_of_threads.py and test_bounded_calls.py ask of the C++
// subscriber's calls, one word a program.
//
//   calls moved | forever SOCKET | close SOCKET | fork SOCKET | memory SOCKET
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <type_traits>

#include "roadmask/subscriber.hpp"

using namespace roadmask;
using std::chrono::milliseconds;

namespace {

template <typename F>
constexpr bool quiet(F) {
  return std::is_nothrow_invocable_v<F, const Subscriber&> ||
         std::is_nothrow_invocable_v<F, const Mask&>;
}
// Without memory a text is empty and a name unknown: neither throws.
static_assert(quiet(&Subscriber::reason_text) && quiet(&Mask::model) && quiet(&Mask::geometry) &&
              quiet(&Mask::calibration) && quiet(&Mask::camera) && quiet(&Mask::labels) &&
              quiet(&Mask::verification) && quiet(&Mask::geometry_identity));

void tell(const char* what, bool found, const Subscriber& subscriber) {
  std::cout << what << " " << found << " " << static_cast<int>(subscriber.reason()) << " "
            << subscriber.ended() << std::endl;
}

int moved() {
  Subscriber from("/nowhere");
  const Subscriber to(std::move(from));
  Mask mask;
  tell("latest", from.latest(mask), from);
  tell("view", from.latest_view(mask), from);
  tell("receive", from.receive(mask), from);
  from.close();
  std::cout << from.reason_text() << " " << from.fileno() << " " << from.status().has_value()
            << to_string(from.check()) << from.dropped() + from.torn() << from.connected()
            << std::endl;
  return 0;
}

int forever(const char* path) {
  Subscriber subscriber(path);
  Mask mask;
  std::cout << "ready" << std::endl;
  tell("receive", subscriber.receive(mask, milliseconds::max()), subscriber);
  return 0;
}

// Closed by another thread while it waits: whatever gets the descriptor's number keeps its bytes.
int closed(const char* path) {
  for (int round = 0; round < 20; ++round) {
    Subscriber subscriber(path);
    Mask mask;
    while (!subscriber.connected()) subscriber.receive(mask, milliseconds(1));
    std::atomic<bool> found{true};
    std::thread waiting([&] { found = subscriber.receive(mask); });
    std::this_thread::sleep_for(milliseconds(round % 3));
    subscriber.close();
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) != 0) return 1;
    ::send(pair[0], "mine", 4, 0);
    ::send(pair[1], "mine", 4, 0);
    waiting.join();
    char text[8];
    const bool kept =
        ::recv(pair[0], text, 8, MSG_DONTWAIT) == 4 && ::recv(pair[1], text, 8, MSG_DONTWAIT) == 4;
    ::close(pair[0]);
    ::close(pair[1]);
    if (!kept || found || subscriber.reason() != NoMask::CLOSED) return 1;
  }
  std::cout << "kept" << std::endl;
  return 0;
}

int forked(const char* path) {
  Subscriber subscriber(path);
  Mask mask;
  while (!subscriber.receive(mask, milliseconds(100))) {
  }
  const pid_t child = ::fork();
  if (child == 0) {
    tell("child", subscriber.receive(mask), subscriber);
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  std::uint64_t last = mask.sequence(), dropped = subscriber.dropped();
  for (int seen = 0; seen < 5;) {
    if (!subscriber.receive(mask, milliseconds(100))) continue;
    dropped += mask.sequence() < last;
    last = mask.sequence();
    ++seen;
  }
  tell("parent", subscriber.connected(), subscriber);
  return 0;
}

std::size_t pages_used() {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  return pages;
}

// No room for a copy: a reason, no exception.
int memory(const char* path) {
  Subscriber subscriber(path);
  Mask mask;
  while (!subscriber.latest_view(mask)) std::this_thread::sleep_for(milliseconds(1));
  const rlim_t most = pages_used() * 4096 + (2 << 20);
  const rlimit limit{most, most};
  if (::setrlimit(RLIMIT_AS, &limit) != 0) return 1;
  bool found = true;
  for (int i = 0; i < 1000 && subscriber.reason() != NoMask::NO_MEMORY; ++i) {
    found = subscriber.latest(mask);
    std::this_thread::sleep_for(milliseconds(1));
  }
  tell("memory", found, subscriber);
  std::cout << (mask.pixels() == nullptr) << std::endl;
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string verb = count > 1 ? arguments[1] : "";
  if (verb == "moved") return moved();
  if (count < 3) return 2;
  if (verb == "forever") return forever(arguments[2]);
  if (verb == "close") return closed(arguments[2]);
  if (verb == "fork") return forked(arguments[2]);
  return verb == "memory" ? memory(arguments[2]) : 2;
}
