/* The subscriber with a C interface that stays: the newest mask that may be used now, or why there
 * is none.
 *
 *   roadmask_subscriber* subscriber;
 *   roadmask_mask* mask = roadmask_mask_new();
 *   if (roadmask_open(NULL, NULL, &subscriber) != 0) return 1;
 *   for (;;) {
 *     uint32_t why = roadmask_receive(subscriber, mask, 100);
 *     roadmask_frame frame = {sizeof frame};
 *     if (why != ROADMASK_MASK || !roadmask_mask_frame(mask, &frame)) brake(why);
 *     else use(frame.pixels, frame.width, frame.height, frame.stride);
 *   }
 *
 * Promises of roadmask/subscriber.hpp hold: limits, bounds, threads, forks; docs/sdk.md tells them.
 *
 * What stays: a function and a value, once here, keep their meaning. A struct only grows at its
 * end, and begins with its size as the caller knows it: a program that was built with an older
 * header runs with a newer library (the same soname), and a newer one with an older library as long
 * as it sets no field that this does not know. No function throws or ends the process.
 */
#ifndef ROADMASK_H
#define ROADMASK_H

#include <stddef.h>
#include <stdint.h>

#include "roadmask/version.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Grows when something is added; the soname changes if ever something is taken away. */
#define ROADMASK_ABI 1u
uint32_t roadmask_abi(void);
const char* roadmask_version(void); /* of the library: "MAJOR.MINOR.PATCH" */

/* What a call gives: a mask, or why there is none. */
enum {
  ROADMASK_MASK = 0, /* there is one */
  ROADMASK_NO_MASK_NOT_CONNECTED = 1,
  ROADMASK_NO_MASK_NOT_PERMITTED = 2,
  ROADMASK_NO_MASK_AWAITING_WELCOME = 3,
  ROADMASK_NO_MASK_NO_FRAME = 4,
  ROADMASK_NO_MASK_NO_NEW_FRAME = 5,
  ROADMASK_NO_MASK_SILENT = 6,
  ROADMASK_NO_MASK_STALE = 7,
  ROADMASK_NO_MASK_FAULT = 8,
  ROADMASK_NO_MASK_TOO_OLD = 9,
  ROADMASK_NO_MASK_FUTURE = 10,
  ROADMASK_NO_MASK_NOT_LIVE = 11,
  ROADMASK_NO_MASK_OVERWRITTEN = 12,
  ROADMASK_NO_MASK_CONNECTION_LOST = 13,
  ROADMASK_NO_MASK_CLOSED = 14,
  ROADMASK_NO_MASK_MALFORMED = 15,
  ROADMASK_NO_MASK_NO_CLOCK = 16,
  ROADMASK_NO_MASK_AGE_UNKNOWN = 17,
  ROADMASK_NO_MASK_REFUSED = 18,
  ROADMASK_NO_MASK_FOREIGN_PUBLISHER = 19,
  ROADMASK_NO_MASK_WRONG_MODEL = 20,
  ROADMASK_NO_MASK_FORKED = 21,
  ROADMASK_NO_MASK_NO_MEMORY = 22,
  ROADMASK_NO_MASK_NO_PLACE = 23,
  ROADMASK_BAD_ARGUMENT = 1000
};

enum {
  ROADMASK_OK = 0,
  ROADMASK_DEGRADED = 1,
  ROADMASK_STALE = 2,
  ROADMASK_FAULT = 3,
};

