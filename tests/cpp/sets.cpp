// Sets of masks and clocks, asked line by line:
//
//   sets SOCKET...   "next" -> "none" | a word for each socket: its sequence, or = and the NoMask
//                    "clock NAME" -> "OFFSET BOUND TAKEN" | "none"
#include <iostream>
#include <sstream>

#include "roadmask/clocks.hpp"
#include "roadmask/subscriber_set.hpp"

int main(int count, char** arguments) {
  roadmask::SetOptions options;
  options.each.allow_not_live = true;
  roadmask::SubscriberSet cameras({arguments + 1, arguments + count}, options);
  std::vector<roadmask::SubscriberSet::Member> set;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream in(line);
    std::string what, name;
    in >> what >> name;
    if (what == "clock") {
      const auto mapping = roadmask::clock_mapping(name);
      if (mapping)
        std::cout << mapping->offset_ns << ' ' << mapping->bound_ns << ' ' << mapping->taken_ns;
      else
        std::cout << "none";
    } else if (!cameras.receive(set, std::chrono::seconds(2))) {
      std::cout << "none";
    } else {
      for (const auto& member : set) {
        if (member.present)
          std::cout << member.mask.sequence() << ' ';
        else
          std::cout << '=' << static_cast<int>(member.missing) << ' ';
      }
    }
    std::cout << std::endl;
  }
}
