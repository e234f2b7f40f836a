/* The release that these headers belong to; for C and C++. */
#ifndef ROADMASK_VERSION_H
#define ROADMASK_VERSION_H

#define ROADMASK_VERSION_MAJOR 0
#define ROADMASK_VERSION_MINOR 1
#define ROADMASK_VERSION_PATCH 0
#define ROADMASK_VERSION "0.1.0"

#endif
