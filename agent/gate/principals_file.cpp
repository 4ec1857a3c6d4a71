#include "gate/principals_file.h"

#include "gate/protocol.h"

#include <algorithm>
#include <charconv>
#include <fnmatch.h>

namespace escort::gate {

namespace {

constexpr std::string_view kFormat = "format 1";

template <typename Number>
std::optional<Number> number(std::string_view text) {
    Number value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string_view word(Governed mode) {
    return mode == Governed::enforced ? "enforce" : "observe";
}

bool can_stand(const NameMark& mark) {
    return mark.mode != Governed::no && !mark.name.empty() && mark.name.size() <= kNameBytes &&
           plain_line(mark.name, kNameBytes) == mark.name;
}

void put_names(std::string& text, std::string_view kind, const std::vector<NameMark>& marks) {
    for (const auto& mark : marks) {
        if (!can_stand(mark)) continue;
        text.append(kind).append(" ").append(mark.name).append(" ").append(word(mark.mode)).append("\n");
    }
}

std::optional<UidMark> read_uids(std::string_view text, Governed mode) {
    const std::size_t dash = text.find('-');
    const auto first = number<std::uint32_t>(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : number<std::uint32_t>(text.substr(dash + 1));
    if (!first || !last || *first == 0 || *last < *first) return std::nullopt;
    return UidMark{*first, *last, mode};
}

// "KIND VALUE MODE"; a value may hold blanks (an account of another directory's).
bool read_mark(std::string_view kind, std::string_view value, PrincipalsFile& file) {
    const std::size_t blank = value.rfind(' ');
    if (blank == std::string_view::npos || blank == 0) return false;
    const std::string_view mode_word = value.substr(blank + 1);
    value = value.substr(0, blank);
    if (mode_word != word(Governed::enforced) && mode_word != word(Governed::observed)) return false;
    const Governed mode = mode_word == word(Governed::enforced) ? Governed::enforced : Governed::observed;
    if (kind == "uid") {
        const auto uids = read_uids(value, mode);
        if (uids) file.uids.push_back(*uids);
        return uids.has_value();
    }
    if (kind != "name" && kind != "pattern") return false;
    NameMark mark{std::string(value), mode};
    if (!can_stand(mark)) return false;
    (kind == "name" ? file.names : file.patterns).push_back(std::move(mark));
    return true;
}

bool read_record(std::string_view line, PrincipalsFile& file) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) return false;
    const std::string_view kind = line.substr(0, blank);
    const std::string_view value = line.substr(blank + 1);
    if (kind == "timeout_ms") {
        const auto ms = number<std::int64_t>(value);
        if (!ms || *ms < 1 || *ms > kLongestTimeout.count()) return false;
        file.timeout = std::chrono::milliseconds(*ms);
        return true;
    }
    if (kind == "on_agent_down") {
        file.admit_when_down = value == "admit";
        return file.admit_when_down || value == "refuse";
    }
    return read_mark(kind, value, file);
}

} // namespace

std::string write_principals(const PrincipalsFile& file) {
    const auto timeout = std::clamp(file.timeout, std::chrono::milliseconds(1), kLongestTimeout);
    std::string text(kFormat);
    text += "\ntimeout_ms " + std::to_string(timeout.count());
    text += std::string("\non_agent_down ") + (file.admit_when_down ? "admit" : "refuse") + "\n";
    for (const auto& mark : file.uids) {
        if (mark.mode == Governed::no || mark.first == 0 || mark.last < mark.first) continue;
        text += "uid " + std::to_string(mark.first);
        if (mark.last != mark.first) text += "-" + std::to_string(mark.last);
        text.append(" ").append(word(mark.mode)).append("\n");
    }
    put_names(text, "name", file.names);
    put_names(text, "pattern", file.patterns);
    return text;
}

Result<PrincipalsFile> read_principals(std::string_view text) {
    PrincipalsFile file;
    bool first = true;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return fail("principals", "is cut short");
        const std::string_view line = text.substr(0, end);
        if (first ? line != kFormat : !read_record(line, file))
            return fail("principals", first ? "is of another format" : "has a line that is not known");
        first = false;
        text.remove_prefix(end + 1);
    }
    if (first) return fail("principals", "is empty");
    return file;
}

Governed governed(const PrincipalsFile& file, const std::string& name, std::optional<std::uint32_t> uid) {
    if (uid == 0U) return Governed::no;
    Governed found = Governed::no;
    const auto count = [&](Governed mode) { found = std::max(found, mode); };
    for (const auto& mark : file.uids)
        if (uid && *uid >= mark.first && *uid <= mark.last) count(mark.mode);
    for (const auto& mark : file.names)
        if (mark.name == name) count(mark.mode);
    for (const auto& mark : file.patterns) // as policy/names.h matches them
        if (::fnmatch(mark.name.c_str(), name.c_str(), FNM_NOESCAPE) == 0) count(mark.mode);
    return found;
}

} // namespace escort::gate
