// What is read out of a D-Bus message and put into one, by type: nothing else here calls sd-bus with a format
// string. Knows no interface.
#pragma once

#include "base/result.h"

#include <cstdint>
#include <functional>
#include <string>
#include <systemd/sd-bus.h>
#include <variant>
#include <vector>

namespace escort {

// Reads in order. A value of another type than expected, or none left, makes everything after it fail: check
// ok() once, at the end. Borrows the message.
class MessageReader {
  public:
    explicit MessageReader(sd_bus_message* message) : message_(message) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] std::string string() { return text('s'); }
    [[nodiscard]] std::string object() { return text('o'); }
    [[nodiscard]] std::uint32_t u32();
    [[nodiscard]] std::uint64_t u64();
    [[nodiscard]] bool boolean();
    void skip(const char* types);

    // `element` is called for each element of an array, which is of these types.
    void array(const char* types, const std::function<void()>& element);
    // `inside` reads the members of a struct of these types.
    void structure(const char* types, const std::function<void()>& inside);
    // One property of a{sv} each: its name, and whether the value is of this one type. `value` must read it
    // or return without having read anything.
    void properties(const std::function<void(const std::string& name, const std::string& type)>& value);

  private:
    [[nodiscard]] std::string text(char type);
    void basic(char type, void* value);
    bool enter(char kind, const char* types);
    void leave();

    sd_bus_message* message_;
    bool ok_ = true;
};

using BusArgument = std::variant<std::string, std::vector<std::string>>; // types s and as

struct BusCall {
    std::string destination, path, interface, member;
    std::vector<BusArgument> arguments{};
    bool start_service = false; // by D-Bus activation
};

// Appends the arguments. Error: no memory.
[[nodiscard]] Status append(sd_bus_message* message, const std::vector<BusArgument>& arguments);

} // namespace escort
