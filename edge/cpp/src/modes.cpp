#include "roadmask/modes.hpp"

#include <utility>

namespace roadmask {
namespace {

using Name = std::pair<std::uint32_t, const char*>;

constexpr Name kReasons[] = {
    {CPU_FALLBACK, "CPU_FALLBACK"},
    {THERMAL, "THERMAL"},
    {POWER, "POWER"},
    {LOW_RATE, "LOW_RATE"},
    {LOW_CONFIDENCE, "LOW_CONFIDENCE"},
    {DARK, "DARK"},
    {BLOCKED, "BLOCKED"},
    {FROZEN, "FROZEN"},
    {ESTIMATED_TIME, "ESTIMATED_TIME"},
    {IMPLAUSIBLE, "IMPLAUSIBLE"},
    {FLICKER, "FLICKER"},
    {DRIFT, "DRIFT"},
    {NO_NEW_FRAME, "NO_NEW_FRAME"},
    {CAMERA_LOST, "CAMERA_LOST"},
    {INFERENCE_FAILED, "INFERENCE_FAILED"},
    {STARTING, "STARTING"},
    {BAD_TIMESTAMP, "BAD_TIMESTAMP"},
    {SHUTDOWN, "SHUTDOWN"},
    {NOT_ALLOWED, "NOT_ALLOWED"},
    {TOO_MANY_CLIENTS, "TOO_MANY_CLIENTS"},
    {BAD_PICTURE, "BAD_PICTURE"},
    {OVEREXPOSED, "OVEREXPOSED"},
    {UNVERIFIED, "UNVERIFIED"},
    {REDUCED, "REDUCED"},
};
constexpr Name kFlags[] = {
    {DRIVER_TIME, "DRIVER_TIME"}, {REPLAY, "REPLAY"},   {SYNTHETIC, "SYNTHETIC"},
    {FILE_SOURCE, "FILE"},        {PREVIEW, "PREVIEW"}, {CONFIDENCE, "CONFIDENCE"},
    {AGE_UNKNOWN, "AGE_UNKNOWN"},
};
constexpr const char* kModes[] = {"OK", "DEGRADED", "STALE", "FAULT"};
constexpr const char* kCategoryNames[kCategories] = {
    "void", "flat", "construction", "object", "nature", "sky", "human", "vehicle",
};
constexpr const char* kNoMask[] = {
    "a mask is available",
    "no publisher at the socket",
    "the publisher or the socket's mode does not allow this user",
    "connected, the publisher has not answered yet",
    "connected, no frame published yet",
    "no frame newer than the last one handed out",
    "the publisher sends nothing: stopped, hung or gone",
    "the publisher reports STALE",
    "the publisher reports FAULT",
    "the newest mask is older than allowed",
    "the newest mask claims to be captured in the future",
    "the stream is not live (replay, synthetic or file)",
    "the publisher overwrote the mask while it was read",
    "the connection broke",
    "the stream was closed",
    "the publisher broke the protocol",
    "the other machine's clock is not known well enough",
    "the age of the newest mask is not known",
    "the newest mask has a reason that is refused",
    "the publisher runs as a user that is not trusted",
    "the newest mask was made by another model",
    "this process is a fork of the one that opened the subscriber",
    "there is no memory for the mask",
    "the publisher has no place for one more",
};

template <std::size_t N>
std::string names(const Name (&table)[N], std::uint32_t bits) {
  std::string text;
  for (const auto& [bit, name] : table) {
    if (!(bits & bit)) continue;
    if (!text.empty()) text += '|';
    text += name;
  }
  return text.empty() ? "NONE" : text;
}

}  // namespace

const char* category_name(std::size_t category) noexcept {
  return category < kCategories ? kCategoryNames[category] : "unknown";
}

const char* to_string(Mode mode) noexcept { return kModes[static_cast<std::uint32_t>(mode) & 3]; }

const char* to_string(NoMask reason) noexcept {
  const auto index = static_cast<std::size_t>(reason);
  return index < std::size(kNoMask) ? kNoMask[index] : "unknown";
}

std::string reason_names(std::uint32_t mode_bits) { return names(kReasons, mode_bits); }
std::string flag_names(std::uint32_t flags) { return names(kFlags, flags); }

}  // namespace roadmask
