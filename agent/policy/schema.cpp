#include "policy/schema.h"

namespace escort {

namespace {

constexpr auto kLater = Support::later;

Shape texts() {
    return list_shape(text_shape());
}

Shape allow_or_deny() {
    return word_shape({"allow", "deny"});
}

Shape allow_deny_lists() {
    return map_shape({{"allow", texts()}, {"deny", texts()}});
}

Shape entry_words() {
    // unit, existing and other are found out, never asked for.
    return list_shape(word_shape({"sshd", "login", "su", "sudo", "cron", "at", "systemd"}));
}

Shape principals_shape() {
    const Shape unit = map_shape({{"name", text_shape()}, {"may_run", texts()}});
    return map_shape({{"users", texts()},
                      {"uids", list_shape(either_shape({text_shape(), integer_shape()}))},
                      {"groups", texts()},
                      {"units", list_shape(either_shape({text_shape(), unit}))}});
}

Shape engineer_shape() {
    const Shape location = map_shape(
        {{"allow", texts()}, {"deny", texts()}, {"max_age", duration_shape()}, {"asserted_by", texts()}});
    return map_shape({{"location", location}, {"citizenship", allow_deny_lists()}, {"screening", texts()}});
}

Shape escort_shape() {
    const Shape unless =
        map_shape({{"unless", map_shape({{"citizenship", texts()}, {"screening", texts()}})}});
    return map_shape({{"required", either_shape({boolean_shape(), unless})},
                      {"lease", duration_shape()},
                      {"absent", word_shape({"freeze", "kill"})},
                      {"grace", duration_shape()}});
}

Shape require_shape() {
    return map_shape({{"entries", entry_words()},
                      {"admission", word_shape({"gate", "window"})},
                      {"engineer", engineer_shape()},
                      {"escort", escort_shape()},
                      {"approvers", map_shape({{"min", integer_shape()}})},
                      {"ticket", text_shape()},
                      {"source", texts()},
                      {"bind", list_shape(word_shape({"source", "ssh_key"}))},
                      {"max_duration", duration_shape()},
                      {"idle_timeout", duration_shape()},
                      {"max_sessions", integer_shape()}});
}

Shape restrict_shape() {
    return map_shape({{"exec", allow_deny_lists(), kLater},
                      {"network", map_shape({{"egress", allow_or_deny()}, {"allow", texts()}}), kLater},
                      {"files", map_shape({{"deny", texts()}}), kLater},
                      {"forwarding", allow_or_deny(), kLater},
                      {"user_manager", allow_or_deny()},
                      {"privilege", word_shape({"allow", "contain", "deny"}), kLater}});
}

Shape violation_shape() {
    return map_shape({{"default", word_shape({"log", "kill_process", "kill", "freeze"})},
                      {"restrict", word_shape({"log", "kill_process", "kill", "freeze"}), kLater}});
}

Shape record_shape() {
    return map_shape({{"exec_per_minute", integer_shape()},
                      {"arguments", boolean_shape()},
                      {"terminal", boolean_shape()}});
}

} // namespace

Shape policy_shape() {
    return map_shape({{"version", integer_shape()},
                      {"policy", text_shape()},
                      {"allow_empty", boolean_shape()},
                      {"mode", word_shape({"enforce", "observe"})},
                      {"principals", principals_shape()},
                      {"exempt", list_shape(map_shape({{"unit", text_shape()}, {"accounts", texts()}}))},
                      {"require", require_shape()},
                      {"break_glass", allow_or_deny()},
                      {"restrict", restrict_shape()},
                      {"on_violation", violation_shape()},
                      {"record", record_shape()},
                      {"notify", map_shape({{"before_expiry", duration_shape()}})}});
}

} // namespace escort
