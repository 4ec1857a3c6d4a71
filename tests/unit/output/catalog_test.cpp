// packaging/journal/escortd.catalog: an entry for each event, none for anything else.
#include "base/file.h"
#include "output/event.h"

#include <doctest/doctest.h>
#include <map>
#include <sstream>
#include <string>

using namespace escort;

TEST_CASE("catalog: every MESSAGE_ID has an entry with subject and text, and every entry a MESSAGE_ID") {
    const auto content = read_file(ESCORT_SOURCE_DIR "/packaging/journal/escortd.catalog", 1 << 20);
    REQUIRE(content);
    std::map<std::string, std::string> entries; // id -> header and text
    std::istringstream lines(*content);
    std::string id;
    for (std::string line; std::getline(lines, line);) {
        CHECK(line.size() <= 80);
        if (line.starts_with("-- ")) {
            id = line.substr(3);
            CHECK_FALSE(entries.contains(id));
        } else if (!line.starts_with("#")) {
            entries[id] += line + "\n";
        }
    }
    entries.erase(""); // what stands before the first entry
    for (int i = 0; i < kEventCount; ++i) {
        const EventInfo& kind = info(static_cast<Event>(i));
        CAPTURE(kind.word);
        const auto entry = entries.find(std::string(kind.message_id));
        REQUIRE(entry != entries.end());
        CHECK(entry->second.starts_with("Subject: "));
        const auto text = entry->second.find("\n\n");
        REQUIRE(text != std::string::npos);
        CHECK(entry->second.size() - text > 40);
        entries.erase(entry);
    }
    CHECK(entries.empty());
}
