// Rules between the policies of a set: names that occur twice, accounts and units that several policies name,
// and how many uids, names, units and programs all hold together.
#pragma once

#include "core/policy.h"

namespace escort {

constexpr std::uint64_t kPrincipalUids = 65'536; // uids in all ranges of a set: the kernel's table is bounded
constexpr std::uint64_t kPrincipalNames = 4'096; // users and groups of a set: each is looked up through NSS

// The kernel programs' tables (bpf/abi.h): units, and programs, of which most take two places there
// ("/sbin/ip" beside "/usr/sbin/ip").
constexpr std::uint64_t kPrincipalUnits = 32;
constexpr std::uint64_t kUnitPrograms = 256;
constexpr std::uint64_t kExemptUnits = 32; // names, each counted once

// Errors: duplicate names, too many uids, names, units or programs. Warnings: the same account, uid or unit
// named by several policies (contract §3: the first in file order governs it, but enforce beats observe),
// both places named.
void check_overlap(const PolicySet& set, Diagnostics& out);

} // namespace escort
