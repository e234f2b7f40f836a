/* The mask ring under weak memory ordering: one writer, one reader, one slot of two words.
 *
 *   spin -a ring.pml && cc -O2 -o pan pan.c && ./pan
 *   spin -a -DNO_FENCE ring.pml ...        must fail: the writer's full fence is missing
 *   -DNO_RELEASE, -DNO_ACQUIRE, -DNO_READ_FENCE, -DNO_CLEAR   likewise
 *   -DVIEWS                                a view in place of a copy; with it must fail:
 *   -DNO_VIEW_ACQUIRE, -DNO_VIEW_FENCE, and the writer's
 *
 * What is modelled (edge/cpp/include/roadmask/ring.hpp):
 *   begin   generation <- 0, relaxed; full fence
 *   pixels  two words, stored in any order
 *   commit  generation <- n, release: only after all earlier stores
 *   read    load generation, acquire; load both words; acquire fence; load generation, relaxed
 *
 * Weak ordering of stores: a store goes into a buffer with one place per location, and the
 * places drain to memory in any order (weaker than PSO, as ARM has it). A fence drains all; a
 * release store waits until all others have drained. A second store to a location waits for its
 * first: coherence.
 *
 * Weak ordering of loads: loads that no acquire orders may take effect in any order; the reader
 * chooses the order of each group.
 *
 * The claim: whoever finds the generation n before and after has two words of frame n. The frame
 * number is what each word of the frame holds. Generations are never reused (64 bits), so the
 * model's writer makes few frames and each has its own number.
 */

#define FRAMES 3

byte generation = 0;         /* memory */
byte word[2];
byte buffered[3];            /* the writer's store buffer: words 0 and 1, generation */
bool waiting[3] = false;
#define GENERATION 2
byte accepted = 0;

inline drain(i) {
  atomic {
    waiting[i] ->
      if
      :: i == GENERATION -> generation = buffered[i]
      :: else -> word[i] = buffered[i]
      fi;
      waiting[i] = false;
      buffered[i] = 0
  }
}

inline store(i, value) {
  atomic { !waiting[i] -> buffered[i] = value; waiting[i] = true }
}

#define DRAINED (!waiting[0] && !waiting[1] && !waiting[GENERATION])

active proctype Memory() {
end:
  do
  :: drain(0)
  :: drain(1)
  :: drain(GENERATION)
  od
}

active proctype Writer() {
  byte n = 1;
  do
  :: n <= FRAMES ->
#ifndef NO_CLEAR
     store(GENERATION, 0);
#endif
#ifndef NO_FENCE
     DRAINED;
#endif
     if                              /* the pixels, in either order */
     :: store(0, n); store(1, n)
     :: store(1, n); store(0, n)
     fi;
#ifndef NO_RELEASE
     (!waiting[0] && !waiting[1]);
#endif
     store(GENERATION, n);
     n++
  :: else -> break
  od
}

#ifdef VIEWS
/* A view: asked, used, asked, used again, asked. What was used counts if the asking after it finds
 * the same generation as the one before all use: the first must be an acquire, as still_holds is. */
inline use() {
  if
  :: first = word[0]; second = word[1]
  :: second = word[1]; first = word[0]
  fi
}

inline ask() {
  after = generation;
  if
  :: before != 0 && before == after ->
     assert(first == before && second == before);
     accepted = before
  :: else
  fi
}

active proctype View() {
  byte before, after, first, second, uses;
#ifdef NO_VIEW_ACQUIRE
  if                                 /* a word may be loaded before the first asking */
  :: first = word[0]; before = generation; second = word[1]
  :: second = word[1]; before = generation; first = word[0]
  :: before = generation; use()
  fi;
#else
  before = generation;
  use();
#endif
#ifdef NO_VIEW_FENCE
  if                                 /* a word may be loaded after the last asking */
  :: after = generation; first = word[0]
  :: after = generation; second = word[1]
  fi;
  assert(!(before != 0 && before == after) || (first == before && second == before));
#else
  ask();
  uses = 1;
  do
  :: uses < 3 -> use(); ask(); uses++
  :: else -> break
  od
#endif
}
#else
active proctype Reader() {
  byte before, after, first, second, round;
  round = 0;
  do
  :: round < 2 ->
#ifdef NO_ACQUIRE
     if                              /* the words may be loaded before the generation */
     :: first = word[0]; before = generation; second = word[1]
     :: second = word[1]; before = generation; first = word[0]
     :: before = generation; first = word[0]; second = word[1]
     fi;
#else
     before = generation;
#ifdef NO_READ_FENCE
     if                              /* the generation may be loaded before the words */
     :: after = generation; first = word[0]; second = word[1]
     :: first = word[0]; after = generation; second = word[1]
     :: second = word[1]; after = generation; first = word[0]
     fi;
#else
     if
     :: first = word[0]; second = word[1]
     :: second = word[1]; first = word[0]
     fi;
#endif
#endif
#ifndef NO_READ_FENCE
     after = generation;
#endif
     if
     :: before != 0 && before == after ->
        assert(first == before && second == before);
        accepted = before
     :: else
     fi;
     round++
  :: else -> break
  od
}
#endif

#ifdef SOME_READ_SUCCEEDS            /* must fail: else the claim above would be empty */
never { do :: assert(accepted < FRAMES) od }
#endif
