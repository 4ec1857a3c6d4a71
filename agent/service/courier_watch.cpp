#include "service/courier_watch.h"

#include "base/file.h"
#include "base/moment.h"

#include <fmt/format.h>
#include <sys/stat.h>

namespace escort {

namespace {

constexpr std::size_t kLongestWhy = 512; // bytes, and the last name

nlohmann::json seconds_since(std::uint64_t then_ns, std::uint64_t now_ns) {
    if (then_ns == 0) return nullptr;
    return now_ns > then_ns ? (now_ns - then_ns) / kNsPerSecond : 0;
}

} // namespace

CourierWatch::CourierWatch(CourierSettings settings, std::string report, Health& health,
                           std::uint64_t now_boot_ns)
    : settings_(std::move(settings)), path_(std::move(report)), health_(health), worked_ns_(now_boot_ns) {}

void CourierWatch::read() {
    struct stat info {};
    if (::lstat(path_.c_str(), &info) != 0) {
        report_.reset();
        stamp_.clear();
        unreadable_ = "escort-courier does not run";
        return;
    }
    std::string stamp = fmt::format("{}:{}.{}", info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    if (stamp == stamp_) return;
    stamp_ = std::move(stamp);
    report_.reset();
    unreadable_.clear();
    const auto content = read_file(path_, kReportLimit, Follow::no); // its folder is the courier's
    if (!content) {
        unreadable_ = "escort-courier's report can't be read";
        return;
    }
    auto parsed = parse_report(*content);
    if (parsed)
        report_ = std::move(*parsed);
    else
        unreadable_ = "escort-courier's report can't be read";
}

void CourierWatch::tick(std::uint64_t now_boot_ns) {
    if (settings_.sources.empty()) return;
    read();
    const std::uint64_t since = silent_since(report_ ? &*report_ : nullptr, worked_ns_);
    const auto patience = static_cast<std::uint64_t>(settings_.stale_after_s) * kNsPerSecond;
    if (since == 0 || now_boot_ns < since || now_boot_ns - since <= patience) {
        if (since != 0) return;
        worked_ns_ = now_boot_ns;
        health_.recover("courier");
        return;
    }
    // Names from the settings, nothing from the report: what a courier says must not become an entry of the
    // journal's for each time that it says it otherwise.
    std::string why = unreadable_;
    for (std::size_t i = 0; i < settings_.sources.size() && why.size() < kLongestWhy; i++)
        why += (why.empty() ? "" : "; ") + name_of(settings_.sources[i]);
    health_.degrade(
        "courier", fmt::format("no source has worked for {} s: {}", settings_.stale_after_s, why),
        "`escortctl status` has each one's error; lists in force end at their own time, and what they "
        "approve with them");
}

nlohmann::json CourierWatch::sources_json(std::uint64_t now_boot_ns) {
    nlohmann::json all = nlohmann::json::array();
    if (settings_.sources.empty()) return all;
    read();
    if (!report_) {
        for (const auto& source : settings_.sources)
            all.push_back({{"name", name_of(source)}, {"state", "unknown"}, {"last_error", unreadable_}});
        return all;
    }
    for (const auto& source : report_->sources) {
        nlohmann::json next;
        if (source.next_try_ns != 0)
            next = source.next_try_ns > now_boot_ns ? (source.next_try_ns - now_boot_ns) / kNsPerSecond : 0;
        all.push_back({{"name", source.name},
                       {"state", to_string(source.state)},
                       {"last_success_seconds", seconds_since(source.last_success_ns, now_boot_ns)},
                       {"last_list_seconds", seconds_since(source.last_list_ns, now_boot_ns)},
                       {"failing_seconds", seconds_since(source.failing_since_ns, now_boot_ns)},
                       {"next_try_seconds", next},
                       {"documents", source.documents},
                       {"last_error", source.last_error}});
    }
    return all;
}

} // namespace escort
