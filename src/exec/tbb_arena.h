/* The only door to oneTBB: a C interface, so that the file behind it shares no inline function with the rest
   and can be compiled without a sanitizer. */
#ifndef ORCHESTRATE_SRC_EXEC_TBB_ARENA_H
#define ORCHESTRATE_SRC_EXEC_TBB_ARENA_H

#include <stddef.h> /* NOLINT: a C header */

#ifdef __cplusplus
extern "C" {
#endif

/* Makes an arena with one slot; null when memory is out. */
void* orchestrate_arena_create(void);
void orchestrate_arena_destroy(void* arena);

/* Has a worker call run(argument) in the arena; returns 1, 0 when memory is out, and -1 when oneTBB could not
   make a thread: then run may be called all the same, sooner or later, and the arena is unusable: to enqueue
   there or to destroy it may wait for ever. */
int orchestrate_arena_enqueue(void* arena, void (*run)(void*), void* argument);

/* Sets how many threads all arenas of the process may have together; 0 gives the control, and if nobody else
   uses oneTBB its threads, back. Returns 0 on failure. Calls must not overlap. */
int orchestrate_arena_set_limit(size_t threads);

/* Gives the control back and keeps the threads. */
void orchestrate_arena_free_limit(void);

/* Returns the limit that is in force, which is lower when somebody else's control is. */
size_t orchestrate_arena_active_limit(void);

/* What sets that limit: somebody else's control; oneTBB's use before the first call of set_limit, which has
   fixed it then; or the most that set_limit has oneTBB fix. */
enum { OrchestrateLimitOfControl, OrchestrateLimitOfFirstUse, OrchestrateLimitOfLibrary };
int orchestrate_arena_limit_cause(void);

#ifdef __cplusplus
}
#endif
#endif
