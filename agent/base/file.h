// Whole small files: read with a limit, write so that a crash leaves the old or the new, never half.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace escort {

enum class Follow { yes, no }; // a symbolic link at the path's end

// The whole regular file (one of /proc too), at most `limit` bytes; a larger file, a FIFO or a device is an
// error, never a partial read or a hang. Follow::no: a symbolic link is one, too.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t limit,
                                            Follow follow = Follow::yes);

enum class Sync { no, yes }; // yes: on the disk when it returns

// A file that appears whole: all of `content` as `half` (what lies there goes first: it may be another's,
// where others may write), then renamed to `path`. The mode holds whatever the umask is; after an error
// nothing is left at `half`.
[[nodiscard]] Status place_file(const std::string& half, const std::string& path, std::string_view content,
                                mode_t mode, Sync sync);

// The names in `folder`, on the disk when it returns.
[[nodiscard]] Status sync_folder(const std::string& folder);

// Writes to a temporary name in the same folder, fsyncs, renames over `path`, fsyncs the folder.
[[nodiscard]] Status write_file_atomically(const std::string& path, std::string_view content, mode_t mode);

// Regular files of `folder` whose name ends in `suffix` and does not start with a dot, in lexical order,
// as whole paths. A missing folder is an error.
[[nodiscard]] Result<std::vector<std::string>> list_files(const std::string& folder, std::string_view suffix);

} // namespace escort
