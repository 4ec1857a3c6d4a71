// The last good policy set, kept in state across reboots: a set that is refused leaves it in force.
//
//   STATE/policies/manifest.json   {"format": 1, "files": [{"name": "10-a.yaml", "copy": FILE, "sha256":
//   HEX}]} STATE/policies/HEX16-NAME      raw copies; the manifest is replaced last, so that a crash leaves
//   the old set
//                                  or the new one whole
//
// A manifest of a newer format is refused, not misread; a copy that was changed refuses the kept set.
#pragma once

#include "base/result.h"
#include "policy/load.h"

#include <string>

namespace escort {

enum class PolicyOrigin {
    fresh, // what the folder holds now
    kept,  // the last good set: the folder's was refused
    none,  // the folder's was refused and nothing was ever kept: nobody is governed
};

struct LoadedPolicies {
    PolicySet set; // in force from now on
    PolicyOrigin origin = PolicyOrigin::none;
    Diagnostics diagnostics; // why the folder's set was refused; warnings; what could not be kept
};

class PolicyKeeper {
  public:
    // `state` is the state folder (contract §1); its folder `policies` is made when it is first needed.
    explicit PolicyKeeper(const std::string& state);

    // Loads `folder`; a good set is kept and returned, a refused one (an empty folder included, once a set
    // with policies was in force, unless a file says allow_empty) leaves the last good one in force. What
    // can't be written to state is a warning: the set is in force all the same.
    [[nodiscard]] LoadedPolicies reload(const std::string& folder);

    // Writes the files of the set in force once more, over what somebody has made of them. Nothing where none
    // is.
    [[nodiscard]] Status keep_again() const;

    // What reload() would return; keeps nothing.
    [[nodiscard]] LoadedPolicies preview(const std::string& folder) const;

  private:
    struct Kept {
        PolicySet set;
        PolicySources sources;
    };
    struct Judged {
        LoadedPolicies loaded;
        PolicySources sources; // of loaded.set
    };
    [[nodiscard]] Judged judge(const std::string& folder) const;
    [[nodiscard]] std::optional<Kept> kept_set(Diagnostics& out) const;

    std::string folder_;
    std::optional<Kept> in_force_; // for when state can't be written or read
};

} // namespace escort
