#include "logind/message.h"

#include <array>

namespace escort {

void MessageReader::basic(char type, void* value) {
    if (ok_) ok_ = sd_bus_message_read_basic(message_, type, value) > 0;
}

std::string MessageReader::text(char type) {
    const char* value = nullptr; // of the message
    basic(type, &value);
    return ok_ && value != nullptr ? value : "";
}

std::uint32_t MessageReader::u32() {
    std::uint32_t value = 0;
    basic('u', &value);
    return ok_ ? value : 0;
}

std::uint64_t MessageReader::u64() {
    std::uint64_t value = 0;
    basic('t', &value);
    return ok_ ? value : 0;
}

bool MessageReader::boolean() {
    int value = 0;
    basic('b', &value);
    return ok_ && value != 0;
}

void MessageReader::skip(const char* types) {
    if (ok_) ok_ = sd_bus_message_skip(message_, types) >= 0;
}

bool MessageReader::enter(char kind, const char* types) {
    if (!ok_) return false;
    const int entered = sd_bus_message_enter_container(message_, kind, types);
    if (entered < 0) ok_ = false;
    return entered > 0; // 0: the array around it has no more
}

void MessageReader::leave() {
    if (ok_) ok_ = sd_bus_message_exit_container(message_) >= 0;
}

void MessageReader::array(const char* types, const std::function<void()>& element) {
    if (!enter('a', types)) {
        ok_ = false;
        return;
    }
    while (ok_ && sd_bus_message_at_end(message_, 0) == 0)
        element();
    leave();
}

void MessageReader::structure(const char* types, const std::function<void()>& inside) {
    if (!enter('r', types)) {
        ok_ = false;
        return;
    }
    inside();
    leave();
}

void MessageReader::properties(
    const std::function<void(const std::string& name, const std::string& type)>& value) {
    array("{sv}", [&] {
        if (!enter('e', "sv")) {
            ok_ = false;
            return;
        }
        const auto name = string();
        char kind = 0;
        const char* types = nullptr;
        if (!ok_ || sd_bus_message_peek_type(message_, &kind, &types) <= 0 || kind != 'v' ||
            types == nullptr) {
            ok_ = false;
            return;
        }
        const std::string type = types; // entering may move it
        if (!enter('v', type.c_str())) {
            ok_ = false;
            return;
        }
        value(name, type);
        if (ok_ && sd_bus_message_at_end(message_, 0) == 0) skip(type.c_str());
        leave();
        leave();
    });
}

Status append(sd_bus_message* message, const std::vector<BusArgument>& arguments) {
    for (const auto& argument : arguments) {
        int error = 0;
        if (const auto* text = std::get_if<std::string>(&argument)) {
            error = sd_bus_message_append_basic(message, 's', text->c_str());
        } else {
            const auto& list = std::get<std::vector<std::string>>(argument);
            error = sd_bus_message_open_container(message, 'a', "s");
            for (std::size_t i = 0; i < list.size() && error >= 0; ++i)
                error = sd_bus_message_append_basic(message, 's', list[i].c_str());
            if (error >= 0) error = sd_bus_message_close_container(message);
        }
        if (error < 0) return fail_errno("D-Bus", "append", -error);
    }
    return {};
}

} // namespace escort
