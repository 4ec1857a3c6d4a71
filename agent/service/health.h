// What is wrong with the agent right now: named conditions that come and go. Healthy means none.
#pragma once

#include "output/journal.h"

#include <map>
#include <string>

namespace escort {

struct Condition {
    std::string why;
    std::string hint;
};

class Health {
  public:
    // `journal` must outlive this.
    explicit Health(Journal& journal) : journal_(journal) {}

    // Written to the journal when it is new or its reason has changed.
    void degrade(const std::string& what, const std::string& why, const std::string& hint);
    void recover(const std::string& what) { conditions_.erase(what); }

    [[nodiscard]] bool healthy() const { return conditions_.empty(); }
    [[nodiscard]] const std::map<std::string, Condition>& conditions() const { return conditions_; }
    [[nodiscard]] const std::string& last_error() const { return last_error_; }

  private:
    Journal& journal_;
    std::map<std::string, Condition> conditions_;
    std::string last_error_;
};

} // namespace escort
