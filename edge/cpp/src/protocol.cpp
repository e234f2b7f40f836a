#include "roadmask/protocol.hpp"

#include <cstring>
#include <type_traits>

namespace roadmask {

static_assert(std::is_trivially_copyable_v<FrameHeader> && std::is_trivially_copyable_v<Welcome>);
static_assert(offsetof(Prefix, stream_id) == 16 && sizeof(Prefix) == 24);
static_assert(offsetof(FrameHeader, stages) == 192 && offsetof(FrameHeader, arrival_ns) == 216);

const char* to_string(Check check) noexcept {
  switch (check) {
    case Check::none: return "none";
    case Check::size: return "size";
    case Check::magic: return "magic";
    case Check::version: return "version";
    case Check::welcome: return "welcome";
    case Check::descriptor: return "descriptor";
    case Check::seals: return "seals";
    case Check::ring_size: return "ring_size";
    case Check::ring_layout: return "ring_layout";
    case Check::limits: return "limits";
    case Check::clock: return "clock";
    case Check::stream_id: return "stream_id";
    case Check::sequence: return "sequence";
    case Check::slot: return "slot";
    case Check::mask_size: return "mask_size";
    case Check::mask_bounds: return "mask_bounds";
    case Check::confidence_bounds: return "confidence_bounds";
    case Check::preview_bounds: return "preview_bounds";
    case Check::transform: return "transform";
    case Check::camera_size: return "camera_size";
    case Check::identity: return "identity";
    case Check::socket: return "socket";
    case Check::crc: return "crc";
    case Check::category: return "category";
  }
  return "unknown";
}

Message decode(const void* data, std::size_t size) noexcept {
  if (size < kMessageBytes) return Check::size;
  Prefix prefix;
  std::memcpy(&prefix, data, sizeof prefix);
  if (prefix.magic != kMagic) return Check::magic;
  if (prefix.major != kMajor) return Check::version;
  if (prefix.length != size) return Check::size;
  switch (static_cast<MessageType>(prefix.type)) {
    case MessageType::WELCOME: {
      Welcome welcome;
      std::memcpy(&welcome, data, sizeof welcome);
      return welcome;
    }
    case MessageType::FRAME:
    case MessageType::STATUS:
    case MessageType::BYE: {
      FrameHeader header;
      std::memcpy(&header, data, sizeof header);
      return header;
    }
  }
  return Unknown{};
}

namespace {

template <typename T>
std::array<std::uint8_t, kMessageBytes> bytes_of(const T& message) noexcept {
  std::array<std::uint8_t, kMessageBytes> bytes{};
  std::memcpy(bytes.data(), &message, sizeof message);
  return bytes;
}

}  // namespace

std::array<std::uint8_t, kMessageBytes> encode(const Welcome& welcome) noexcept {
  return bytes_of(welcome);
}

std::array<std::uint8_t, kMessageBytes> encode(const FrameHeader& header) noexcept {
  return bytes_of(header);
}

std::optional<Identity> decode_identity(const std::uint8_t* entry) {
  std::uint32_t kind, colors;
  std::memcpy(&kind, entry, 4);
  std::memcpy(&colors, entry + 4, 4);
  if (kind > static_cast<std::uint32_t>(IdentityKind::EGO) || colors > 32) return std::nullopt;
  Identity identity{};
  identity.kind = static_cast<IdentityKind>(kind);
  std::memcpy(identity.digest.data(), entry + 8, 32);
  const char* name = reinterpret_cast<const char*>(entry + 40);
  identity.name.assign(name, strnlen(name, 88));
  identity.colors = colors;
  std::memcpy(identity.body.data(), entry + 128, identity.body.size());
  for (std::size_t i = 0; i < colors; ++i)
    std::memcpy(identity.colors_rgb[i].data(), entry + 128 + 4 * i, 3);
  return identity;
}

}  // namespace roadmask
