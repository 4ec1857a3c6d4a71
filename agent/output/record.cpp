#include "output/record.h"

#include "output/one_line.h"

namespace escort {

std::vector<std::pair<Field, std::string_view>> fields_of_context(const Record& record,
                                                                  const Context& context) {
    std::vector<std::pair<Field, std::string_view>> fields;
    const auto add = [&](Field field, std::string_view value) {
        if (!value.empty() && !record.fields.contains(field)) fields.emplace_back(field, value);
    };
    add(Field::host, context.host);
    add(Field::tier, context.tier);
    add(Field::mode, context.mode);
    add(Field::policy_sha256, context.policy_sha256);
    return fields;
}

std::string encode(const Record& record, const Context& context) {
    const EventInfo& kind = info(record.event);
    std::string datagram;
    const auto put = [&](std::string_view field, std::string_view value) {
        datagram.append(field).append("=").append(one_line(value)).append("\n");
    };
    put("MESSAGE", record.message);
    put("MESSAGE_ID", kind.message_id);
    put("PRIORITY", std::to_string(static_cast<int>(record.priority)));
    put("SYSLOG_IDENTIFIER", "escortd");
    put("ESCORT_EVENT", kind.word);
    for (const auto& [field, value] : fields_of_context(record, context))
        put(name(field), value);
    for (const auto& [field, value] : record.fields)
        put(name(field), value);
    return datagram;
}

} // namespace escort