#define ROADMASK_REASON_CPU_FALLBACK (1u << 8)
#define ROADMASK_REASON_THERMAL (1u << 9)
#define ROADMASK_REASON_POWER (1u << 10)
#define ROADMASK_REASON_LOW_RATE (1u << 11)
#define ROADMASK_REASON_LOW_CONFIDENCE (1u << 12)
#define ROADMASK_REASON_DARK (1u << 13)
#define ROADMASK_REASON_BLOCKED (1u << 14)
#define ROADMASK_REASON_FROZEN (1u << 15)
#define ROADMASK_REASON_ESTIMATED_TIME (1u << 16)
#define ROADMASK_REASON_IMPLAUSIBLE (1u << 17)
#define ROADMASK_REASON_FLICKER (1u << 18)
#define ROADMASK_REASON_DRIFT (1u << 19)
#define ROADMASK_REASON_NO_NEW_FRAME (1u << 20)
#define ROADMASK_REASON_CAMERA_LOST (1u << 21)
#define ROADMASK_REASON_INFERENCE_FAILED (1u << 22)
#define ROADMASK_REASON_STARTING (1u << 23)
#define ROADMASK_REASON_BAD_TIMESTAMP (1u << 24)
#define ROADMASK_REASON_SHUTDOWN (1u << 25)
#define ROADMASK_REASON_NOT_ALLOWED (1u << 26)
#define ROADMASK_REASON_TOO_MANY_CLIENTS (1u << 27)
#define ROADMASK_REASON_BAD_PICTURE (1u << 28)
#define ROADMASK_REASON_OVEREXPOSED (1u << 29)
#define ROADMASK_REASON_UNVERIFIED (1u << 30)
#define ROADMASK_REASON_REDUCED (1u << 31)

#define ROADMASK_FLAG_DRIVER_TIME (1u << 0)
#define ROADMASK_FLAG_REPLAY (1u << 1)
#define ROADMASK_FLAG_SYNTHETIC (1u << 2)
#define ROADMASK_FLAG_FILE (1u << 3)
#define ROADMASK_FLAG_PREVIEW (1u << 4)
#define ROADMASK_FLAG_CONFIDENCE (1u << 5)
#define ROADMASK_FLAG_AGE_UNKNOWN (1u << 6)

typedef struct roadmask_subscriber roadmask_subscriber;
typedef struct roadmask_mask roadmask_mask;

/* Bits of roadmask_options.flags. */
#define ROADMASK_ALLOW_NOT_LIVE 1u     /* replayed, synthetic and file frames too */
#define ROADMASK_ACCEPT_UNKNOWN_AGE 2u /* masks whose age nobody knows */
#define ROADMASK_NO_RECONNECT 4u       /* end at the first loss */
#define ROADMASK_PREVIEW 8u            /* copy the preview picture too */

typedef struct {
  uint32_t size; /* sizeof(roadmask_options) */
  uint32_t flags;
  int64_t max_age_ms; /* oldest mask to hand out; the publisher's own limit holds as well */
  uint32_t refuse;    /* ROADMASK_REASON_ bits for which no mask is handed out */
  uint32_t reserved;  /* 0 */
  uint64_t max_ring_bytes;
  const char* publisher_user; /* name or number; NULL: own user, root, the folder's owner */
  const char* model;          /* SHA-256, 64 hexadecimal digits; NULL: any */
} roadmask_options;

/* What the frame of a mask says; planes row by row, `stride` bytes apart, NULL where there is none.
 * They stay until the mask is given to another call, or freed. Times are ns CLOCK_BOOTTIME. */
typedef struct {
  uint32_t size;    /* sizeof(roadmask_frame) */
  uint32_t mode;    /* ROADMASK_OK or ROADMASK_DEGRADED */
  uint32_t reasons; /* ROADMASK_REASON_ bits */
  uint32_t flags;   /* ROADMASK_FLAG_ bits */
  uint64_t stream_id;
  uint64_t sequence;
  uint64_t capture_ns; /* with ROADMASK_FLAG_AGE_UNKNOWN: of the arrival */
  uint64_t publish_ns;
  uint64_t valid_until_ns;
  uint64_t frame_id; /* the camera's */
  uint64_t skipped_total;
  uint32_t skipped;
  uint32_t infer_us;
  uint32_t stage_us[4];                       /* capture, preprocess, wait, postprocess */
  float scale_x, scale_y, offset_x, offset_y; /* camera px = scale x mask px + offset */
  uint32_t camera_width, camera_height;       /* px */
  uint16_t shares[8];                         /* of each category, of 65535 */
  const uint8_t* pixels;                      /* category ids; 0 = no claim */
  const uint8_t* confidence;                  /* of 255 */
  const uint8_t* preview;                     /* RGB */
  uint32_t width, height, stride;             /* of pixels; px, bytes */
  uint32_t confidence_stride;
  uint32_t preview_width, preview_height, preview_stride;
  uint32_t reserved;
} roadmask_frame;

