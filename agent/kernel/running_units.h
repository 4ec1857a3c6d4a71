// Listed units that already run when they are listed: what their programs were started as, for the kernel,
// which has not seen them start. Reads /proc; decides nothing.
#pragma once

#include "base/result.h"
#include "kernel/state.h"

#include <set>
#include <string>
#include <string_view>
#include <sys/types.h>

namespace escort {

// A program's path and its command line (/proc/PID/cmdline) as the kernel programs would have remembered
// them: without argv[0], without options at the end (bpf/units.h).
[[nodiscard]] escort_exec_text start_text(const std::string& path, std::string_view command_line);

// The unit in whose folder /system.slice/UNIT the process stands, exactly; "" when in none, or deeper.
[[nodiscard]] std::string unit_of_process(pid_t pid);

// Every process that stands in exactly /system.slice/UNIT of one of these units gets what its ancestor that
// is PID 1's child was started as; one that has a record keeps it. One pass over /proc, 0.1 ms a process; a
// process that ends meanwhile is skipped. Error: /proc can't be read.
[[nodiscard]] Status note_running_units(const KernelState& state, const std::set<std::string>& units);

} // namespace escort
