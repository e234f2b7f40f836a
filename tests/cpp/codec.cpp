// The C++ codec as a filter, for comparison with the Python one.
//
//   codec                        lines from standard input:
//     decode HEX                 -> "error CHECK" | "unknown" | "welcome FIELDS" | "frame FIELDS"
//     identity HEX               -> "error identity" | "KIND NAME_HEX DIGEST COLORS_HEX"
//     check WELCOME_HEX FRAME_HEX FILE_BYTES LAST_SEQUENCE NOW_NS -> the first check that fails
//   codec --golden FILE          every vector of FILE; exit 1 if one differs
#include <fstream>
#include <iostream>
#include <sstream>

#include "roadmask/crc32c.hpp"
#include "text.hpp"

using namespace roadmask;

namespace {

std::string decoded(const std::vector<std::uint8_t>& bytes) {
  const Message message = decode(bytes.data(), bytes.size());
  if (const auto* check = std::get_if<Check>(&message))
    return std::string("error ") + to_string(*check);
  if (const auto* welcome = std::get_if<Welcome>(&message)) return "welcome " + fields_of(*welcome);
  if (const auto* frame = std::get_if<FrameHeader>(&message)) return "frame " + fields_of(*frame);
  return "unknown";
}

std::string identity(std::vector<std::uint8_t> bytes) {
  bytes.resize(kIdentityBytes);
  const auto found = decode_identity(bytes.data());
  if (!found) return "error identity";
  const auto* name = reinterpret_cast<const std::uint8_t*>(found->name.data());
  std::string colors;
  const bool numbers = found->kind == IdentityKind::GEOMETRY;
  if (numbers || found->kind == IdentityKind::EGO)
    colors = to_hex(found->body.data(), numbers ? found->body.size() : 4 * found->colors);
  else
    for (std::size_t i = 0; i < found->colors; ++i)
      colors += to_hex(found->colors_rgb[i].data(), 3);
  return std::to_string(static_cast<int>(found->kind)) + " " + to_hex(name, found->name.size()) +
         " " + to_hex(found->digest.data(), 32) + " " + colors;
}

std::string checked(const std::string& welcome_hex, const std::string& frame_hex,
                    std::uint64_t file_bytes, std::uint64_t last, std::uint64_t now) {
  const auto welcome_bytes = from_hex(welcome_hex), frame_bytes = from_hex(frame_hex);
  const Message first = decode(welcome_bytes.data(), welcome_bytes.size());
  const Message second = decode(frame_bytes.data(), frame_bytes.size());
  const auto* welcome = std::get_if<Welcome>(&first);
  const auto* frame = std::get_if<FrameHeader>(&second);
  if (!welcome || !frame) return "undecodable";
  Check check = check_welcome(*welcome, file_bytes);
  if (check == Check::none) check = check_message(*frame, *welcome, last, now);
  if (check == Check::none && frame->type == static_cast<std::uint16_t>(MessageType::FRAME))
    check = check_frame(*frame, *welcome, last);
  return to_string(check);
}

// A message, or an entry of the identity table, whose name says so.
std::string told(const std::string& name, const std::vector<std::uint8_t>& bytes) {
  if (name.rfind("entry_", 0) != 0) return decoded(bytes);
  const std::string found = identity(bytes);
  if (found.rfind("error", 0) == 0) return found;
  return "entry " + found.substr(0, found.find_last_not_of(' ') + 1);
}

// Lines of "name<TAB>hex<TAB>what told() must say". Encoding must give a message's bytes again.
int golden(const char* path) {
  std::ifstream file(path);
  std::string line;
  int vectors = 0, wrong = 0;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream columns(line);
    std::string name, hex, expected;
    std::getline(columns, name, '\t');
    std::getline(columns, hex, '\t');
    std::getline(columns, expected, '\t');
    const auto bytes = from_hex(hex);
    ++vectors;
    bool same = told(name, bytes) == expected;
    const Message message = decode(bytes.data(), bytes.size());
    if (bytes.size() == kMessageBytes) {
      if (const auto* w = std::get_if<Welcome>(&message))
        same = same && to_hex(encode(*w).data(), kMessageBytes) == hex;
      if (const auto* h = std::get_if<FrameHeader>(&message))
        same = same && to_hex(encode(*h).data(), kMessageBytes) == hex;
    }
    if (!same) std::cerr << name << ": got " << told(name, bytes) << "\n", ++wrong;
  }
  std::cout << vectors << " vectors, " << wrong << " wrong\n";
  return wrong || !vectors;
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 3 && std::string(arguments[1]) == "--golden") return golden(arguments[2]);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb, a, b;
    words >> verb >> a;
    if (verb == "decode") {
      std::cout << decoded(from_hex(a)) << std::endl;
    } else if (verb == "identity") {
      std::cout << identity(from_hex(a)) << std::endl;
    } else if (verb == "crc32c") {
      const auto bytes = from_hex(a);
      std::cout << crc32c(bytes.data(), bytes.size()) << " "
                << crc32c_table(bytes.data(), bytes.size()) << std::endl;
    } else if (verb == "check") {
      std::uint64_t file_bytes, last, now;
      words >> b >> file_bytes >> last >> now;
      std::cout << checked(a, b, file_bytes, last, now) << std::endl;
    } else {
      std::cout << "?" << std::endl;
    }
  }
}
