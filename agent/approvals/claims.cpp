#include "approvals/claims.h"

namespace escort {

using nlohmann::json;

Claims::Claims(const json& object, std::string path, std::optional<Refusal>& refusal)
    : object_(object), path_(std::move(path)), refusal_(refusal) {}

std::string Claims::path_of(const std::string& name) const {
    return path_.empty() ? name : path_ + "." + name;
}

void Claims::refuse_at(const std::string& path, std::string why, RefusalCode code) {
    if (!refusal_) refusal_ = Refusal{code, path + ": " + std::move(why)};
}

void Claims::refuse_claim(const char* name, std::string why, RefusalCode code) {
    refuse_at(path_of(name), std::move(why), code);
}

const json* Claims::take(const char* name, Need need) {
    asked_.insert(name);
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    if (need == Need::required) refuse_claim(name, "is missing");
    return nullptr;
}

std::string Claims::checked(const json& value, const std::string& path, const Shape& shape) {
    if (!value.is_string()) {
        refuse_at(path, "must be a string");
        return "";
    }
    const auto& text = value.get_ref<const std::string&>();
    if (text.empty())
        refuse_at(path, "is empty");
    else if (const auto why = shape ? shape(text) : std::nullopt)
        refuse_at(path, *why);
    return text;
}

std::string Claims::text(const char* name, Need need, const Shape& shape) {
    const json* value = take(name, need);
    return value ? checked(*value, path_of(name), shape) : "";
}

std::string Claims::text_or_empty(const char* name) {
    const json* value = take(name, Need::optional);
    if (!value) return "";
    if (value->is_string()) return value->get<std::string>();
    refuse_claim(name, "must be a string");
    return "";
}

std::optional<std::int64_t> Claims::integer(const char* name, Need need, std::int64_t least,
                                            std::int64_t most) {
    const json* value = take(name, need);
    if (!value) return std::nullopt;
    const std::string range =
        "must be an integer from " + std::to_string(least) + " to " + std::to_string(most);
    // nlohmann reads what fits neither 64-bit type as a float, so both comparisons are exact.
    const bool fits = value->is_number_unsigned()
                          ? value->get<std::uint64_t>() <= static_cast<std::uint64_t>(most)
                          : value->is_number_integer() && value->get<std::int64_t>() <= most;
    if (!fits || (!value->is_number_unsigned() && value->get<std::int64_t>() < least) ||
        (value->is_number_unsigned() && least > 0 &&
         value->get<std::uint64_t>() < static_cast<std::uint64_t>(least))) {
        refuse_claim(name, range);
        return std::nullopt;
    }
    return value->get<std::int64_t>();
}

std::vector<std::string> Claims::texts(const char* name, const Shape& shape) {
    std::vector<std::string> out;
    const json* value = take(name, Need::optional);
    if (!value) return out;
    if (!value->is_array()) {
        refuse_claim(name, "must be a list of strings");
        return out;
    }
    out.reserve(value->size());
    for (const json& entry : *value)
        out.push_back(checked(entry, path_of(name) + "[" + std::to_string(out.size()) + "]", shape));
    return out;
}

void Claims::object(const char* name, Need need, const std::function<void(Claims&)>& read) {
    const json* value = take(name, need);
    if (!value) return;
    if (!value->is_object()) {
        refuse_claim(name, "must be an object");
        return;
    }
    Claims inner(*value, path_of(name), refusal_);
    read(inner);
    inner.finish();
}

void Claims::list(const char* name) {
    const json* value = take(name, Need::required);
    if (value && !value->is_array()) refuse_claim(name, "must be a list");
}

void Claims::not_supported(const char* name) {
    if (take(name, Need::optional)) refuse_claim(name, "is not supported yet", RefusalCode::unsupported);
}

void Claims::finish() {
    if (refusal_) return;
    for (const auto& [name, value] : object_.items())
        if (!asked_.contains(name)) refuse_claim(name.c_str(), "is unknown");
}

} // namespace escort
