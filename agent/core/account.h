// An account of this host, as NSS knows it. Plain data.
#pragma once

#include <cstdint>
#include <set>
#include <string>

namespace escort {

struct Account {
    std::string name;
    std::uint32_t uid = 0;
    std::set<std::string>
        groups{}; // names, primary and supplementary; which of them were asked is the asker's affair
};

} // namespace escort
