// The C++ subscriber, driven line by line from standard input for
// tests/edge/stream/test_cpp_client.py.
//
//   probe SOCKET [--allow-not-live] [--no-reconnect] [--max-age MS] [--preview] [--max-ring BYTES]
//         [--accept-unknown-age] [--refuse BITS] [--publisher-user NAME] [--model HEX]
//     latest | view | receive MS   -> "mask FIELDS" | "none REASON CHECK TEXT"
//     valid                        -> "0" | "1": the last mask, now
//     close
//     stress COPIES                -> "READS TORN MIXED": reads until COPIES torn ones and a whole
//     one came;
//                                     MIXED counts masks handed out that were not of one value
#include <algorithm>
#include <iostream>
#include <sstream>

#include "roadmask/subscriber.hpp"
#include "text.hpp"

using namespace roadmask;

namespace {

bool uniform(const Mask& mask) {
  const std::uint8_t* pixels = mask.pixels();
  for (std::uint32_t row = 0; row < mask.height(); ++row, pixels += mask.stride())
    if (std::any_of(pixels, pixels + mask.width(), [&](auto p) { return p != *mask.pixels(); }))
      return false;
  return true;
}

void answer(bool found, const Mask& mask, const Subscriber& subscriber) {
  if (!found) {
    std::cout << "none " << static_cast<int>(subscriber.reason()) << " "
              << to_string(subscriber.check()) << " " << subscriber.reason_text() << std::endl;
    return;
  }
  const auto model = mask.model();
  std::cout << "mask sequence=" << mask.sequence() << " stream=" << mask.stream_id()
            << " value=" << int{*mask.pixels()} << " uniform=" << uniform(mask)
            << " width=" << mask.width() << " height=" << mask.height()
            << " age_ns=" << mask.age_ns() << " mode=" << to_string(mask.mode())
            << " confidence=" << (mask.confidence() ? int{*mask.confidence()} : -1)
            << " preview=" << (mask.preview() ? int{*mask.preview()} : -1)
            << " model=" << (model ? model->name : "-") << " dropped=" << subscriber.dropped()
            << std::endl;
}

}  // namespace

int main(int count, char** arguments) {
  Options options;
  for (int i = 2; i < count; ++i) {
    const std::string argument = arguments[i];
    if (argument == "--allow-not-live") options.allow_not_live = true;
    if (argument == "--no-reconnect") options.reconnect = false;
    if (argument == "--preview") options.preview = true;
    if (argument == "--accept-unknown-age") options.accept_unknown_age = true;
    if (argument == "--refuse" && i + 1 < count)
      options.refuse = static_cast<std::uint32_t>(std::stoul(arguments[++i]));
    if (argument == "--publisher-user" && i + 1 < count) options.publisher_user = arguments[++i];
    if (argument == "--model" && i + 1 < count) options.model = arguments[++i];
    if (argument == "--max-ring" && i + 1 < count)
      options.max_ring_bytes = std::stoull(arguments[++i]);
    if (argument == "--max-age" && i + 1 < count)
      options.max_age = std::chrono::milliseconds(std::stoi(arguments[++i]));
  }
  Subscriber subscriber(count > 1 ? arguments[1] : kDefaultSocket, options);
  Mask mask;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    long number = -1;
    words >> verb >> number;
    if (verb == "latest") {
      answer(subscriber.latest(mask), mask, subscriber);
    } else if (verb == "view") {
      answer(subscriber.latest_view(mask), mask, subscriber);
    } else if (verb == "receive") {
      answer(subscriber.receive(mask, std::chrono::milliseconds(number)), mask, subscriber);
    } else if (verb == "valid") {
      std::cout << mask.valid() << std::endl;
    } else if (verb == "close") {
      subscriber.close();
      std::cout << "closed" << std::endl;
    } else if (verb == "stress") {
      long reads = 0, mixed = 0;
      const auto wanted = static_cast<std::uint64_t>(number);
      while ((subscriber.torn() < wanted || reads == 0) && !subscriber.ended()) {
        if (!subscriber.latest(mask)) continue;
        ++reads;
        mixed += !uniform(mask);
      }
      std::cout << reads << " " << subscriber.torn() << " " << mixed << std::endl;
    } else {
      std::cout << "?" << std::endl;
    }
  }
}
