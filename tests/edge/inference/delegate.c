// A TensorFlow Lite delegate for the tests: takes the operators that its options say, computes
// nothing, and fails when it is told to. Structures as in LiteRT's c/common.h, as far as needed.
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  int size;
  int data[];
} IntArray;
typedef struct Context Context;
typedef struct Delegate Delegate;
typedef struct {
  IntArray *inputs, *outputs, *intermediates, *temporaries;
  void* user_data;
} Node;
typedef struct {
  void* (*init)(Context*, const char*, size_t);
  void (*free)(Context*, void*);
  int (*prepare)(Context*, Node*);
  int (*invoke)(Context*, Node*);
  const char* (*profiling_string)(const Context*, const Node*);
  int32_t builtin_code;
  const char* custom_name;
  int version;
  void* registration_external;
  void* async_kernel;
  uint64_t inplace_operator;
} Registration;
struct Context {
  size_t tensors_size;
  int (*GetExecutionPlan)(Context*, IntArray**);
  void *tensors, *impl;
  void *ResizeTensor, *ReportError, *AddTensors, *GetNodeAndRegistration;
  int (*ReplaceNodeSubsetsWithDelegateKernels)(Context*, Registration, const IntArray*, Delegate*);
};
struct Delegate {
  void* data;
  int (*Prepare)(Context*, Delegate*);
  void *copy_from, *copy_to, *free_buffer;
  int64_t flags;
  void* builder;
};

static int take = 1 << 30, lives = 1 << 30, hang = 0, crash = 0;
static char spare[4096];  // a file: while it is there, nothing is taken

static void* init(Context* c, const char* buffer, size_t length) { return NULL; }
static void release(Context* c, void* data) {}
static int prepare_kernel(Context* c, Node* node) { return 0; }
static int invoke(Context* c, Node* node) {
  if (lives-- > 0) return 0;
  if (crash) raise(SIGSEGV);
  while (hang) sleep(1000);
  return 1;
}

static int prepare(Context* context, Delegate* delegate) {
  IntArray* plan;
  if (take < 0 || !access(spare, F_OK) || context->GetExecutionPlan(context, &plan)) return 1;
  const int count = plan->size < take ? plan->size : take;
  if (!count) return 0;
  IntArray* nodes = malloc(sizeof(IntArray) + count * sizeof(int));
  nodes->size = count;
  memcpy(nodes->data, plan->data, count * sizeof(int));
  const Registration kernel = {init, release, prepare_kernel, invoke, NULL, 51, "TestDelegate", 1};
  const int status =
      context->ReplaceNodeSubsetsWithDelegateKernels(context, kernel, nodes, delegate);
  free(nodes);
  return status;
}

Delegate* tflite_plugin_create_delegate(char** keys, char** values, size_t count,
                                        void (*report)(const char*)) {
  take = lives = 1 << 30;
  hang = crash = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!strcmp(keys[i], "take"))
      take = atoi(values[i]);
    else if (!strcmp(keys[i], "lives"))
      lives = atoi(values[i]);
    else if (!strcmp(keys[i], "hang"))
      hang = atoi(values[i]);
    else if (!strcmp(keys[i], "crash"))
      crash = atoi(values[i]);
    else if (!strcmp(keys[i], "spare"))
      strncpy(spare, values[i], sizeof spare - 1);
    else {
      report("unknown option");
      return NULL;
    }
  }
  Delegate* delegate = calloc(1, sizeof(Delegate));
  delegate->Prepare = prepare;
  return delegate;
}

void tflite_plugin_destroy_delegate(Delegate* delegate) { free(delegate); }
