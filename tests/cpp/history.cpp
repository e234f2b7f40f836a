// The past of a stream, asked line by line:
//
//   history SOCKET MAX_AGE_MS   "N" -> SEQUENCE:PIXEL or SEQUENCE=NOMASK for each, oldest first;
//                               "none NOMASK" where there is no history
#include <iostream>
#include <string>
#include <vector>

#include "roadmask/subscriber.hpp"

int main(int count, char** arguments) {
  if (count < 3) return 2;
  roadmask::Options options;
  options.max_age = std::chrono::milliseconds(std::stoi(arguments[2]));
  roadmask::Subscriber subscriber(arguments[1], options);
  std::vector<roadmask::PastMask> past;
  for (std::string line; std::getline(std::cin, line);) {
    if (!subscriber.history(past, std::stoul(line)))
      std::cout << "none " << static_cast<int>(subscriber.reason());
    for (const auto& one : past) {
      std::cout << one.sequence;
      if (one.present)
        std::cout << ':' << static_cast<int>(one.mask.pixels()[0]) << ' ';
      else
        std::cout << '=' << static_cast<int>(one.missing) << ' ';
    }
    std::cout << std::endl;
  }
}