enum {
  ROADMASK_MODEL = 1,
  ROADMASK_CALIBRATION = 2,
  ROADMASK_CAMERA = 3,
  ROADMASK_LABELS = 4,
  ROADMASK_VERIFICATION = 5,
  ROADMASK_GEOMETRY = 6
};

/* What a frame was made with. */
typedef struct {
  uint32_t size; /* sizeof(roadmask_identity) */
  uint32_t kind;
  uint8_t sha256[32];
  char name[96]; /* UTF-8, ends with 0 */
  uint32_t colors;
  uint8_t colors_rgb[32][3];
} roadmask_identity;

typedef struct {
  uint32_t size; /* sizeof(roadmask_statistics) */
  uint32_t connected, ended;
  uint32_t reserved;
  uint64_t dropped; /* frames that this reader was never handed */
  uint64_t torn;    /* copies that the publisher overwrote: none was handed out */
} roadmask_statistics;

/* The defaults into a struct of `size` bytes, which is set too. */
void roadmask_options_init(roadmask_options* options, uint32_t size);

/* NULL path: the daemon's default; NULL options: the defaults. 0, ROADMASK_BAD_ARGUMENT or
 * ROADMASK_NO_MASK_NO_MEMORY; *subscriber is NULL then. The socket need not exist yet. */
uint32_t roadmask_open(const char* path, const roadmask_options* options,
                       roadmask_subscriber** subscriber);
/* Leave the stream, from any thread: a call that waits returns. */
void roadmask_close(roadmask_subscriber* subscriber);
/* After the last call of every thread; masks stay usable. NULL is nothing. */
void roadmask_free(roadmask_subscriber* subscriber);

roadmask_mask* roadmask_mask_new(void); /* NULL: no memory */
void roadmask_mask_free(roadmask_mask* mask);

#define ROADMASK_FOREVER INT64_MAX
/* A usable mask that was not handed out before; less than 0 ms is 0. */
uint32_t roadmask_receive(roadmask_subscriber* subscriber, roadmask_mask* mask, int64_t timeout_ms);
#define ROADMASK_OWN_LIMIT INT64_MAX
/* The newest usable mask, at most max_age_ms old; the same frame may come twice. */
uint32_t roadmask_latest(roadmask_subscriber* subscriber, roadmask_mask* mask, int64_t max_age_ms);
/* As latest, but in the ring: what was made from it counts only if roadmask_mask_valid then. */
uint32_t roadmask_latest_view(roadmask_subscriber* subscriber, roadmask_mask* mask,
                              int64_t max_age_ms);

/* 1, or 0 where the last call gave no mask (or there is no such identity). */
int roadmask_mask_frame(const roadmask_mask* mask, roadmask_frame* frame);
int roadmask_mask_identity(const roadmask_mask* mask, uint32_t kind, roadmask_identity* identity);
int roadmask_mask_valid(const roadmask_mask* mask); /* young enough and, of a view, whole */
int64_t roadmask_mask_age_ns(const roadmask_mask* mask);

int roadmask_statistics_of(const roadmask_subscriber* subscriber, roadmask_statistics* statistics);
int roadmask_fileno(const roadmask_subscriber* subscriber); /* -1 while unconnected */

/* Texts into `size` bytes, ended with 0; the length that it would have, as snprintf. */
size_t roadmask_reason_text(const roadmask_subscriber* subscriber, char* text, size_t size);
size_t roadmask_reason_names(uint32_t reasons, char* text, size_t size);
const char* roadmask_no_mask_text(uint32_t no_mask);
const char* roadmask_mode_name(uint32_t mode);
const char* roadmask_category_name(uint32_t category);

uint64_t roadmask_now_ns(void);

#ifdef __cplusplus
}
#endif

#endif
