/* A program built with the frozen header of ABI 1, run with today's library: old_client SOCKET.
 *
 * It prints its sizes, then one frame and what stands behind its struct: nothing may be written
 * there.
 */
#include <stdio.h>
#include <string.h>

#include "roadmask-1.h"

int main(int count, char** arguments) {
  struct {
    roadmask_frame frame;
    unsigned char behind[64];
  } guarded;
  roadmask_options options;
  roadmask_subscriber* subscriber;
  roadmask_mask* mask = roadmask_mask_new();
  if (count < 2) return 2;
  printf("%zu %zu %zu %zu\n", sizeof(roadmask_options), sizeof(roadmask_frame),
         sizeof(roadmask_identity), sizeof(roadmask_statistics));
  roadmask_options_init(&options, sizeof options);
  options.flags |= ROADMASK_ALLOW_NOT_LIVE;
  if (roadmask_open(arguments[1], &options, &subscriber) != 0) return 1;
  while (roadmask_receive(subscriber, mask, 100) != ROADMASK_MASK) {
  }
  memset(&guarded, 0x5A, sizeof guarded);
  guarded.frame.size = sizeof guarded.frame;
  if (!roadmask_mask_frame(mask, &guarded.frame)) return 1;
  size_t whole = 0;
  while (whole < sizeof guarded.behind && guarded.behind[whole] == 0x5A) ++whole;
  printf("%u %u %u %zu\n", guarded.frame.width, guarded.frame.height, guarded.frame.pixels[0],
         whole);
  roadmask_statistics now = {sizeof now};
  const int told = roadmask_statistics_of(subscriber, &now);
  printf("%d %u\n", told, now.connected);
  roadmask_free(subscriber);
  printf("%d\n", roadmask_mask_valid(mask));
  roadmask_mask_free(mask);
  return 0;
}
