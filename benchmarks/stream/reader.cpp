// The C++ reader of a measurement: reader roadmask|zeromq|watch SOCKET [LIBZMQ].
//
// `watch` asks every millisecond whether there is a mask, and prints each change: "1 NS" or "0 NS".
// It prints "ready" at the first frame and, after the last (frame id 2), one JSON object with the
// latencies of the measured frames (id 1) and the CPU time per frame, in µs. ZeroMQ is loaded from
// the library that Python's binding brings, so that both readers run the same one.
#include <dlfcn.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "roadmask/subscriber.hpp"

namespace {

constexpr std::uint64_t kMeasured = 1, kLast = 2;
constexpr std::size_t kHeaderBytes = 256;

double cpu_us() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& t) { return t.tv_sec * 1e6 + static_cast<double>(t.tv_usec); };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

class Record {
 public:
  // False after the last frame.
  bool add(std::uint64_t ready_ns, std::uint64_t frame_id) {
    const std::uint64_t now = roadmask::now_ns();
    if (!ready_) std::puts("ready"), std::fflush(stdout), ready_ = true;
    if (frame_id == kMeasured) {
      if (latencies_us_.empty()) cpu_us_ = cpu_us();
      latencies_us_.push_back(static_cast<double>(now - ready_ns) / 1e3);
    }
    return frame_id != kLast;
  }
  void print() const {
    const double count = latencies_us_.empty() ? 1.0 : static_cast<double>(latencies_us_.size());
    std::printf("{\"cpu_us\": %.3f, \"latency_us\": [", (cpu_us() - cpu_us_) / count);
    for (std::size_t i = 0; i < latencies_us_.size(); ++i)
      std::printf("%s%.3f", i ? ", " : "", latencies_us_[i]);
    std::puts("]}");
  }

 private:
  bool ready_ = false;
  double cpu_us_ = 0;
  std::vector<double> latencies_us_;
};

void read_roadmask(const char* path, Record& record) {
  roadmask::Subscriber subscriber(path);
  roadmask::Mask mask;
  while (true)
    if (subscriber.receive(mask, std::chrono::seconds(1)) &&
        !record.add(mask.capture_timestamp_ns(), mask.frame_id()))
      return;
}

void watch(const char* path) {
  roadmask::Subscriber subscriber(path);
  roadmask::Mask mask;
  for (bool had = false;; std::this_thread::sleep_for(std::chrono::milliseconds(1))) {
    const bool has = subscriber.latest(mask);
    if (has == had) continue;
    had = has;
    std::printf("%d %llu\n", has, static_cast<unsigned long long>(roadmask::now_ns()));
    std::fflush(stdout);
  }
}

template <typename F>
F symbol(void* library, const char* name) {
  void* found = dlsym(library, name);
  if (!found) std::fprintf(stderr, "libzmq has no %s\n", name), std::exit(2);
  return reinterpret_cast<F>(found);
}

int read_zeromq(const char* path, const char* library_path, Record& record) {
  constexpr int kSub = 2, kSubscribe = 6, kReceiveHighWater = 24;
  void* library = dlopen(library_path, RTLD_NOW);
  if (!library) return std::fprintf(stderr, "%s\n", dlerror()), 2;
  auto* context = symbol<void* (*)()>(library, "zmq_ctx_new")();
  auto* socket = symbol<void* (*)(void*, int)>(library, "zmq_socket")(context, kSub);
  const auto set = symbol<int (*)(void*, int, const void*, std::size_t)>(library, "zmq_setsockopt");
  const int high_water = 2;
  set(socket, kReceiveHighWater, &high_water, sizeof high_water);
  set(socket, kSubscribe, "", 0);
  symbol<int (*)(void*, const char*)>(library, "zmq_connect")(
      socket, ("ipc://" + std::string(path)).c_str());
  const auto receive = symbol<int (*)(void*, void*, std::size_t, int)>(library, "zmq_recv");
  std::vector<std::uint8_t> buffer(std::size_t{1} << 22);
  std::uint64_t last = 0;
  while (true) {
    const int size = receive(socket, buffer.data(), buffer.size(), 0);
    std::uint64_t header[3];  // sequence, ready time, frame id
    if (size <= static_cast<int>(kHeaderBytes)) continue;
    std::memcpy(header, buffer.data(), sizeof header);
    const std::uint64_t now = roadmask::now_ns();
    if (header[0] <= last || header[1] > now || now - header[1] > 250'000'000) continue;
    last = header[0];
    if (!record.add(header[1], header[2])) return 0;
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return std::fputs("reader roadmask|zeromq|watch SOCKET [LIBZMQ]\n", stderr), 2;
  if (std::string(arguments[1]) == "watch") watch(arguments[2]);
  Record record;
  int result = 0;
  if (std::string(arguments[1]) == "roadmask")
    read_roadmask(arguments[2], record);
  else
    result = count > 3 ? read_zeromq(arguments[2], arguments[3], record) : 2;
  if (result == 0) record.print();
  return result;
}
