// The kernel programs: loaded or adopted, attached, pinned, and given the word. Decides which set of hooks
// this kernel has, by trying, never by version. Knows nothing of policies, sessions or verdicts.
//
// Make before break: start() loads and attaches a new set, which does nothing yet, beside the one that acts;
// take_over() carries the sessions over where the ABI has changed, passes the word by one map update (the map
// `owner`), and only then detaches the old set.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "kernel/clock.h"
#include "kernel/object.h"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

struct bpf_link;
struct bpf_map;
struct escort_bpf;

namespace escort {

// How a change of identity is seen, the best first: a trampoline at commit_creds; the tracepoint of
// capability checks (6.14 and later), which sees it a moment before; the system calls' tracepoints, which
// send every system call of every task through the kernel's slow path.
enum class HookSet { none, fentry, capability, tracepoints };
[[nodiscard]] const char* to_string(HookSet hooks);
// The next best one; none after the last.
[[nodiscard]] HookSet next_best(HookSet hooks);

struct ProgramOptions {
    std::string pins;               // folder on a bpffs; created when missing
    HookSet best = HookSet::fentry; // none better is tried; `hooks: tracepoints` in the settings
    bool adopt = true;              // false: a new set even where one of this build acts (tests)
    std::uint32_t boot = 0;         // first 32 bits of the boot id
    std::uint64_t first_number = 1; // of the next session, where the maps are new
    std::uint32_t uid_min = 1000;   // uids from here on may have to be looked up
};

// One attached program. The daemon's own descriptor keeps it attached while somebody removes its pin.
struct HookLink {
    std::string name;
    Fd fd;
};

// Owns the descriptors. Pinned programs, links and maps outlive it: that is the point of them.
class Programs {
  public:
    // Adopts the set that acts where it is of an identical build and whole, else loads and attaches a new
    // one. The maps are kept when their ABI is ours. Errors: no BTF, no BPF, pins that can't be written,
    // hooks refused by the kernel; then what acted before goes on.
    [[nodiscard]] static Result<Programs> start(const ProgramOptions& options);
    // From now on this set acts, and no other is left. To be called once the rules are in force.
    [[nodiscard]] Status take_over();

    // Detaches and removes every pin: the host is no longer enforced. For tests and for package removal.
    [[nodiscard]] static Status remove_all(const std::string& pins);

    Programs(Programs&&) noexcept;
    Programs& operator=(Programs&&) noexcept;
    ~Programs();

    [[nodiscard]] HookSet hooks() const { return hooks_; }
    [[nodiscard]] ClockKind clock() const { return clock_; }
    [[nodiscard]] bool adopted() const { return adopted_; }
    // Why a better set of hooks was not taken; empty when it was.
    [[nodiscard]] const std::string& note() const { return note_; }
    [[nodiscard]] const std::vector<HookLink>& links() const { return links_; }

    // Map descriptors, by the names of bpf/maps.h. Owned by this object.
    [[nodiscard]] int map(const char* name) const;
    // A link of the task iterator; owned by this object.
    [[nodiscard]] int iterator_link() const;
    // The program that opens a session for the daemon; owned by this object.
    [[nodiscard]] int open_session() const;
    // The program that puts a carried session's count right; owned by this object.
    [[nodiscard]] int adjust() const;

    struct Repair {
        // Pins that somebody had removed or replaced; "escort_tasks": it had another program; "owner":
        // another set was to act; "clock": it stood still.
        std::vector<std::string> missing;
        Status status; // of putting them back
    };
    // Looks whether everything is pinned and this set acts, and puts back what is not. A few dozen stat(2)s.
    [[nodiscard]] Repair repair();

  private:
    Programs() = default;
    Status load(const ProgramOptions& options, HookSet hooks);
    Status attach();
    Status adopt_links();
    [[nodiscard]] std::vector<std::string> link_names() const;
    Status keep(const std::string& name, bpf_link* link);
    Status learn(const ProgramOptions& options);
    Status set_adopting(bool adopting) const;
    [[nodiscard]] std::uint64_t acting() const; // generation of the set that acts; 0: none
    Status act() const;
    [[nodiscard]] Result<bool> restore_iterator() const;

    Object object_;
    std::vector<HookLink> links_;
    std::string pins_;
    std::string folder_; // of this set's pins
    std::uint64_t generation_ = 0;
    std::map<std::string, std::uint64_t> pin_inodes_; // by path, since the first repair()
    bool clock_late_ = false;                         // as the last repair() found it
    HookSet hooks_ = HookSet::none;
    ClockKind clock_ = ClockKind::none;
    bool adopted_ = false;
    std::string note_;
};

} // namespace escort
