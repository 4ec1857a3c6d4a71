#include "policy/contradictions.h"

#include "base/contains.h"
#include "policy/values.h"

#include <algorithm>
#include <fmt/format.h>

namespace escort {

namespace {

class Checker {
  public:
    Checker(const Policy& policy, Diagnostics& out) : policy_(policy), require_(policy.require), out_(out) {}

    void check() {
        check_engineer();
        check_escort();
        check_proofs();
        check_times();
        check_exemptions();
    }

  private:
    using Texts = std::optional<Placed<std::vector<std::string>>>;

    void warn(const Place& place, std::string message, std::string hint = {}) {
        out_.push_back({Severity::warning, place, std::move(message), std::move(hint)});
    }

    void check_engineer() {
        const RequireEngineer& engineer = require_.engineer;
        check_countries(engineer.country, "require.engineer.location");
        check_countries(engineer.citizenship, "require.engineer.citizenship");
        warn_if_empty(engineer.location_asserted_by, "require.engineer.location.asserted_by");
        const bool asks = engineer.country.allow || engineer.country.deny || engineer.location_max_age ||
                          engineer.location_asserted_by;
        if (engineer.location && !asks)
            warn(*engineer.location, "require.engineer.location asks for nothing");
        warn_of_strangers(require_.escort.unless_citizenship, require_.escort.required.place,
                          "require.escort.required.unless.citizenship");
    }

    void check_countries(const AllowDeny& lists, const std::string& key) {
        warn_if_empty(lists.allow, key + ".allow");
        if (lists.allow) warn_of_strangers(lists.allow->value, lists.allow->place, key + ".allow");
        if (!lists.deny) return;
        warn_of_strangers(lists.deny->value, lists.deny->place, key + ".deny");
        for (const auto& code : lists.deny->value)
            if (lists.allow && contains(lists.allow->value, code))
                warn(lists.deny->place, fmt::format("{}.deny: \"{}\" is allowed too", key, code),
                     "deny outranks allow");
    }

    // A code that no document will hold: in a deny list it denies nobody.
    void warn_of_strangers(const std::vector<std::string>& codes, const Place& place,
                           const std::string& key) {
        for (const auto& code : codes)
            if (!is_country(code))
                warn(place, fmt::format("{}: \"{}\" is no country's code in ISO 3166-1", key, code),
                     code == "UK" ? "the United Kingdom is GB" : "");
    }

    void warn_if_empty(const Texts& list, const std::string& key) {
        if (list && list->value.empty()) warn(list->place, key + " is empty: nobody can meet it");
    }

    void check_escort() {
        const RequireEscort& escort = require_.escort;
        if (!escort.required.value) {
            const std::string hint = "write require.escort.required: true";
            if (escort.lease) warn(escort.lease->place, unused("require.escort.lease"), hint);
            if (!escort.absent.place.file.empty())
                warn(escort.absent.place, unused("require.escort.absent"), hint);
            if (escort.grace) warn(escort.grace->place, unused("require.escort.grace"), hint);
        } else if (escort.grace && escort.absent.value == Absent::kill) {
            warn(escort.grace->place, "require.escort.grace means nothing with absent: kill",
                 "grace is how long a session may stay frozen");
        }
    }
    static std::string unused(const std::string& key) {
        return key + " means nothing: no escort is required";
    }

    // What can't be proven: only sshd has a peer address and a key.
    void check_proofs() {
        warn_if_empty(require_.source, "require.source");
        for (const auto& [bound, what] :
             {std::pair{require_.bind_source, "source"}, std::pair{require_.bind_ssh_key, "ssh_key"}}) {
            if (!bound) continue;
            const auto& entries = require_.entries.value;
            if (!entries.empty() && !entries.contains(Entry::sshd))
                warn(*bound, fmt::format("require.bind: only sshd proves {}, and require.entries has no sshd",
                                         what == std::string("source") ? "a source" : "a key"));
            if (!policy_.principals.units.empty())
                warn(*bound,
                     fmt::format("require.bind: {} is never proven by a session of principals.units", what),
                     "give the units a policy of their own");
        }
    }

    void check_times() {
        const auto& longest = require_.max_duration;
        if (!longest) return;
        const auto never = [&](const std::optional<Placed<std::int64_t>>& key, const char* name) {
            if (key && key->value >= longest->value)
                warn(key->place, fmt::format("{} is no shorter than require.max_duration", name));
        };
        never(require_.idle_timeout, "require.idle_timeout");
        never(policy_.notify_before_expiry, "notify.before_expiry");
    }

    void check_exemptions() {
        for (const auto& exemption : policy_.exempt)
            for (const auto& unit : policy_.principals.units)
                if (unit.name == exemption.unit && !exemption.place.file.empty())
                    warn(exemption.place,
                         fmt::format("exempt: {} is also in principals.units", exemption.unit),
                         "what it opens is a session, exempt or not");
    }

    const Policy& policy_;
    const Requirements& require_;
    Diagnostics& out_;
};

} // namespace

void check_contradictions(const Policy& policy, Diagnostics& out) {
    Checker(policy, out).check();
}

} // namespace escort
