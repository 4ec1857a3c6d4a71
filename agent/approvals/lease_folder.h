// Where leases are kept raw: SHA.jws files of one folder, each under the SHA-256 of its bytes. Verifies
// nothing but that name.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace escort {

struct KeptLease {
    std::string path;
    std::string sha256;     // what the name says
    std::string raw;        // empty where it can't be read, or is not what the name says
    std::int64_t age_s = 0; // since it was written, by the wall clock
};

class LeaseFolder {
  public:
    explicit LeaseFolder(std::string folder) : folder_(std::move(folder)) {}

    // Makes the folder (0700), but not its parent.
    [[nodiscard]] Status create() const;
    // Every SHA.jws; other files (half written ones) are removed.
    [[nodiscard]] Result<std::vector<KeptLease>> read() const;
    [[nodiscard]] Status write(const std::string& sha256, std::string_view raw) const;
    void remove(const std::string& sha256) const;

  private:
    [[nodiscard]] std::string path_of(const std::string& sha256) const;

    std::string folder_;
};

} // namespace escort
