// The kernel programs: loaded or adopted, attached, pinned. Decides which set of hooks this kernel has, by
// trying, never by version. Knows nothing of policies, sessions or verdicts.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct escort_bpf;

namespace escort {

enum class HookSet { none, fentry, tracepoints };
[[nodiscard]] const char* to_string(HookSet hooks);

struct ProgramOptions {
    std::string pins;               // folder on a bpffs; created when missing
    bool allow_fentry = true;       // false: `hooks: tracepoints`
    std::uint32_t boot = 0;         // first 32 bits of the boot id
    std::uint64_t first_number = 1; // of the next session, where the maps are new
    std::uint32_t uid_min = 1000;   // uids from here on may have to be looked up
};

// Owns the descriptors. Pinned programs, links and maps outlive it: that is the point of them.
class Programs {
  public:
    // Adopts the pins of an identical build, else loads and attaches afresh, keeping the maps when their ABI
    // is ours. Errors: no BTF, no BPF, pins that can't be written, hooks refused by the kernel.
    [[nodiscard]] static Result<Programs> start(const ProgramOptions& options);

    // Detaches and removes every pin: the host is no longer enforced. For tests and for package removal.
    [[nodiscard]] static Status remove_pins(const std::string& pins);

    Programs(Programs&&) noexcept;
    Programs& operator=(Programs&&) noexcept;
    ~Programs();

    [[nodiscard]] HookSet hooks() const { return hooks_; }
    [[nodiscard]] bool adopted() const { return adopted_; }
    // Why a better set of hooks was not taken; empty when it was.
    [[nodiscard]] const std::string& note() const { return note_; }

    // Map descriptors, by the names of bpf/maps.h. Owned by this object.
    [[nodiscard]] int map(const char* name) const;
    // A link of the task iterator; owned by this object.
    [[nodiscard]] int iterator_link() const;
    // The program that opens a session for the daemon; owned by this object.
    [[nodiscard]] int open_session() const;

    // Names of pinned links that are not there any more (somebody removed a pin).
    [[nodiscard]] std::vector<std::string> missing_pins() const;

  private:
    struct Close {
        void operator()(escort_bpf* object) const;
    };
    Programs() = default;
    Status load(const ProgramOptions& options, HookSet hooks);
    Status attach(const ProgramOptions& options);
    Status learn(const ProgramOptions& options);

    std::unique_ptr<escort_bpf, Close> object_;
    std::string pins_;
    HookSet hooks_ = HookSet::none;
    bool adopted_ = false;
    std::string note_;
};

} // namespace escort
