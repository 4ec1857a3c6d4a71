// The last so many texts that were seen, in memory that does not grow: 16 bytes each, of their SHA-256.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <vector>

namespace escort {

class Recent {
  public:
    explicit Recent(std::size_t capacity) : marks_(capacity) {}

    // True: it is not among the last `capacity` that this was true of, and is from now on.
    [[nodiscard]] bool first_time(std::string_view text);

  private:
    using Mark = std::array<unsigned char, 16>;

    std::vector<Mark> marks_; // a ring
    std::size_t used_ = 0;
    std::size_t next_ = 0;
};

} // namespace escort
