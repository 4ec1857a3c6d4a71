// A host's folders and a store over them, for the store's tests.
#pragma once

#include "approvals/store.h"
#include "base/file.h"
#include "documents.h"
#include "temp_folder.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace escort::test::store_host {

// The wall clock may be wrong; CLOCK_BOOTTIME is not.
inline ClockReading clocks(std::int64_t s) {
    return {kT0 + s, at(s > 0 ? s : 0).boot_ns};
}

// A host's folders and a store over them; restart() is a new daemon on the same disk.
struct Host {
    TempFolder folder;
    SigningKey key = make_key();
    TrustSet trust = trust_of(key);
    IssuerRules rules;
    std::optional<Store> store;

    Host() {
        std::filesystem::create_directory(folder.path("spool"));
        restart();
    }
    Result<LoadReport> load(std::int64_t s = 0) {
        store.emplace(StorePaths{folder.path("spool"), folder.path("state")},
                      LedgerSettings{"i-0abc", {"prod"}, 0}, trust, rules);
        return store->load(clocks(s));
    }
    LoadReport restart(std::int64_t s = 0) {
        auto report = load(s);
        REQUIRE(report.has_value());
        return *report;
    }
    Result<Outcome> take_file(const std::string& name, const std::string& content, std::int64_t s = 0) {
        folder.write("spool/" + name, content);
        return store->take(folder.path("spool/" + name), at(s));
    }
    Outcome take(const std::string& content, std::int64_t s = 0) {
        auto out = take_file("d.jws", content, s);
        REQUIRE(out.has_value());
        return *out;
    }
    Outcome take(const ApprovalList& list, std::int64_t s = 0) { return take(sign(key, list), s); }
    bool admits(std::int64_t s = 0) {
        for (const Candidate& c : store->ledger().candidates("azsupport", at(s)))
            if (c.admits()) return true;
        return false;
    }
    [[nodiscard]] bool spool_empty() const { return std::filesystem::is_empty(folder.path("spool")); }
    std::vector<std::string> leases() { return list_files(folder.path("state/presence"), ".jws").value(); }
    std::vector<std::string> kept() { return list_files(folder.path("state/documents"), ".jws").value(); }
};

} // namespace escort::test::store_host
