#pragma once

#include <orchestrate/task/after.hpp>
#include <orchestrate/task/context.hpp>
#include <orchestrate/task/promise.hpp>
#include <orchestrate/task/task.hpp>
#include <orchestrate/exec/runtime.hpp>
