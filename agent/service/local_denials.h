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
    // `state`: the state folder. A file that can't be read, or is of a newer format, shuts no door:
    // problem().
    [[nodiscard]] static LocalDenials load(const std::string& state);

    // Why it isn't known which doors are shut; no approval may count meanwhile.
    [[nodiscard]] const std::optional<Error>& problem() const { return problem_; }

    // Shuts or opens a door; it takes effect only once it is on disk. false: it was so already. Error: it
    // can't be written, or what is there could not be read.
    [[nodiscard]] Result<bool> set(DenialKind kind, const std::string& id, bool shut);

    [[nodiscard]] const Denials& all() const { return denials_; }

    // The caller of set() says when everybody may act on it.
    std::function<void()> on_change = [] {};

  private:
    LocalDenials(std::string file, Denials denials) : file_(std::move(file)), denials_(std::move(denials)) {}

    std::string file_;
    Denials denials_;
    std::optional<Error> problem_;
};

} // namespace escort
