// What the fuzz targets share: how a property that must hold is said, and a file for parsers that read one.
#pragma once

#include "base/fd.h"

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

// What every target defines; libFuzzer calls it with one input after the other.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace escort::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
    return {reinterpret_cast<const char*>(data), size};
}

// Takes the first byte off: which of several parsers of one target the rest is for. 0 where there is none.
inline char take_choice(std::string_view& text) {
    if (text.empty()) return 0;
    const char choice = text.front();
    text.remove_prefix(1);
    return choice;
}

// A finding, unless it holds.
inline void must(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

// A regular file of memory, under one path for the whole run.
class MemoryFile {
  public:
    MemoryFile()
        : fd_(::memfd_create("input", MFD_CLOEXEC)), path_("/proc/self/fd/" + std::to_string(fd_.get())) {
        must(fd_.valid(), "there is memory for a file");
    }

    [[nodiscard]] const std::string& path() const { return path_; }
    void hold(std::string_view content) const {
        const auto size = static_cast<off_t>(content.size());
        must(::ftruncate(fd_.get(), 0) == 0 &&
                 ::pwrite(fd_.get(), content.data(), content.size(), 0) == static_cast<ssize_t>(size),
             "the file can be written");
    }

  private:
    Fd fd_;
    std::string path_;
};

} // namespace escort::fuzz
