// Names and upkeep of the pin folder. The label map has a name without a version, since every later version
// adopts it; all else lives under the ABI's own folder.
#pragma once

#include "base/result.h"

#include <cstddef>
#include <string>

namespace escort {

// Makes the folders; a path that isn't on a bpffs is an error. Pins of another ABI's programs are removed.
[[nodiscard]] Status prepare_pins(const std::string& pins, unsigned abi);

[[nodiscard]] std::string map_pin(const std::string& pins, const std::string& map);
[[nodiscard]] std::string link_pin(const std::string& pins, const std::string& program);
[[nodiscard]] bool link_pinned(const std::string& pins, const std::string& program);
// Detaches every pinned link.
[[nodiscard]] Status drop_links(const std::string& pins);

// Which build of the programs is pinned: kept as the name of an empty folder, since a bpffs holds no files.
[[nodiscard]] std::string read_build(const std::string& pins);
[[nodiscard]] Status write_build(const std::string& pins, const std::string& build);

// 16 hex digits of SHA-256 over the bytes.
[[nodiscard]] std::string content_hash(const void* data, std::size_t size);

} // namespace escort
