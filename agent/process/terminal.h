// A session's terminal: how long nobody has typed there, and a line written to it. Reads nothing from it, and
// never waits for it: a terminal that was stopped (^S), or whose reader is frozen, takes nothing.
//
// Names are those of the kernel and of logind: below /dev, "pts/3", "tty1", "ttyS0", "hvc0".
#pragma once

#include "base/result.h"
#include "process/facts.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace escort {

// A name of the forms above: nothing else below /dev is ever opened (opening a watchdog would start it).
[[nodiscard]] bool is_terminal_name(std::string_view name);

// Name of the process's controlling terminal. Nothing: it has none, it can't be told, or the name means
// another terminal here (a process with a devpts of its own, as in a container).
[[nodiscard]] std::optional<std::string> terminal_of(const Process& process);

// Nanoseconds since something was last read from the terminal, as w(1) and logind have it (the device's
// access time; utmp holds no newer one). `now`: CLOCK_REALTIME, seconds. The kernel moves that time only
// every 8 s, so the answer may be up to 8 s more than the truth, never less. A clock set back gives 0.
[[nodiscard]] Result<std::uint64_t> terminal_idle_ns(const std::string& name, std::int64_t now);

// Writes one line, at most kTerminalLine bytes of it; what isn't printable ASCII becomes '?'. Whole, or an
// error: no such terminal, it is stopped, its buffer is full. Takes no terminal as the controlling one.
constexpr std::size_t kTerminalLine = 1024;
[[nodiscard]] Status write_line(const std::string& name, std::string_view text);

// How long a line has to reach the person before what carries it there is frozen or killed. sshd forwards it
// within 1 ms, 12 ms under load, and over 15 ms were seen on two crowded processors; a pty's TIOCOUTQ is
// always 0, so there is nothing to wait for but time.
constexpr std::chrono::microseconds kLineLead{50'000};

} // namespace escort
