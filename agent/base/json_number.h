// Whole numbers out of JSON. nlohmann's get<T>() converts in silence: 1.5 becomes 1, 4294967296 becomes the
// uid 0, and a number beyond T that is written as a float is undefined behaviour.
#pragma once

#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>

namespace escort {

// `value` as T when it is a whole number from 0 to T's largest; throws nlohmann::json::type_error when it is
// anything else than a whole number without a sign, nlohmann::json::out_of_range when it is too large.
template <std::unsigned_integral T>
[[nodiscard]] T number_from(const nlohmann::json& value) {
    const auto number = value.get_ref<const nlohmann::json::number_unsigned_t&>();
    if (number > std::numeric_limits<T>::max())
        throw nlohmann::json::out_of_range::create(406, "number out of range", &value);
    return static_cast<T>(number);
}

} // namespace escort
