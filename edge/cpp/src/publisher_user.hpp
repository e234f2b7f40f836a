// Who publishes: asked of the kernel before the first message is read, for C++ and Python.
#pragma once

#include <string>

namespace roadmask {

// Why a path can be no socket of ours, or null. An empty one, and one that begins with NUL, are
// names outside of every folder that any process may take; another NUL would cut the path off.
const char* unusable_path(const std::string& path) noexcept;

// Whether the process that listens at the other end of `fd` is trusted: of this process's user, of
// root, or of the owner of the socket's folder; if `user` (a name or a number) is not empty, of
// that user and of no other. Empty: trusted; else what is wrong.
std::string foreign_publisher(int fd, const std::string& path, const std::string& user);

}  // namespace roadmask
