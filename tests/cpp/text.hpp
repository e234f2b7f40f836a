// Hexadecimal and field lists for the test programs.
#pragma once

#include <cinttypes>
#include <cstdio>
#include <string>
#include <vector>

#include "roadmask/protocol.hpp"

inline std::vector<std::uint8_t> from_hex(const std::string& text) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

inline std::string to_hex(const std::uint8_t* bytes, std::size_t size) {
  std::string text;
  char two[3];
  for (std::size_t i = 0; i < size; ++i) {
    std::snprintf(two, sizeof two, "%02x", bytes[i]);
    text += two;
  }
  return text;
}

// "name=value" pairs, floats as the bits that they have.
class Fields {
 public:
  template <typename T>
  void add(const char* name, T value) {
    char text[64];
    std::uint64_t bits = 0;
    static_assert(sizeof(T) <= sizeof bits);
    __builtin_memcpy(&bits, &value, sizeof value);
    std::snprintf(text, sizeof text, "%s=%" PRIu64, name, bits);
    if (!line_.empty()) line_ += ' ';
    line_ += text;
  }
  const std::string& line() const { return line_; }

 private:
  std::string line_;
};

inline std::string fields_of(const roadmask::FrameHeader& h) {
  Fields f;
  f.add("type", h.type), f.add("length", h.length), f.add("major", h.major);
  f.add("minor", h.minor), f.add("flag_bits", h.flags), f.add("stream_id", h.stream_id);
  f.add("sequence", h.sequence), f.add("capture_ns", h.capture_ns);
  f.add("publish_ns", h.publish_ns), f.add("sent_ns", h.sent_ns), f.add("frame_id", h.frame_id);
  f.add("skipped_total", h.skipped_total), f.add("skipped", h.skipped);
  f.add("infer_us", h.infer_us), f.add("mode_bits", h.mode_bits);
  f.add("max_age_ms", h.max_age_ms), f.add("slot", h.slot), f.add("model", h.model);
  f.add("calibration", h.calibration), f.add("camera", h.camera), f.add("labels", h.labels);
  f.add("mask_width", h.mask_width), f.add("mask_height", h.mask_height);
  f.add("mask_stride", h.mask_stride), f.add("confidence_stride", h.confidence_stride);
  f.add("mask_offset", h.mask_offset), f.add("confidence_offset", h.confidence_offset);
  f.add("preview_width", h.preview_width), f.add("preview_height", h.preview_height);
  f.add("preview_offset", h.preview_offset), f.add("preview_stride", h.preview_stride);
  f.add("crc32c", h.crc32c), f.add("scale_x", h.scale_x), f.add("scale_y", h.scale_y);
  f.add("offset_x", h.offset_x), f.add("offset_y", h.offset_y);
  f.add("camera_width", h.camera_width), f.add("camera_height", h.camera_height);
  for (std::size_t i = 0; i < h.shares.size(); ++i)
    f.add(("share_" + std::to_string(i)).c_str(), h.shares[i]);
  const roadmask::Stages& s = h.stages;
  if (s.capture || s.preprocess || s.wait || s.postprocess) {  // else not told, as by minor 0
    f.add("capture_us", s.capture), f.add("preprocess_us", s.preprocess);
    f.add("wait_us", s.wait), f.add("postprocess_us", s.postprocess);
  }
  if (h.engine_restarts || h.verification_entry || h.geometry_entry || h.ego_entry ||
      h.arrival_ns) {
    f.add("engine_restarts", h.engine_restarts);
    f.add("verification_entry", h.verification_entry), f.add("geometry_entry", h.geometry_entry);
    f.add("ego_entry", h.ego_entry);
    f.add("arrival_ns", h.arrival_ns);
  }
  return f.line();
}

inline std::string fields_of(const roadmask::Welcome& w) {
  Fields f;
  f.add("type", w.type), f.add("length", w.length), f.add("major", w.major);
  f.add("minor", w.minor), f.add("flag_bits", w.flags), f.add("stream_id", w.stream_id);
  f.add("sequence", w.sequence), f.add("sent_ns", w.sent_ns), f.add("ring_bytes", w.ring_bytes);
  f.add("slots_offset", w.slots_offset), f.add("slot_bytes", w.slot_bytes);
  f.add("slots", w.slots), f.add("generation_stride", w.generation_stride);
  f.add("generation_offset", w.generation_offset), f.add("identity_offset", w.identity_offset);
  f.add("identity_stride", w.identity_stride), f.add("identity_count", w.identity_count);
  f.add("frame_period_ns", w.frame_period_ns), f.add("heartbeat_ms", w.heartbeat_ms);
  f.add("silence_ms", w.silence_ms), f.add("max_age_ms", w.max_age_ms);
  f.add("reserved", w.reserved), f.add("time_namespace", w.time_namespace);
  return f.line();
}
