#pragma once

// Everything of orchestrate::core that users call.
#include <orchestrate/exec/blocking.hpp>
#include <orchestrate/exec/runtime.hpp>
#include <orchestrate/exec/strand.hpp>
#include <orchestrate/flow/consume.hpp>
#include <orchestrate/flow/invoke_all.hpp>
#include <orchestrate/flow/progress_bar.hpp>
#include <orchestrate/flow/rate_limiter.hpp>
#include <orchestrate/flow/repeat.hpp>
#include <orchestrate/flow/retry.hpp>
#include <orchestrate/flow/sleep.hpp>
#include <orchestrate/flow/timeout.hpp>
#include <orchestrate/flow/wait.hpp>
#include <orchestrate/sync/channel.hpp>
#include <orchestrate/task/after.hpp>
#include <orchestrate/task/context.hpp>
#include <orchestrate/task/fork_join.hpp>
#include <orchestrate/task/parallel.hpp>
#include <orchestrate/task/promise.hpp>
#include <orchestrate/task/task.hpp>
