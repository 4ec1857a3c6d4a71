#include "approvals/strict_json.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace escort {

namespace {

using nlohmann::json;

constexpr std::size_t kMembers = 64; // of one object; the contract's largest has 14

// What nlohmann's parser calls. Returning false ends the parse; the reason is in error_.
class Builder : public nlohmann::json_sax<json> {
  public:
    Builder(const JsonRules& rules, const JsonSink& sink) : rules_(rules), sink_(sink) {
        stack_.reserve(rules.depth);
    }

    bool null() override { return value(nullptr); }
    bool boolean(bool v) override { return value(v); }
    bool number_integer(json::number_integer_t v) override { return value(v); }
    bool number_unsigned(json::number_unsigned_t v) override { return value(v); }
    bool number_float(json::number_float_t v, const std::string&) override { return value(v); }
    bool string(std::string& v) override { return text_ok(v) && value(std::move(v)); }
    bool binary(json::binary_t&) override { return stop("is binary"); }
    bool start_object(std::size_t) override { return open(json::object()); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override {
        if (stack_.empty()) return stop("is a list where an object must be");
        return open(json::array());
    }
    bool end_array() override { return close(); }

    bool key(std::string& name) override {
        if (!text_ok(name)) return false;
        Frame& top = stack_.back();
        if (top.value.size() >= kMembers)
            return stop("has more than " + std::to_string(kMembers) + " members");
        top.key = std::move(name);
        const auto [slot, fresh] = top.value.get_ref<json::object_t&>().try_emplace(top.key);
        if (!fresh) return stop("is there twice");
        top.slot = &slot->second; // a map's elements stay where they are
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const json::exception& e) override {
        // nlohmann's text: "[json.exception.parse_error.101] parse error at line 1, column 2: REASON"
        std::string reason = e.what();
        if (const auto at = reason.find(": "); at != std::string::npos) reason.erase(0, at + 2);
        std::erase_if(reason, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
        if (reason.size() > 200) reason.resize(200);
        std::replace_if(
            reason.begin(), reason.end(), [](char c) { return static_cast<unsigned char>(c) >= 0x80; }, '?');
        return stop("is not JSON at byte " + std::to_string(position) + ": " + reason);
    }

    [[nodiscard]] Result<json> take(bool parsed) {
        if (error_) return tl::unexpected(*error_);
        if (!parsed || !done_) return fail("", "is not a JSON object");
        return std::move(root_);
    }

  private:
    struct Frame {
        json value;
        std::string key;       // of the member being read
        std::size_t count = 0; // entries so far, for lists
        json* slot = nullptr;  // where the member being read goes
    };

    [[nodiscard]] bool streamed(std::size_t level) const { // is stack_[level] the streamed list?
        return level == 1 && stack_.size() > 1 && stack_[1].value.is_array() && !rules_.streamed.empty() &&
               stack_[0].key == rules_.streamed;
    }

    [[nodiscard]] std::string path() const {
        std::string out;
        for (const Frame& frame : stack_) {
            if (frame.value.is_array())
                out += "[" + std::to_string(frame.count) + "]";
            else if (!frame.key.empty())
                out += (out.empty() ? "" : ".") + frame.key;
        }
        return out;
    }

    bool stop(std::string why) {
        if (!error_) error_ = Error{path(), std::move(why)};
        return false;
    }

    bool text_ok(const std::string& text) {
        if (text.size() > rules_.string_bytes)
            return stop("is longer than " + std::to_string(rules_.string_bytes) + " bytes");
        const bool control = std::any_of(text.begin(), text.end(), [](char c) {
            return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
        });
        return control ? stop("holds a control character") : true;
    }

    // May the innermost list take one more?
    bool room() {
        if (stack_.empty() || !stack_.back().value.is_array()) return true;
        const std::size_t limit = streamed(stack_.size() - 1) ? rules_.streamed_entries : rules_.list_entries;
        if (stack_.back().count < limit) return true;
        const std::string list = path();
        if (!error_)
            error_ =
                Error{list.substr(0, list.rfind('[')), "has more than " + std::to_string(limit) + " entries"};
        return false;
    }

    bool open(json container) {
        if (!room()) return false;
        if (stack_.size() >= rules_.depth)
            return stop("is nested deeper than " + std::to_string(rules_.depth));
        stack_.push_back({std::move(container), "", 0, nullptr});
        return true;
    }

    bool close() {
        json finished = std::move(stack_.back().value);
        stack_.pop_back();
        if (stack_.empty()) {
            root_ = std::move(finished);
            done_ = true;
            return true;
        }
        return add(std::move(finished));
    }

    bool value(json v) {
        if (stack_.empty()) return stop("is no object");
        return room() && add(std::move(v));
    }

    bool add(json v) {
        Frame& top = stack_.back();
        if (top.value.is_object()) {
            *top.slot = std::move(v);
            top.key.clear();
            return true;
        }
        if (streamed(stack_.size() - 1)) {
            if (auto taken = sink_(top.count, v); !taken) {
                error_ = std::move(taken.error());
                return false;
            }
        } else {
            top.value.push_back(std::move(v));
        }
        ++top.count;
        return true;
    }

    const JsonRules& rules_;
    const JsonSink& sink_;
    std::vector<Frame> stack_;
    json root_;
    bool done_ = false;
    std::optional<Error> error_;
};

// Looks at the members of the outermost object only.
class Peeker : public nlohmann::json_sax<json> {
  public:
    explicit Peeker(const std::string& key) : wanted_(key) {}
    bool null() override { return other(); }
    bool boolean(bool) override { return other(); }
    bool number_integer(json::number_integer_t) override { return other(); }
    bool number_unsigned(json::number_unsigned_t) override { return other(); }
    bool number_float(json::number_float_t, const std::string&) override { return other(); }
    bool binary(json::binary_t&) override { return other(); }
    bool string(std::string& v) override {
        if (at_wanted()) found_ = std::move(v);
        return !at_wanted();
    }
    bool start_object(std::size_t) override { return ++depth_ == 1 || !std::exchange(here_, false); }
    bool end_object() override { return --depth_ > 0; }
    bool start_array(std::size_t) override { return depth_++ > 0 && !std::exchange(here_, false); }
    bool end_array() override { return --depth_ > 0; }
    bool key(std::string& name) override {
        here_ = depth_ == 1 && name == wanted_;
        return true;
    }
    bool parse_error(std::size_t, const std::string&, const json::exception&) override { return false; }

    [[nodiscard]] const std::optional<std::string>& found() const { return found_; }

  private:
    [[nodiscard]] bool at_wanted() const { return depth_ == 1 && here_; }
    [[nodiscard]] bool other() const { return !at_wanted(); }

    const std::string& wanted_;
    std::size_t depth_ = 0;
    bool here_ = false;
    std::optional<std::string> found_;
};

// nlohmann skips a byte order mark; RFC 8259 §8.1 lets a parser refuse it.
bool has_bom(std::string_view text) {
    return text.starts_with("\xef\xbb\xbf");
}

} // namespace

Result<json> parse_strict(std::string_view text, const JsonRules& rules, const JsonSink& sink) {
    if (has_bom(text)) return fail("", "is not JSON at byte 1: a byte order mark");
    Builder builder(rules, sink);
    try {
        const bool parsed = json::sax_parse(text.begin(), text.end(), &builder);
        return builder.take(parsed);
    } catch (const std::exception& e) { // out-of-range numbers are reported as exceptions by some versions
        return fail("", std::string("is not JSON: ") + e.what());
    }
}

Result<std::string> peek_string(std::string_view text, const std::string& key) {
    if (has_bom(text)) return fail("", "is not JSON at byte 1: a byte order mark");
    Peeker peeker(key);
    try {
        static_cast<void>(json::sax_parse(text.begin(), text.end(), &peeker));
    } catch (const std::exception& e) {
        return fail("", std::string("is not JSON: ") + e.what());
    }
    if (!peeker.found()) return fail(key, "is missing, or not a string");
    return *peeker.found();
}

} // namespace escort
