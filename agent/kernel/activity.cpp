#include "kernel/activity.h"

#include "abi.h"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace escort {

namespace {

constexpr std::size_t kHead = offsetof(escort_exec, text);

// Each ends with its NUL, but for one that was cut.
std::vector<std::string> split(std::string_view text) {
    std::vector<std::string> all;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\0'), text.size());
        all.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return all;
}

// The head of a record, zeroed behind what there is.
Result<escort_exec> read_head(std::span<const std::byte> bytes) {
    if (bytes.size() < kHead) return fail("exec record", "is too short");
    escort_exec head{};
    std::memcpy(&head, bytes.data(), kHead);
    if (head.abi != ESCORT_ABI) return fail("exec record", "is of another ABI");
    if (head.path >= ESCORT_EXEC_PATH || head.cwd >= ESCORT_EXEC_CWD || head.script >= ESCORT_EXEC_SCRIPT ||
        head.arguments >= ESCORT_EXEC_ARGUMENTS)
        return fail("exec record", "has a text that is longer than its room");
    const std::size_t text = std::size_t{head.path} + head.cwd + head.script + head.arguments;
    if (bytes.size() != kHead + text) return fail("exec record", "is not as long as its texts");
    return head;
}

} // namespace

Result<ExecRecord> decode_exec(std::span<const std::byte> bytes) {
    const auto head = read_head(bytes);
    if (!head) return tl::unexpected(head.error());
    std::string text(bytes.size() - kHead, '\0');
    if (!text.empty()) std::memcpy(text.data(), bytes.data() + kHead, text.size());
    std::string_view rest = text;
    const auto take = [&](std::size_t size) {
        const std::string_view part = rest.substr(0, size);
        rest.remove_prefix(size);
        return part;
    };
    ExecRecord record;
    record.id = head->id;
    record.time_ns = head->time_ns;
    record.start_ns = head->start_ns;
    record.tid = head->tid;
    record.tgid = head->tgid;
    record.parent = head->parent;
    record.uid = head->uid;
    record.euid = head->euid;
    record.path = take(head->path);
    record.cwd = take(head->cwd);
    record.script = take(head->script);
    record.arguments = split(take(head->arguments));
    record.path_cut = (head->flags & ESCORT_EXEC_PATH_CUT) != 0;
    record.cwd_cut = (head->flags & ESCORT_EXEC_CWD_CUT) != 0;
    record.script_cut = (head->flags & ESCORT_EXEC_SCRIPT_CUT) != 0;
    record.arguments_cut = (head->flags & ESCORT_EXEC_ARGUMENTS_CUT) != 0;
    record.rose = (head->flags & ESCORT_EXEC_ROSE) != 0;
    record.nameless = (head->flags & ESCORT_EXEC_NAMELESS) != 0;
    return record;
}

} // namespace escort
