// The doors that this host's admin has shut, kept in the state folder: `escortctl deny`, `undeny`.
#pragma once

#include "base/result.h"
#include "core/denials.h"

#include <functional>
#include <optional>
#include <string>

namespace escort {

enum class DenialKind { approval, engineer, account };
// "approval", "engineer", "account".
[[nodiscard]] std::optional<DenialKind> denial_kind(const std::string& word);

class LocalDenials {
  public:
    // `state`: the state folder. Error: the file can't be read, or is of a newer format.
    [[nodiscard]] static Result<LocalDenials> load(const std::string& state);

    // Shuts or opens a door; it takes effect only once it is on disk. false: it was so already.
    [[nodiscard]] Result<bool> set(DenialKind kind, const std::string& id, bool shut);

    [[nodiscard]] const Denials& all() const { return denials_; }

    // The caller of set() says when everybody may act on it.
    std::function<void()> on_change = [] {};

  private:
    LocalDenials(std::string file, Denials denials) : file_(std::move(file)), denials_(std::move(denials)) {}

    std::string file_;
    Denials denials_;
};

} // namespace escort
