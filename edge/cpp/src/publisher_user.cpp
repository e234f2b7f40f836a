#include "publisher_user.hpp"

#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <vector>

namespace roadmask {
namespace {

std::optional<uid_t> user_id(const std::string& user) {
  uid_t id = 0;
  const char* end = user.data() + user.size();
  const auto [stop, error] = std::from_chars(user.data(), end, id);
  if (error == std::errc{} && stop == end) return id;
  std::vector<char> room(16384);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(user.c_str(), &entry, room.data(), room.size(), &found) != 0 || !found)
    return std::nullopt;
  return found->pw_uid;
}

std::optional<uid_t> folder_owner(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  struct stat info;
  if (::stat(folder.c_str(), &info) != 0) return std::nullopt;
  return info.st_uid;
}

}  // namespace

const char* unusable_path(const std::string& path) noexcept {
  if (path.empty()) return "the path is empty: give the socket's file";
  if (path.find('\0') != std::string::npos) return "the path holds a NUL: give the socket's file";
  return nullptr;
}

std::string foreign_publisher(int fd, const std::string& path, const std::string& user) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || size != sizeof peer)
    return "the kernel does not say whose it is";
  const std::string who = "user " + std::to_string(peer.uid) + ", expected ";
  if (!user.empty()) {
    const auto expected = user_id(user);
    if (expected && peer.uid == *expected) return {};
    return who + user + (expected ? "" : ", whom this system does not know");
  }
  const auto owner = folder_owner(path);
  if (peer.uid == 0 || peer.uid == ::geteuid() || (owner && peer.uid == *owner)) return {};
  std::string expected = std::to_string(::geteuid()) + ", root";
  if (owner && *owner != 0 && *owner != ::geteuid())
    expected += " or the folder's owner " + std::to_string(*owner);
  return who + expected + "; to trust another, name the publisher's user";
}

}  // namespace roadmask
