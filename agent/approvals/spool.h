// The spool: a folder that an unprivileged courier writes. Nothing in it is believed: no symlink is followed,
// no FIFO waited for, no file read beyond the limit, and a name is removed only while it still is what was
// judged.
#pragma once

#include "base/result.h"
#include "core/refusal.h"

#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace escort {

struct SpoolFile {
    std::string content;            // empty when refused
    std::optional<Refusal> refusal; // not a regular file, or too large: never read
    dev_t device = 0;
    ino_t inode = 0;
};

// Does the spool's rule take this name? "*.jws", without a leading dot.
[[nodiscard]] bool is_spool_name(const std::string& path);

// An error where the file is gone or can't be read for a reason of this host (it stays).
[[nodiscard]] Result<SpoolFile> read_spool_file(const std::string& path);

// Removes the name, unless another file has taken it since: that one stays. A folder is never removed.
[[nodiscard]] Status remove_spool_file(const std::string& path, const SpoolFile& judged);

// Everything of that name pattern, symlinks and FIFOs too, as whole paths in lexical order; at most `limit`.
[[nodiscard]] Result<std::vector<std::string>> list_spool(const std::string& folder,
                                                          std::size_t limit = 10'000);

} // namespace escort
