// Records of the activity ring: read whole, or refused.
#include "kernel/activity.h"

#include "abi.h"

#include <cstring>
#include <doctest/doctest.h>

using namespace escort;

namespace {

constexpr std::size_t kHead = offsetof(escort_exec, text);

struct Texts {
    std::string path, cwd, script, arguments;
};

std::vector<std::byte> bytes_of(escort_exec head, const Texts& texts) {
    head.abi = ESCORT_ABI;
    head.path = static_cast<std::uint16_t>(texts.path.size());
    head.cwd = static_cast<std::uint16_t>(texts.cwd.size());
    head.script = static_cast<std::uint16_t>(texts.script.size());
    head.arguments = static_cast<std::uint16_t>(texts.arguments.size());
    const std::string text = texts.path + texts.cwd + texts.script + texts.arguments;
    std::vector<std::byte> bytes(kHead + text.size());
    std::memcpy(bytes.data(), &head, kHead);
    if (!text.empty()) std::memcpy(bytes.data() + kHead, text.data(), text.size());
    return bytes;
}

std::vector<std::byte> example() {
    escort_exec head{};
    head.id = 0x7e5700000001;
    head.time_ns = 5;
    head.start_ns = 4;
    head.tid = 12;
    head.tgid = 11;
    head.parent = 10;
    head.uid = 1001;
    head.flags = ESCORT_EXEC_ROSE;
    return bytes_of(head, {"/usr/bin/dash", "/root", "./job", std::string("sh\0./job\0\0-x\0", 13)});
}

std::string error_of(const std::vector<std::byte>& bytes) {
    const auto record = decode_exec(bytes);
    return record ? "" : record.error().text();
}

} // namespace

TEST_CASE("exec record: every field") {
    const auto record = decode_exec(example());
    REQUIRE(record);
    CHECK(record->id == 0x7e5700000001);
    CHECK(record->time_ns == 5);
    CHECK(record->start_ns == 4);
    CHECK(record->tid == 12);
    CHECK(record->tgid == 11);
    CHECK(record->parent == 10);
    CHECK(record->uid == 1001);
    CHECK(record->euid == 0);
    CHECK(record->path == "/usr/bin/dash");
    CHECK(record->cwd == "/root");
    CHECK(record->script == "./job");
    CHECK(record->arguments == std::vector<std::string>{"sh", "./job", "", "-x"});
    CHECK(record->rose);
    CHECK_FALSE(record->path_cut);
    CHECK_FALSE(record->nameless);
}

TEST_CASE("exec record: each flag is its own") {
    const auto flagged = [](std::uint32_t flag) {
        escort_exec head{};
        head.flags = flag;
        return decode_exec(bytes_of(head, {"/a", "/", "", ""})).value();
    };
    CHECK(flagged(ESCORT_EXEC_PATH_CUT).path_cut);
    CHECK(flagged(ESCORT_EXEC_CWD_CUT).cwd_cut);
    CHECK(flagged(ESCORT_EXEC_SCRIPT_CUT).script_cut);
    CHECK(flagged(ESCORT_EXEC_ARGUMENTS_CUT).arguments_cut);
    CHECK(flagged(ESCORT_EXEC_NAMELESS).nameless);
    const auto rose = flagged(ESCORT_EXEC_ROSE);
    CHECK(rose.rose);
    CHECK_FALSE((rose.path_cut || rose.cwd_cut || rose.script_cut || rose.arguments_cut || rose.nameless));
    CHECK(rose.arguments.empty());
}

TEST_CASE("exec record: arguments that were cut in the middle of one, and nothing at all") {
    const auto cut = decode_exec(bytes_of({}, {"/a", "/", "", std::string("a\0bc", 4)}));
    REQUIRE(cut);
    CHECK(cut->arguments == std::vector<std::string>{"a", "bc"});
    const auto empty = decode_exec(bytes_of({}, {}));
    REQUIRE(empty);
    CHECK(empty->path.empty());
    CHECK(empty->arguments.empty());
}

TEST_CASE("exec record: cut after every byte, longer, of another ABI, with lengths that lie") {
    const auto whole = example();
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const std::string error =
            error_of({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
        CHECK(error ==
              (size < kHead ? "exec record: is too short" : "exec record: is not as long as its texts"));
    }
    auto longer = whole;
    longer.push_back({});
    CHECK(error_of(longer) == "exec record: is not as long as its texts");

    auto other = whole;
    other[0] = std::byte{ESCORT_ABI + 1};
    CHECK(error_of(other) == "exec record: is of another ABI");

    // A length that is another's: the sum fits, the room doesn't.
    const std::string room(ESCORT_EXEC_CWD, 'x');
    CHECK(error_of(bytes_of({}, {"", room, "", ""})) ==
          "exec record: has a text that is longer than its room");
    CHECK(error_of(bytes_of({}, {"", "", room, ""})) ==
          "exec record: has a text that is longer than its room");
    CHECK(decode_exec(bytes_of({}, {room, "", "", room})));
    CHECK(error_of(bytes_of({}, {std::string(ESCORT_EXEC_PATH, 'x'), "", "", ""})) ==
          "exec record: has a text that is longer than its room");
    CHECK(error_of(bytes_of({}, {"", "", "", std::string(ESCORT_EXEC_ARGUMENTS, 'x')})) ==
          "exec record: has a text that is longer than its room");
}
