#include "policy/patterns.h"

#include "core/pattern.h"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace escort {

namespace {

// Counts the characters that a pattern has when every {n} is written out as n copies. Counts only: what is no
// pattern at all is left to the compiler.
class Steps {
  public:
    explicit Steps(const std::string& text) : text_(text) {}

    // At most a little above kPatternSteps: it stops there.
    std::size_t count() {
        while (at_ < text_.size() && most_ <= kPatternSteps)
            take();
        while (groups_.size() > 1)
            close();
        return most_;
    }

  private:
    struct Group {
        std::size_t whole = 0; // of all that it holds
        std::size_t last = 0;  // of what a {n} that follows would repeat
    };

    void take() {
        const char c = text_[at_++];
        if (c == '(') {
            groups_.emplace_back();
        } else if (c == ')' && groups_.size() > 1) {
            close();
        } else if (c == '{') {
            repeat();
        } else {
            if (c == '\\') ++at_;
            if (c == '[') skip_class();
            add(1);
        }
    }
    void skip_class() {
        for (; at_ < text_.size() && text_[at_] != ']'; ++at_)
            if (text_[at_] == '\\') ++at_;
        ++at_;
    }
    void add(std::size_t steps) {
        groups_.back().whole += steps;
        groups_.back().last = steps;
        most_ = std::max(most_, groups_.back().whole);
    }
    void close() {
        const std::size_t steps = groups_.back().whole + 1;
        groups_.pop_back();
        add(steps);
    }
    void repeat() {
        std::size_t times = number();
        if (at_ < text_.size() && text_[at_] == ',') {
            ++at_;
            times = std::max(times, number());
        }
        ++at_; // the brace
        Group& group = groups_.back();
        const std::size_t more = group.last * (times > 0 ? times - 1 : 0);
        group.whole += more;
        group.last += more;
        most_ = std::max(most_, group.whole);
    }
    std::size_t number() {
        std::size_t value = 0;
        for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_)
            value = std::min(value * 10 + static_cast<std::size_t>(text_[at_] - '0'), kPatternSteps + 1);
        return value;
    }

    const std::string& text_;
    std::size_t at_ = 0;
    std::size_t most_ = 0;
    std::vector<Group> groups_{Group{}};
};

} // namespace

std::string wrong_pattern(const std::string& text) {
    if (text.size() <= kPatternLimit && Steps(text).count() > kPatternSteps)
        return fmt::format("repeats too much: written out it has more than {} characters", kPatternSteps);
    const auto pattern = Pattern::compile(text);
    return pattern ? "" : pattern.error().why;
}

} // namespace escort
