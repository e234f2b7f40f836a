/* Masks through the C interface: what a program in C, or in any language that calls C, does.
 *
 *   subscribe_c SOCKET [FRAMES] [--allow-not-live]
 *
 * edge/examples/subscribe_ctypes.py does the same in the same order.
 */
#include <roadmask.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double share_of(const roadmask_frame* frame, uint8_t category) {
  uint64_t count = 0;
  for (uint32_t row = 0; row < frame->height; ++row)
    for (uint32_t column = 0; column < frame->width; ++column)
      count += frame->pixels[(size_t)row * frame->stride + column] == category;
  return (double)count / ((double)frame->width * frame->height);
}

static void tell(const roadmask_mask* mask, const roadmask_frame* frame) {
  char reasons[256];
  roadmask_identity model = {sizeof model};
  roadmask_reason_names(frame->reasons, reasons, sizeof reasons);
  printf("mask %llu %s %s age %.1f ms, %s %.3f, model %s\n", (unsigned long long)frame->sequence,
         roadmask_mode_name(frame->mode), reasons, (double)roadmask_mask_age_ns(mask) / 1e6,
         roadmask_category_name(1), share_of(frame, 1),
         roadmask_mask_identity(mask, ROADMASK_MODEL, &model) ? model.name : "unknown");
}

int main(int count, char** arguments) {
  const char* path = NULL;
  long frames = -1;
  roadmask_options options;
  roadmask_options_init(&options, sizeof options);
  for (int i = 1, position = 0; i < count; ++i) {
    if (strcmp(arguments[i], "--allow-not-live") == 0) {
      options.flags |= ROADMASK_ALLOW_NOT_LIVE;
    } else if (position == 0) {
      path = arguments[i];
      ++position;
    } else if (position == 1 && (frames = atol(arguments[i])) > 0) {
      ++position;
    } else {
      fprintf(stderr, "argument %s: expected subscribe_c SOCKET [FRAMES] [--allow-not-live]\n",
              arguments[i]);
      return 2;
    }
  }

  roadmask_subscriber* subscriber = NULL;
  roadmask_mask* mask = roadmask_mask_new();
  uint32_t why = roadmask_open(path, &options, &subscriber);
  if (mask == NULL || why != 0) {
    fprintf(stderr, "no subscriber: %s\n", roadmask_no_mask_text(why));
    return 2;
  }
  for (long seen = 0; seen != frames;) {
    roadmask_frame frame = {sizeof frame};
    why = roadmask_receive(subscriber, mask, 250);
    if (why != ROADMASK_MASK || !roadmask_mask_frame(mask, &frame)) {
      char text[256];
      roadmask_reason_text(subscriber, text, sizeof text);
      printf("stop: no mask: %s\n", text);
    } else {
      ++seen;
      tell(mask, &frame);
    }
    fflush(stdout);
  }
  roadmask_mask_free(mask);
  roadmask_free(subscriber);
  return 0;
}
