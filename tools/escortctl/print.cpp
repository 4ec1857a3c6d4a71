#include "escortctl/print.h"

#include "escortctl/words.h"
#include "output/one_line.h"

#include <algorithm>

namespace escort::ctl {

namespace {

using nlohmann::json;

// Columns that a terminal shows for UTF-8 text: code points, which is near enough for ids and names.
std::size_t width(const std::string& text) {
    return static_cast<std::size_t>(
        std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

const json* find(const json& object, const char* key) {
    if (!object.is_object()) return nullptr;
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
}

std::string in_words(const json& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
    if (value.is_array()) {
        std::string all;
        for (const json& item : value)
            all += (all.empty() ? "" : ",") + in_words(item);
        return all;
    }
    return value.is_null() ? "" : value.dump(-1, ' ', true, json::error_handler_t::replace);
}

} // namespace

void print_table(const Output& output, const std::vector<std::string>& header,
                 const std::vector<std::vector<Cell>>& rows) {
    std::vector<std::vector<std::string>> lines;
    if (output.terminal) lines.push_back(header);
    for (const auto& row : rows) {
        auto& line = lines.emplace_back();
        for (const Cell& cell : row) {
            const std::string text = one_line(output.terminal ? cell.human : cell.plain);
            line.push_back(text.empty() && output.terminal ? "-" : text);
        }
    }
    std::vector<std::size_t> widths(header.size(), 0);
    for (const auto& line : lines)
        for (std::size_t i = 0; i < line.size(); ++i)
            widths.at(i) = std::max(widths.at(i), width(line[i]));
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            output.out << line[i];
            if (i + 1 == line.size()) continue;
            if (output.terminal)
                output.out << std::string(widths[i] - width(line[i]) + 2, ' ');
            else
                output.out << '\t';
        }
        output.out << '\n';
    }
}

void print_pairs(const Output& output, const std::vector<std::pair<std::string, Cell>>& pairs) {
    std::size_t widest = 0;
    for (const auto& [name, cell] : pairs)
        widest = std::max(widest, name.size());
    for (const auto& [name, cell] : pairs) {
        const std::string value = one_line(output.terminal ? cell.human : cell.plain);
        if (output.terminal)
            output.out << name << std::string(widest - name.size() + 2, ' ') << (value.empty() ? "-" : value)
                       << '\n';
        else
            output.out << name << '\t' << value << '\n';
    }
}

void print_json(const Output& output, const json& value) {
    // ensure_ascii: what isn't ASCII comes as \uNNNN, so that nothing in it drives a terminal.
    output.out << value.dump(output.terminal ? 2 : -1, ' ', true, json::error_handler_t::replace) << '\n';
}

std::string text_of(const json& object, const char* key) {
    const json* value = find(object, key);
    return value ? in_words(*value) : "";
}

std::int64_t number_of(const json& object, const char* key) {
    const json* value = find(object, key);
    return value && value->is_number() ? value->get<std::int64_t>() : 0;
}

bool flag_of(const json& object, const char* key) {
    const json* value = find(object, key);
    return value && value->is_boolean() && value->get<bool>();
}

const json& list_of(const json& object, const char* key) {
    static const json none = json::array();
    const json* value = find(object, key);
    return value && value->is_array() ? *value : none;
}

const json& object_of(const json& object, const char* key) {
    static const json none = json::object();
    const json* value = find(object, key);
    return value && value->is_object() ? *value : none;
}

Cell time_cell(std::int64_t epoch) {
    return epoch == 0 ? Cell("-", "") : Cell(time_text(epoch), std::to_string(epoch));
}

Cell left_cell(std::int64_t epoch, std::int64_t now) {
    if (epoch == 0) return {"-", ""};
    return {epoch > now ? duration_text(epoch - now) : "past", std::to_string(epoch)};
}

} // namespace escort::ctl
