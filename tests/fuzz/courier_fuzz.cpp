// What strangers send to the courier, and what the courier tells the daemon. First byte: 'd' an HTTPS answer,
// 's' a poll's, 'n' a credentials file, 'e' a session event's file name, else a report as the daemon, as
// root, reads it.
#include "fuzz.h"

#include "courier/answer.h"
#include "courier/nkey.h"
#include "feed/outbox.h"
#include "feed/report.h"

using namespace escort;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto text = fuzz::text_of(data, size);
    switch (fuzz::take_choice(text)) {
    case 'd':
        if (const auto documents = courier::documents_of(text))
            for (const auto& document : *documents) {
                fuzz::must(courier::check_compact_jws(document).has_value(), "nothing else is handed on");
                fuzz::must(document.find_first_of("\n\r/ ") == std::string::npos, "a document is one word");
                (void)courier::is_list(document);
            }
        return 0;
    case 's':
        if (const auto polled = courier::sets_of(text)) {
            std::vector<std::string> acknowledge, refuse;
            for (const auto& [jti, set] : *polled)
                (courier::check_compact_jws(set) ? acknowledge : refuse).push_back(jti);
            const auto body = courier::poll_body(acknowledge, refuse, 1, true);
            fuzz::must(nlohmann::json::accept(body), "a poll's body is JSON");
        }
        return 0;
    case 'n':
        if (const auto half = courier::nkey_public(text))
            fuzz::must(half->size() == 56 && half->starts_with('U'), "a user's public NKey");
        return 0;
    case 'e':
        if (const auto name = parse_event_name(text)) {
            fuzz::must(file_name(*name) == text, "a name is written in one way");
            fuzz::must(text.find('/') == std::string::npos, "a name leads nowhere else");
        }
        return 0;
    default:
        break;
    }
    if (const auto report = parse_report(text)) {
        const auto again = parse_report(to_json(*report));
        fuzz::must(again && *again == *report, "a report stays what it is");
        (void)silent_since(&*report, 1);
    }
    return 0;
}
