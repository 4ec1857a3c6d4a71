// The rows that the daemon's table (calls.h) and the courier's (courier/sandbox.cpp) have in common: what a
// program with an event loop, files and libraries needs, and nothing by which it could reach another process.
#pragma once

#include "sandbox/calls.h"

#include <initializer_list>
#include <sched.h>
#include <vector>

namespace escort {

constexpr std::uint64_t kIntArgument = 0xffff'ffff; // its half of the register; the other is not its caller's
constexpr std::uint64_t kWholeArgument = ~std::uint64_t{0};
constexpr std::uint64_t kNewNamespaces = // of clone(2)'s flags
    CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

// The argument is exactly this int; has none of these bits.
[[nodiscard]] ArgumentCheck is(unsigned index, std::uint64_t value);
[[nodiscard]] ArgumentCheck none_of(unsigned index, std::uint64_t bits);

void add_calls(std::vector<AllowedCall>& to, const char* reason, std::initializer_list<const char*> names);
void add_common_calls(std::vector<AllowedCall>& to);

} // namespace escort
