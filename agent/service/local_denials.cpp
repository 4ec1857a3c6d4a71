#include "service/local_denials.h"

#include "approvals/denials_file.h"

namespace escort {

namespace {

std::set<std::string>& list_of(Denials& denials, DenialKind kind) {
    switch (kind) {
    case DenialKind::approval:
        return denials.approvals;
    case DenialKind::engineer:
        return denials.engineers;
    case DenialKind::account:
        break;
    }
    return denials.accounts;
}

} // namespace

std::optional<DenialKind> denial_kind(const std::string& word) {
    if (word == "approval") return DenialKind::approval;
    if (word == "engineer") return DenialKind::engineer;
    if (word == "account") return DenialKind::account;
    return std::nullopt;
}

LocalDenials LocalDenials::load(const std::string& state) {
    const std::string file = state + "/denials.json";
    auto denials = load_denials(file);
    if (denials) return {file, std::move(*denials)};
    LocalDenials unknown(file, {});
    unknown.problem_ = std::move(denials.error());
    return unknown;
}

Result<bool> LocalDenials::set(DenialKind kind, const std::string& id, bool shut) {
    if (problem_) return tl::unexpected(*problem_);
    Denials next = denials_;
    auto& list = list_of(next, kind);
    if (shut ? !list.insert(id).second : list.erase(id) == 0) return false;
    if (auto saved = save_denials(file_, next); !saved) return tl::unexpected(saved.error());
    denials_ = std::move(next);
    return true;
}

} // namespace escort
