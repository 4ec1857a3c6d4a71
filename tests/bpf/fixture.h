// What the tests of the kernel programs share: programs in a bpffs of their own, rules for a few accounts,
// children that do one thing and say how they came out.
#pragma once

#include "core/policy.h"
#include "kernel/programs.h"
#include "kernel/rules.h"
#include "kernel/state.h"

#include "abi.h"

#include <functional>
#include <memory>
#include <string>
#include <sys/types.h>
#include <vector>

struct ring_buffer;

namespace escort::test {

constexpr std::uint32_t kSupport = 61001; // accounts that no test machine has
constexpr std::uint32_t kSecond = 61002;
constexpr std::uint32_t kTenant = 61003;

// What a Kernel starts with: an empty pin folder; the pins of the Kernel before, adopted; or those, to be
// replaced by a set of its own, which does nothing before programs.take_over().
enum class Pins { fresh, adopted, replaced };

class Kernel {
  public:
    explicit Kernel(Pins found = Pins::fresh);
    ~Kernel();
    Kernel(const Kernel&) = delete;
    Kernel& operator=(const Kernel&) = delete;

    // Puts one rule for kSupport and kSecond in force. `window_ms` 0: no window.
    void rules(std::uint64_t window_ms, Mode mode = Mode::enforce, std::vector<ExemptRule> exempt = {},
               Admission admission = Admission::window);
    // The same without a window, and one listed unit with a window of its own.
    void unit(const std::string& name, std::vector<std::string> may_run, std::uint64_t window_ms,
              Mode mode = Mode::enforce);
    std::vector<escort_event> events(); // since the last call; skips those of other namespaces' making: none

    Programs programs;
    KernelState state;

  private:
    static int on_event(void* self, void* data, std::size_t size);
    ring_buffer* ring_ = nullptr;
    std::vector<escort_event> events_;
};

std::string pins();
void forget_pins(); // and waits until nothing is enforced any more

// Forks; the child runs `body` and exits 0 (the canary: it got to the end). -SIGNAL when a signal killed it,
// its exit code otherwise.
int run(const std::function<void()>& body);

// A child that stays until it is killed: forks, runs `body`, then sleeps. Killed and reaped at the end.
class Child {
  public:
    explicit Child(const std::function<void()>& body);
    ~Child();
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] bool alive() const;
    int wait(); // as run()

  private:
    pid_t pid_ = -1;
};

void become(std::uint32_t uid);                          // setresuid by raw system call: this thread alone
bool eventually(const std::function<bool()>& condition); // within 2 s

// The session that the child is in, or comes into within 2 s.
std::uint64_t session_of(const Kernel& kernel, const Child& child);

} // namespace escort::test
