// A field of a record, for a test to compare.
#pragma once

#include "output/record.h"

#include <string>

namespace escort {

inline std::string value_of(const Record& record, Field field) {
    const auto found = record.fields.find(field);
    return found == record.fields.end() ? "" : found->second;
}

} // namespace escort
