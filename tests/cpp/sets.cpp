// Sets of masks and clocks, asked line by line:
//
//   sets SOCKET...   "next" -> "none" | a word for each socket: its sequence, or = and the NoMask
//                    "many N" -> how many of N sets came, and how often operator new was called
//                    "clock NAME" -> "OFFSET BOUND TAKEN" | "none"
#include <cstdlib>
#include <iostream>
#include <new>
#include <sstream>

#include "roadmask/clocks.hpp"
#include "roadmask/subscriber_set.hpp"

namespace {
unsigned long news = 0;
}

void* operator new(std::size_t size) {
  ++news;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

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
    } else if (what == "many") {  // sets, counted from the first to the last of them
      const unsigned long before = news;
      int got = 0;
      for (int i = 0; i < std::stoi(name); ++i)
        got += cameras.receive(set, std::chrono::seconds(2));
      std::cout << got << ' ' << news - before;
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
