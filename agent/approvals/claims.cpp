#include "approvals/claims.h"

#include <algorithm>

namespace escort {

using nlohmann::json;

Refusal refusal_of(const Error& error) {
    const bool syntax = error.where.empty() || error.why.starts_with("is not JSON");
    return {syntax ? RefusalCode::malformed : RefusalCode::invalid, error.text()};
}

Claims::Claims(const json& object, std::string path, std::optional<Refusal>& refusal)
    : object_(object), path_(std::move(path)), refusal_(refusal) {
    asked_.reserve(16);
}

Claims::Claims(const json& object, const Claims& outer, const char* name)
    : Claims(object, name, outer.refusal_) {
    outer_ = &outer;
}

std::string Claims::path() const {
    return outer_ ? outer_->path_of(path_.c_str()) : path_;
}

std::string Claims::path_of(const char* name) const {
    const std::string outer = path();
    return outer.empty() ? name : outer + "." + name;
}

void Claims::refuse_at(const std::string& path, std::string why, RefusalCode code) {
    if (!refusal_) refusal_ = Refusal{code, path + ": " + std::move(why)};
}

void Claims::refuse_claim(const char* name, std::string why, RefusalCode code) {
    refuse_at(path_of(name), std::move(why), code);
}

const json* Claims::take(const char* name, Need need) {
    asked_.push_back(name);
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    if (need == Need::required) refuse_claim(name, "is missing");
    return nullptr;
}

std::optional<std::string> Claims::fault(const json& value, const Shape& shape) {
    if (!value.is_string()) return "must be a string";
    const auto& text = value.get_ref<const std::string&>();
    if (text.empty()) return "is empty";
    return shape ? shape(text) : std::nullopt;
}

std::string Claims::text(const char* name, Need need, const Shape& shape) {
    const json* value = take(name, need);
    if (!value) return "";
    if (auto why = fault(*value, shape)) {
        refuse_claim(name, std::move(*why));
        return "";
    }
    return value->get_ref<const std::string&>();
}

std::string Claims::text_or_empty(const char* name) {
    const json* value = take(name, Need::optional);
    if (!value) return "";
    if (value->is_string()) return value->get_ref<const std::string&>();
    refuse_claim(name, "must be a string");
    return "";
}

std::optional<std::int64_t> Claims::integer(const char* name, Need need, std::int64_t least,
                                            std::int64_t most) {
    const json* value = take(name, need);
    if (!value) return std::nullopt;
    // nlohmann reads what is not negative as unsigned, and what fits neither 64-bit type as a float.
    std::optional<std::int64_t> number;
    if (value->is_number_unsigned()) {
        if (const auto read = value->get<std::uint64_t>();
            read <= static_cast<std::uint64_t>(kLargestInteger))
            number = static_cast<std::int64_t>(read);
    } else if (value->is_number_integer()) {
        number = value->get<std::int64_t>();
    }
    if (number && *number >= least && *number <= most) return number;
    refuse_claim(name, "must be an integer from " + std::to_string(least) + " to " + std::to_string(most));
    return std::nullopt;
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
    for (const json& entry : *value) {
        if (auto why = fault(entry, shape)) {
            refuse_at(path_of(name) + "[" + std::to_string(out.size()) + "]", std::move(*why));
            return out;
        }
        out.push_back(entry.get_ref<const std::string&>());
    }
    return out;
}

std::vector<std::string> Claims::text_or_texts(const char* name) {
    const auto found = object_.find(name);
    if (found == object_.end() || !found->is_string()) return texts(name);
    return {text(name, Need::optional)};
}

void Claims::object(const char* name, Need need, const std::function<void(Claims&)>& read, Others others) {
    const json* value = take(name, need);
    if (!value) return;
    if (!value->is_object()) {
        refuse_claim(name, "must be an object");
        return;
    }
    Claims inner(*value, *this, name);
    read(inner);
    if (others == Others::refused) inner.finish();
}

void Claims::list(const char* name) {
    const json* value = take(name, Need::required);
    if (value && !value->is_array()) refuse_claim(name, "must be a list");
}

void Claims::finish() {
    if (refusal_) return;
    for (auto member = object_.begin(); member != object_.end(); ++member) {
        const std::string& name = member.key();
        const bool asked =
            std::any_of(asked_.begin(), asked_.end(), [&](const char* known) { return name == known; });
        if (!asked) refuse_claim(name.c_str(), "is unknown");
    }
}

} // namespace escort
