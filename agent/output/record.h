// One journal entry before it is sent: plain values.
#pragma once

#include "output/event.h"
#include "output/field.h"

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace escort {

struct Record {
    Event event;
    Priority priority;
    std::string message; // for people: what happened, why, what to do; one line
    std::map<Field, std::string> fields;

    Record(Event which, std::string text)
        : event(which), priority(info(which).priority), message(std::move(text)) {}

    // An empty value says "not known": the field is left out, as scripts expect of the journal.
    void set(Field field, std::string_view value) {
        if (!value.empty()) fields.insert_or_assign(field, std::string(value));
    }
};

// What every record of this agent carries, unless the record has a value of its own. Empty values are left
// out.
struct Context {
    std::string host;          // ESCORT_HOST
    std::string tier;          // ESCORT_TIER: deny, kill, none
    std::string mode;          // ESCORT_MODE: enforce, observe
    std::string policy_sha256; // ESCORT_POLICY_SHA256
};

// The context's fields that the record has no value of its own for; none is empty.
[[nodiscard]] std::vector<std::pair<Field, std::string_view>> fields_of_context(const Record& record,
                                                                                const Context& context);

// The datagram of journald's native protocol (systemd's docs/JOURNAL_NATIVE_PROTOCOL.md): NAME=VALUE lines.
// Every value goes through one_line(), so none can start a field of its own or break a line.
[[nodiscard]] std::string encode(const Record& record, const Context& context);

} // namespace escort
