#include "control/protocol.h"

namespace escort::control {

namespace {

using nlohmann::json;

std::string as_line(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

// Before the parser, which would build the tree first: brackets outside of strings.
bool too_deep(std::string_view line) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > kRequestDepth) return true;
        } else if (c == ']' || c == '}') {
            --depth;
        }
    }
    return false;
}

std::string text_of(const json& object, const char* key) {
    const auto found = object.find(key);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Exit exit_of(const json& answer) {
    const auto code = answer.find("code");
    if (code == answer.end() || !code->is_number_integer()) return Exit::not_so;
    if (*code == 2) return Exit::usage;
    if (*code == 4) return Exit::not_permitted;
    return Exit::not_so;
}

} // namespace

std::string encode_call(const Call& call) {
    return as_line({{"request", call.name}, {"params", call.params}});
}

std::string encode_result(const json& result) {
    return as_line({{"ok", true}, {"result", result}});
}

std::string encode_failure(const Failure& failure) {
    return as_line(
        {{"ok", false},
         {"code", static_cast<int>(failure.code)},
         {"error",
          {{"where", failure.error.where}, {"why", failure.error.why}, {"hint", failure.error.hint}}}});
}

Outcome<Call> decode_call(std::string_view line) {
    if (too_deep(line)) return failure(Exit::usage, "request", "is nested too deeply");
    const json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!value.is_object()) return failure(Exit::usage, "request", "is not a JSON object on one line");
    Call call;
    for (const auto& [key, item] : value.items()) {
        if (key == "request" && item.is_string()) {
            call.name = item.get<std::string>();
        } else if (key == "params" && item.is_object()) {
            call.params = item;
        } else {
            return failure(Exit::usage, "request",
                           "must be {\"request\": NAME, \"params\": {...}} and nothing else");
        }
    }
    if (call.name.empty()) return failure(Exit::usage, "request", "has no name");
    return call;
}

Outcome<json> decode_answer(std::string_view line) {
    const json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
    const auto ok = value.is_object() ? value.find("ok") : value.end();
    if (ok == value.end() || !ok->is_boolean())
        return failure(Exit::unreachable, "escortd", "sent an answer that can't be read");
    if (ok->get<bool>()) {
        const auto result = value.find("result");
        return result == value.end() ? json() : *result;
    }
    const auto error = value.find("error");
    if (error == value.end() || !error->is_object())
        return failure(Exit::unreachable, "escortd", "sent an answer that can't be read");
    return failure(exit_of(value), text_of(*error, "where"), text_of(*error, "why"), text_of(*error, "hint"));
}

} // namespace escort::control
