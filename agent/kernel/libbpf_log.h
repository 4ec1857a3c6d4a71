// Collects what libbpf prints, so that an error's text can say it and nothing reaches stderr.
#pragma once

#include <string>

namespace escort {

// While one lives, libbpf's warnings go to it. Not nested, not for threads: libbpf has one printer.
class LibbpfLog {
  public:
    LibbpfLog();
    ~LibbpfLog();
    LibbpfLog(const LibbpfLog&) = delete;
    LibbpfLog& operator=(const LibbpfLog&) = delete;

    // The last warning, one line, at most 300 bytes.
    [[nodiscard]] std::string last() const;
};

} // namespace escort
