#include "escortctl/published_folder.h"

#include "approvals/jws.h"
#include "base/fd.h"
#include "base/file.h"
#include "courier/answer.h"
#include "feed/keys.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sys/file.h>

namespace escort::ctl {

namespace {

constexpr mode_t kMode = 0644;

std::string place_of(const PublishedName& name) {
    const auto colon = name.audience.find(':');
    return name.audience.substr(0, colon) + "s/" + url_part(name.audience.substr(colon + 1));
}

} // namespace

Result<std::string> publish_into(const std::string& folder, const PublishedName& name,
                                 const std::string& document, std::int64_t now) {
    const std::string place = folder + "/" + place_of(name);
    std::error_code error;
    std::filesystem::create_directories(place, error);
    if (error) return fail(place, "create: " + error.message());
    const Fd lock(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!lock.valid() || ::flock(lock.get(), LOCK_EX) != 0) return fail_errno(place, "lock", errno);
    const std::string path = place + "/documents";
    nlohmann::json list = nlohmann::json::array();
    if (std::filesystem::exists(path, error)) {
        const auto content = read_file(path, courier::kMostAnswerBytes);
        if (!content) return tl::unexpected(content.error());
        const auto there = courier::documents_of(*content);
        if (!there) return fail(path, there.error().text());
        for (const auto& each : *there) {
            const auto other = published_name(each);
            const bool follows = other && other->kind == name.kind && other->identity == name.identity;
            if (!follows && !(other && other->until < now)) list.push_back(each);
        }
    }
    list.push_back(document);
    const std::string text = list.dump() + "\n";
    if (list.size() > courier::kMostDocuments || text.size() > courier::kMostAnswerBytes)
        return fail(path, "would be more than a courier takes: " + std::to_string(list.size()) +
                              " documents, " + std::to_string(text.size()) + " bytes");
    if (auto written = write_file_atomically(path, text, kMode); !written)
        return tl::unexpected(written.error());
    return path;
}

} // namespace escort::ctl
