#include "core/policy.h"

#include <array>
#include <utility>

namespace escort {

namespace {
constexpr std::array<std::pair<Entry, const char*>, 10> kEntries{{{Entry::other, "other"},
                                                                  {Entry::sshd, "sshd"},
                                                                  {Entry::login, "login"},
                                                                  {Entry::su, "su"},
                                                                  {Entry::sudo, "sudo"},
                                                                  {Entry::cron, "cron"},
                                                                  {Entry::at, "at"},
                                                                  {Entry::systemd, "systemd"},
                                                                  {Entry::unit, "unit"},
                                                                  {Entry::existing, "existing"}}};
} // namespace

const char* to_string(Entry entry) {
    for (const auto& [value, word] : kEntries)
        if (value == entry) return word;
    return "other";
}

std::optional<Entry> entry_from(const std::string& word) {
    for (const auto& [value, name] : kEntries)
        if (word == name) return value;
    return std::nullopt;
}

} // namespace escort
