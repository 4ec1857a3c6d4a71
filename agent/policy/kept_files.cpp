#include "policy/kept_files.h"

#include "base/file.h"
#include "base/json_number.h"
#include "policy/digest.h"
#include "policy/yaml.h"

#include <filesystem>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <set>

namespace escort {

namespace {

using nlohmann::json;
namespace fs = std::filesystem;

constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kManifestBytes = std::size_t{1}
                                       << 20; // kPolicyFiles entries of some 400 bytes, and room
constexpr mode_t kPrivate = 0600;

struct KeptFile {
    std::string name;
    std::string copy;
    std::string sha256;
};

std::string manifest_path(const std::string& folder) {
    return folder + "/manifest.json";
}

Status make_folder(const std::string& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error) return fail(folder, "can't be made: " + error.message());
    fs::permissions(folder, fs::perms::owner_all, error);
    if (error) return fail(folder, "can't be made private: " + error.message());
    return {};
}

// Best effort: what stays behind is named by no manifest and read by nobody.
void remove_others(const std::string& folder, const std::set<std::string>& wanted) {
    std::error_code error;
    std::vector<fs::path> others;
    for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
         entry.increment(error))
        if (!wanted.contains(entry->path().filename().string())) others.push_back(entry->path());
    for (const auto& path : others)
        fs::remove(path, error);
}

// A name from the manifest must stay within the folder.
bool is_plain(const std::string& name) {
    return !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
}

Result<std::vector<KeptFile>> parse_manifest(const std::string& path, const std::string& content) {
    try {
        const json manifest = json::parse(content);
        const auto format = number_from<std::uint32_t>(manifest.at("format"));
        if (format != kFormat)
            return fail(
                path, fmt::format("format {} is not known to this version, which knows {}", format, kFormat));
        std::vector<KeptFile> files;
        for (const auto& file : manifest.at("files"))
            files.push_back({file.at("name").get<std::string>(), file.at("copy").get<std::string>(),
                             file.at("sha256").get<std::string>()});
        return files;
    } catch (const json::exception& problem) {
        return fail(path, std::string("is damaged: ") + problem.what());
    }
}

Result<PolicySource> read_copy(const std::string& folder, const KeptFile& file) {
    const std::string path = folder + "/" + file.copy;
    if (!is_plain(file.copy)) return fail(manifest_path(folder), "is damaged: it names a file elsewhere");
    auto content = read_file(path, kYamlBytes);
    if (!content) return tl::unexpected(content.error());
    const auto sha256 = sha256_hex(*content);
    if (!sha256) return tl::unexpected(sha256.error());
    if (*sha256 != file.sha256) return fail(path, "was changed since it was kept");
    return PolicySource{file.name, path, std::move(*content)};
}

} // namespace

Status write_kept_files(const std::string& folder, const PolicySources& sources) {
    if (auto made = make_folder(folder); !made) return made;
    std::set<std::string> wanted{"manifest.json"};
    json files = json::array();
    for (const auto& source : sources) {
        const auto sha256 = sha256_hex(source.content);
        if (!sha256) return tl::unexpected(sha256.error());
        const std::string copy = fmt::format("{}-{}", sha256->substr(0, 16), source.name);
        if (auto written = write_file_atomically(folder + "/" + copy, source.content, kPrivate); !written)
            return written;
        files.push_back({{"name", source.name}, {"copy", copy}, {"sha256", *sha256}});
        wanted.insert(copy);
    }
    const json manifest{{"format", kFormat}, {"files", std::move(files)}};
    // A file's name need not be UTF-8; such a one fails to be found again, and says so.
    const std::string text = manifest.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
    if (auto written = write_file_atomically(manifest_path(folder), text, kPrivate); !written) return written;
    remove_others(folder, wanted);
    return {};
}

Result<std::optional<PolicySources>> read_kept_files(const std::string& folder) {
    const std::string path = manifest_path(folder);
    std::error_code error;
    if (fs::symlink_status(path, error).type() == fs::file_type::not_found) return std::nullopt;
    const auto content = read_file(path, kManifestBytes);
    if (!content) return tl::unexpected(content.error());
    const auto files = parse_manifest(path, *content);
    if (!files) return tl::unexpected(files.error());
    PolicySources sources;
    for (const auto& file : *files) {
        auto source = read_copy(folder, file);
        if (!source) return tl::unexpected(source.error());
        sources.push_back(std::move(*source));
    }
    return sources;
}

} // namespace escort
