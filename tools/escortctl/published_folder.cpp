#include "escortctl/published_folder.h"

#include "approvals/jws.h"
#include "base/fd.h"
#include "base/file.h"
#include "courier/answer.h"

#include <cerrno>
#include <fcntl.h>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sys/file.h>
#include <sys/stat.h>

namespace escort::ctl {

namespace {

constexpr mode_t kMode = 0644;

// "hosts/ID", as a web server looks for it once it has decoded the address.
Result<std::string> place_of(const PublishedName& name) {
    const auto colon = name.audience.find(':');
    const std::string id = name.audience.substr(colon + 1);
    if (id == "." || id == ".." || id.find_first_of(std::string_view("/\0", 2)) != std::string::npos)
        return fail(name.audience, "can't be a folder's name");
    return name.audience.substr(0, colon) + "s/" + id;
}

// A web server's ETag may be the whole second and the length: two documents within one second must not share
// it.
void make_newer(const std::string& path, const struct stat& before) {
    struct stat now {};
    if (::stat(path.c_str(), &now) != 0 || now.st_mtim.tv_sec > before.st_mtim.tv_sec) return;
    const timespec times[2] = {{0, UTIME_OMIT}, {before.st_mtim.tv_sec + 1, 0}};
    (void)::utimensat(AT_FDCWD, path.c_str(), times, 0);
}

} // namespace

Result<std::string> publish_into(const std::string& folder, const PublishedName& name,
                                 const std::string& document, std::int64_t now) {
    const auto below = place_of(name);
    if (!below) return tl::unexpected(below.error());
    const std::string place = folder + "/" + *below;
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
    struct stat before {};
    const bool follows = ::stat(path.c_str(), &before) == 0;
    if (auto written = write_file_atomically(path, text, kMode); !written)
        return tl::unexpected(written.error());
    if (follows) make_newer(path, before);
    return path;
}

} // namespace escort::ctl
