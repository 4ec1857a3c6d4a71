// How answers look: aligned tables with a header on a terminal; plain otherwise: one record a line, cells
// separated by tabs, no header, times as seconds since the epoch; JSON when asked for. Whatever a cell holds,
// it can't break its line nor drive the terminal.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace escort::ctl {

struct Output {
    std::ostream& out;
    std::ostream& err;
    bool terminal = false; // out is one
    std::int64_t now = 0;  // seconds since the epoch
};

// A value as a person reads it and as a program does.
struct Cell {
    std::string human;
    std::string plain;

    Cell(std::string text) : human(text), plain(std::move(text)) {} // NOLINT(google-explicit-constructor)
    Cell(std::string for_people, std::string for_programs)
        : human(std::move(for_people)), plain(std::move(for_programs)) {}
};

void print_table(const Output& output, const std::vector<std::string>& header,
                 const std::vector<std::vector<Cell>>& rows);
void print_pairs(const Output& output, const std::vector<std::pair<std::string, Cell>>& pairs);
void print_json(const Output& output, const nlohmann::json& value);

// What a JSON object has under a key: "" for nothing and null, lists joined by commas, booleans "yes" and
// "no".
[[nodiscard]] std::string text_of(const nlohmann::json& object, const char* key);
// 0 for anything but a number.
[[nodiscard]] std::int64_t number_of(const nlohmann::json& object, const char* key);
[[nodiscard]] bool flag_of(const nlohmann::json& object, const char* key);
// The list, or an empty one.
[[nodiscard]] const nlohmann::json& list_of(const nlohmann::json& object, const char* key);
// The object, or an empty one.
[[nodiscard]] const nlohmann::json& object_of(const nlohmann::json& object, const char* key);

// A time's cell; "-" for none.
[[nodiscard]] Cell time_cell(std::int64_t epoch);
// How long until then, "past" when it is; "-" for none. Plain: the time itself.
[[nodiscard]] Cell left_cell(std::int64_t epoch, std::int64_t now);

} // namespace escort::ctl
