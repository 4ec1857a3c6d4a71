// The number of the next session event, on the disk: written before the event is made, so that none is given
// twice by a daemon that was killed in between. Not fsync()ed: a power cut may take it back a little.
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <cstdint>
#include <string>

namespace escort {

class EventNumber {
  public:
    // From 1 where the file isn't there or can't be read.
    explicit EventNumber(std::string path);

    // The next one, from now on taken.
    [[nodiscard]] std::uint64_t take();
    // All below this are taken: they are found on the disk.
    void at_least(std::uint64_t next);
    // Sees to it that it is on the disk, whatever became of the file.
    [[nodiscard]] Status keep();

  private:
    void open();

    std::string path_;
    Fd file_;
    std::uint64_t next_ = 1;
};

} // namespace escort
