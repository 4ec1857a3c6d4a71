#include "output/record.h"

#include "output/one_line.h"

namespace escort {

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
    const auto put_default = [&](Field field, const std::string& value) {
        if (!value.empty() && !record.fields.contains(field)) put(name(field), value);
    };
    put_default(Field::host, context.host);
    put_default(Field::tier, context.tier);
    put_default(Field::mode, context.mode);
    put_default(Field::policy_sha256, context.policy_sha256);
    for (const auto& [field, value] : record.fields)
        put(name(field), value);
    return datagram;
}

} // namespace escort
