#include "approvals/denials_file.h"

#include "approvals/claims.h"
#include "approvals/state.h"
#include "base/file.h"

#include <filesystem>
#include <limits>

namespace escort {

namespace {

using nlohmann::json;

constexpr std::size_t kFileLimit = 64UL * 1024 * 1024;

JsonRules rules() {
    JsonRules rules;
    rules.list_entries = std::numeric_limits<std::size_t>::max();
    rules.string_bytes = 4096; // a name is 1 KiB at most, but what was written must be readable
    return rules;
}

std::set<std::string> read_set(Claims& claims, const char* name) {
    claims.list(name);
    const auto texts = claims.texts(name);
    return {texts.begin(), texts.end()};
}

} // namespace

Result<Denials> load_denials(const std::string& file) {
    std::error_code error;
    if (std::filesystem::symlink_status(file, error).type() == std::filesystem::file_type::not_found)
        return Denials{};
    const auto text = read_file(file, kFileLimit);
    if (!text) return tl::unexpected(text.error());
    const auto object = read_object(file, *text, rules());
    if (!object) return tl::unexpected(object.error());
    std::optional<Refusal> refusal;
    Claims claims(*object, "", refusal);
    static_cast<void>(claims.integer("format", Need::required, kStateFormat, kStateFormat));
    Denials denials{read_set(claims, "approvals"), read_set(claims, "engineers"),
                    read_set(claims, "accounts")};
    claims.finish();
    if (refusal) return fail(file, refusal->text);
    return denials;
}

Status save_denials(const std::string& file, const Denials& denials) {
    const json object{{"format", kStateFormat},
                      {"approvals", denials.approvals},
                      {"engineers", denials.engineers},
                      {"accounts", denials.accounts}};
    return write_file_atomically(file, object.dump(1, ' ', false, json::error_handler_t::replace) + "\n",
                                 0600);
}

} // namespace escort
