/* The release; for C and C++. CMakeLists.txt and pyproject.toml read the three numbers from here,
 * and nothing else holds them. */
#ifndef ROADMASK_VERSION_H
#define ROADMASK_VERSION_H

#define ROADMASK_VERSION_MAJOR 0
#define ROADMASK_VERSION_MINOR 1
#define ROADMASK_VERSION_PATCH 0
#define ROADMASK_TEXT_OF(major, minor, patch) #major "." #minor "." #patch
#define ROADMASK_TEXT(major, minor, patch) ROADMASK_TEXT_OF(major, minor, patch)
#define ROADMASK_VERSION \
  ROADMASK_TEXT(ROADMASK_VERSION_MAJOR, ROADMASK_VERSION_MINOR, ROADMASK_VERSION_PATCH)

#endif
