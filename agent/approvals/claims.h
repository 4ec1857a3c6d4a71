// Reads the members of one JSON object strictly: each is named, typed and bounded, and what nobody asked for
// is an error. The first error is kept, with its JSON path; reading goes on with empty values.
#pragma once

#include "base/result.h"
#include "core/refusal.h"

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace escort {

// 2^53 - 1: what every JSON reader holds exactly (RFC 8259 §6).
constexpr std::int64_t kLargestInteger = (std::int64_t{1} << 53) - 1;

enum class Need { required, optional };
// Members that nobody asked for.
enum class Others { refused, ignored };

// What a string must look like: nothing where it does, else why it does not.
using Shape = std::function<std::optional<std::string>(const std::string&)>;

// Why a payload that parse_strict() does not take is refused: `malformed` where it is no JSON, else
// `invalid`.
[[nodiscard]] Refusal refusal_of(const Error& error);

class Claims {
  public:
    // `refusal` outlives this object and is shared by all that read one document.
    Claims(const nlohmann::json& object, std::string path, std::optional<Refusal>& refusal);

    [[nodiscard]] std::string text(const char* name, Need need,
                                   const Shape& shape = {});   // never an empty string
    [[nodiscard]] std::string text_or_empty(const char* name); // optional; may be empty
    [[nodiscard]] std::optional<std::int64_t> integer(const char* name, Need need, std::int64_t least,
                                                      std::int64_t most = kLargestInteger);
    [[nodiscard]] std::vector<std::string> texts(const char* name, const Shape& shape = {});
    // The object's own reader runs only where the member is there and an object. Others::refused calls
    // finish() after it.
    void object(const char* name, Need need, const std::function<void(Claims&)>& read,
                Others others = Others::refused);
    // One string, or a list of them (RFC 7519 §4.1.3); optional.
    [[nodiscard]] std::vector<std::string> text_or_texts(const char* name);
    // A list whose elements were read elsewhere: only that it is a list.
    void list(const char* name);

    void refuse_claim(const char* name, std::string why, RefusalCode code = RefusalCode::invalid);
    // Call last: refuses the claims that nobody asked for.
    void finish();

  private:
    Claims(const nlohmann::json& object, const Claims& outer, const char* name);
    [[nodiscard]] const nlohmann::json* take(const char* name, Need need);
    // Paths are put together only where there is something to say: a list may hold 10,000 approvals.
    [[nodiscard]] std::string path() const;
    [[nodiscard]] std::string path_of(const char* name) const;
    // Why the value is no acceptable string; nothing where it is one.
    [[nodiscard]] static std::optional<std::string> fault(const nlohmann::json& value, const Shape& shape);
    void refuse_at(const std::string& path, std::string why, RefusalCode code = RefusalCode::invalid);

    const nlohmann::json& object_;
    const Claims* outer_ = nullptr;
    std::string path_; // the whole path or, with an outer one, the name within it
    std::optional<Refusal>& refusal_;
    std::vector<const char*> asked_;
};

} // namespace escort
