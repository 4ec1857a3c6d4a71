#include "policy/read_policy.h"

#include "policy/read_principals.h"
#include "policy/read_require.h"
#include "policy/scalars.h"
#include "policy/schema.h"
#include "policy/utf8.h"

#include <fmt/format.h>

namespace escort {

namespace {

// Reads a tree that fits policy_shape().
class Reader {
  public:
    Reader(const std::string& file, const YamlNode& root, Diagnostics& out)
        : reading_(file, out), root_(root) {}

    PolicyFile read() {
        PolicyFile result;
        read_version();
        const auto* allow_empty = root_.find("allow_empty");
        result.allow_empty = allow_empty != nullptr && boolean_of(*allow_empty).value_or(false);
        if (only_allows_empty(result.allow_empty)) return result;
        result.policy = read_body();
        return result;
    }

  private:
    void read_version() {
        if (root_.find("version") == nullptr)
            reading_.report(root_, "version is missing", "write version: 1");
    }

    [[nodiscard]] bool only_allows_empty(bool allow_empty) const {
        return allow_empty && root_.members.size() <= 1U + (root_.find("version") == nullptr ? 0U : 1U);
    }

    Policy read_body() {
        Policy policy;
        read_name(policy);
        if (const auto* mode = root_.find("mode"))
            policy.mode = {mode->text == "observe" ? Mode::observe : Mode::enforce, reading_.place_of(*mode)};
        read_principals(reading_, root_, policy.principals);
        read_exemptions(reading_, root_, policy.exempt);
        read_require(reading_, root_, policy.require);
        if (const auto* word = root_.find("break_glass"))
            policy.break_glass = {word->text == "allow", reading_.place_of(*word)};
        if (const auto* word = find_in(root_.find("restrict"), "user_manager"))
            policy.user_manager = {word->text == "allow" ? UserManager::allow : UserManager::deny,
                                   reading_.place_of(*word)};
        if (const auto* word = find_in(root_.find("on_violation"), "default"))
            policy.on_violation = {violation_of(word->text), reading_.place_of(*word)};
        read_record(policy.record);
        policy.notify_before_expiry =
            reading_.duration(find_in(root_.find("notify"), "before_expiry"), "notify.before_expiry");
        return policy;
    }

    void read_name(Policy& policy) {
        const auto* name = root_.find("policy");
        if (name == nullptr)
            return reading_.report(root_, "policy is missing", "give the policy a name, unique on this host");
        policy.name = name->text;
        policy.place = reading_.place_of(*name);
        if (name->text.size() > 128) reading_.report(*name, "the policy's name is longer than 128 bytes");
        if (name->text.find_first_of("\n\t") != std::string::npos)
            reading_.report(*name, "the policy's name must be a single line");
    }

    void read_record(Recording& into) {
        const auto* record = root_.find("record");
        if (const auto* count = find_in(record, "exec_per_minute")) {
            const std::int64_t value = integer_of(*count).value_or(0);
            if (value > kMostExecs)
                reading_.report(*count, fmt::format("record.exec_per_minute must be 0 to {}", kMostExecs));
            else
                into.exec_per_minute = {static_cast<std::uint32_t>(value), reading_.place_of(*count)};
        }
        if (const auto* arguments = find_in(record, "arguments"))
            into.arguments = {boolean_of(*arguments).value_or(false), reading_.place_of(*arguments)};
        // `false` asks for nothing.
        if (const auto* terminal = find_in(record, "terminal");
            terminal != nullptr && boolean_of(*terminal).value_or(true))
            reading_.report(*terminal, "record.terminal: true is not supported yet");
    }

    static Violation violation_of(const std::string& word) {
        if (word == "log") return Violation::log;
        if (word == "kill_process") return Violation::kill_process;
        return word == "freeze" ? Violation::freeze : Violation::kill;
    }

    Reading reading_;
    const YamlNode& root_;
};

} // namespace

std::optional<PolicyFile> read_policy(const std::string& file, const YamlNode& root, Diagnostics& out) {
    const auto before = out.size();
    // Of a file in another version nothing else can be said.
    const auto* version = root.find("version");
    if (version != nullptr && resolve(*version) == Resolved::integer && integer_of(*version) != 1) {
        out.push_back({Severity::error, Place{file, version->line, version->column},
                       fmt::format("version {} is not supported: only 1 is", shortened(version->text))});
        return std::nullopt;
    }
    if (!check_shape(file, root, policy_shape(), out)) return std::nullopt;
    PolicyFile result = Reader(file, root, out).read();
    if (out.size() != before) return std::nullopt;
    return result;
}

} // namespace escort
