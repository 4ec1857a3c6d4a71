// Files of the host that programs outside a session take orders from: what a session writes there is done by
// others, without its label, and after its end (threats.md, O10 and O11). Holds no watch; pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace escort {

struct GuardedFolder {
    const char* path;
    std::vector<std::string_view> names{}; // of the files in it; empty: all
    // A file of a governed account's that has its name may change: such a job is itself a way in, judged when
    // it starts (I7). Passed over too: folders, and what is gone by the time of the look.
    bool governed_allowed = false;

    [[nodiscard]] bool guards(std::string_view file) const;
};

// Not the packages' own folders below /usr: whoever may install packages there is not told apart. A folder
// that isn't there is not watched.
[[nodiscard]] const std::vector<GuardedFolder>& guarded_folders();

} // namespace escort
