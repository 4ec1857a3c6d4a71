// `principals:` and `exempt:` of a policy file: whose sessions are governed, and which root jobs are left
// alone.
#pragma once

#include "policy/reading.h"

namespace escort {

// Reads `principals:` of the document `root`; errors go to `reading`.
void read_principals(Reading& reading, const YamlNode& root, Principals& into);

// Reads `exempt:`; where there is none, default_exemptions().
void read_exemptions(Reading& reading, const YamlNode& root, std::vector<Exemption>& into);

// The units exempt where a policy has no `exempt` (contract §3): root daemons that take an account's uid for
// a moment as part of their work.
[[nodiscard]] std::vector<Exemption> default_exemptions();

} // namespace escort
