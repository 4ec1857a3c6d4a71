// Patterns of ids (contract §3): whole-string regular expressions, ECMAScript. They come from a policy, the
// ids from signed documents: matching takes polynomial time whatever either says, and no stack that grows
// with the id. Back references, which can't be matched so, are no part of it.
#pragma once

#include "base/result.h"

#include <map>
#include <memory>
#include <regex>
#include <string>

namespace escort {

constexpr std::size_t kPatternLimit = 256; // characters (contract §3)

class Pattern {
  public:
    [[nodiscard]] static Result<Pattern> compile(const std::string& text);
    // Does the whole of `id` match? Compares bytes.
    [[nodiscard]] bool matches(const std::string& id) const;

  private:
    explicit Pattern(std::regex regex) : regex_(std::move(regex)) {}
    std::regex regex_;
};

// Patterns compiled ahead: a compilation takes longer than a whole verdict.
class Patterns {
  public:
    // One that does not compile is left out.
    void add(const std::string& text);
    [[nodiscard]] const Pattern* find(const std::string& text) const;

  private:
    std::map<std::string, Pattern> compiled_;
};

} // namespace escort
