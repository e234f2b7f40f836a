// libFuzzer harness of the C++ codec: no crash, no read out of bounds, nothing accepted whose
// planes leave the ring.
//
//   cmake -S . -B build/fuzz -DCMAKE_CXX_COMPILER=clang++ -DROADMASK_FUZZ=ON \
//         -DROADMASK_SANITIZE=ON -DROADMASK_EXAMPLES=OFF
//   cmake --build build/fuzz --target fuzz_protocol
//   mkdir -p build/fuzz/corpus
//   build/fuzz/tests/fuzz_protocol -runs=10000000 -max_len=1024 build/fuzz/corpus tests/fuzz/corpus
//
// Input: a byte of switches, a byte that says how many pairs of bytes the WELCOME has, the WELCOME,
// and what is read as a FRAME and as an identity. Switch 1 repairs the prefixes, so that the fuzzer
// spends its time behind the magic; 2 makes the second message a STATUS; 4 makes the ring's file as
// large as announced.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "roadmask/crc32c.hpp"
#include "roadmask/protocol.hpp"

using namespace roadmask;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

// A copy of exactly this size on the heap: ASan sees the first byte read beyond it.
std::vector<std::uint8_t> exactly(const std::uint8_t* data, std::size_t size) {
  return std::vector<std::uint8_t>(data, data + size);
}

void repair(std::vector<std::uint8_t>& message, MessageType type) {
  if (message.size() < kMessageBytes) message.resize(kMessageBytes);
  const auto kind = static_cast<std::uint16_t>(type);
  const auto length = static_cast<std::uint16_t>(message.size());
  std::memcpy(message.data(), kMagic.data(), 4);
  std::memcpy(message.data() + 4, &kind, 2);
  std::memcpy(message.data() + 6, &length, 2);
  std::memcpy(message.data() + 8, &kMajor, 2);
}

// What the reader will do with the header: every byte of every plane lies in the ring.
void plane_in_ring(const Welcome& w, std::uint64_t offset, std::uint64_t stride,
                   std::uint64_t row_bytes, std::uint64_t rows) {
  using Wide = unsigned __int128;
  require(offset >= w.slots_offset && stride >= row_bytes && row_bytes > 0 && rows > 0);
  require(Wide{offset} + Wide{stride} * (rows - 1) + row_bytes <= Wide{w.ring_bytes});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const bool repaired = data[0] & 1;
  const std::size_t split = std::min<std::size_t>(size - 2, data[1] * 2u);
  auto first = exactly(data + 2, split);
  auto second = exactly(data + 2 + split, size - 2 - split);
  if (repaired) {
    repair(first, MessageType::WELCOME);
    repair(second, data[0] & 2 ? MessageType::STATUS : MessageType::FRAME);
  }
  if (second.size() >= kIdentityBytes) {
    if (const auto identity = decode_identity(second.data()))
      require(identity->name.size() <= 88 && identity->colors <= 32);
  }
  require(crc32c(second.data(), second.size()) == crc32c_table(second.data(), second.size()));

  const Message welcome_message = decode(first.data(), first.size());
  const Message frame_message = decode(second.data(), second.size());
  const auto* w = std::get_if<Welcome>(&welcome_message);
  const auto* h = std::get_if<FrameHeader>(&frame_message);
  if (h)
    require(decode(encode(*h).data(), kMessageBytes).index() == 3 || h->length != kMessageBytes);
  if (!w) return 0;
  const std::uint64_t file_bytes = data[0] & 4 ? w->ring_bytes : std::uint64_t{1} << 24;
  if (check_welcome(*w, file_bytes) != Check::none) return 0;
  require(w->ring_bytes <= file_bytes && w->ring_bytes <= std::uint64_t{1} << 32);
  using Wide = unsigned __int128;
  require(w->generation_offset % 8 == 0 && w->generation_stride % 8 == 0);
  require(Wide{w->generation_offset} + Wide{w->generation_stride} * (w->slots - 1) + 8 <=
          w->ring_bytes);
  require(Wide{w->identity_offset} + Wide{w->identity_stride} * w->identity_count <= w->ring_bytes);
  if (!h) return 0;
  const std::uint64_t now = h->sent_ns;
  if (check_message(*h, *w, h->sequence ? h->sequence - 1 : 0, now) != Check::none) return 0;
  require(h->stream_id == w->stream_id && h->publish_ns <= h->sent_ns);
  if (check_frame(*h, *w, h->sequence ? h->sequence - 1 : 0) != Check::none) return 0;
  require(h->slot < w->slots);
  plane_in_ring(*w, h->mask_offset, h->mask_stride, h->mask_width, h->mask_height);
  if (h->confidence_offset)
    plane_in_ring(*w, h->confidence_offset, h->confidence_stride, h->mask_width, h->mask_height);
  if (h->preview_offset)
    plane_in_ring(*w, h->preview_offset, h->preview_stride, 3ull * h->preview_width,
                  h->preview_height);
  for (const auto index : h->identities())
    require(index == kNoIdentity ||
            Wide{w->identity_offset} + Wide{w->identity_stride} * index + kIdentityBytes <=
                w->ring_bytes);
  return 0;
}
