// Rules for the values of `require:`: countries, networks, programs. Each says what is wrong, empty when
// nothing is.
#pragma once

#include <string>
#include <string_view>

namespace escort {

// Two capital letters (ISO 3166-1 alpha-2).
[[nodiscard]] std::string wrong_country(std::string_view code);

// Whether ISO 3166-1 has assigned the code, or leaves it to its users (AA, QM-QZ, XA-XZ, ZZ): "UK" is no
// country's.
[[nodiscard]] bool is_country(std::string_view code);

struct WrongNetwork {
    std::string why; // empty: nothing is wrong
    std::string hint;
};

// A network as ADDRESS/LENGTH, IPv4 or IPv6, with no bit set behind its length.
[[nodiscard]] WrongNetwork wrong_network(const std::string& text);

// What a unit may run: the absolute path of a program, or a path and all its arguments, one blank between
// two; shell globs (a blank inside an argument is written `?`). The limits are those of kernel/pattern.h,
// which leaves out what it can't take: 127 bytes, of which a bracket takes 14 and holds at most 6 characters
// or ranges, no named class.
[[nodiscard]] std::string wrong_program(std::string_view program);

} // namespace escort
