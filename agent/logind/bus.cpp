#include "logind/bus.h"

#include <algorithm>
#include <ctime>

namespace escort {

namespace {

constexpr const char* kSystemBus = "unix:path=/run/dbus/system_bus_socket"; // D-Bus specification
constexpr const char* kLocal = "org.freedesktop.DBus.Local";
constexpr const char* kLocalPath = "/org/freedesktop/DBus/Local";

struct UnrefMessage {
    void operator()(sd_bus_message* message) const { sd_bus_message_unref(message); }
};
using Message = std::unique_ptr<sd_bus_message, UnrefMessage>;

// What sd-bus gives back to us; it deletes these with the slot that they belong to.
struct Asked {
    Bus::Answer answer;
    std::string what;
};

template <typename T>
void destroy(void* data) {
    delete static_cast<T*>(data);
}

int on_answer(sd_bus_message* message, void* data, sd_bus_error*) {
    const auto& asked = *static_cast<Asked*>(data);
    if (const sd_bus_error* error = sd_bus_message_get_error(message); error != nullptr)
        asked.answer(fail(asked.what, error->message != nullptr ? error->message : error->name));
    else
        asked.answer(MessageReader(message));
    return 1;
}

int on_signal(sd_bus_message* message, void* data, sd_bus_error*) {
    (*static_cast<Bus::Heard*>(data))(MessageReader(message));
    return 0;
}

} // namespace

Bus::Bus(sd_event* loop, BusOptions options)
    : loop_(sd_event_ref(loop)), options_(std::move(options)), pause_(options_.first_retry) {}

Bus::~Bus() {
    bus_.reset();
    retry_.reset();
    sd_event_unref(loop_);
}

void Bus::start() {
    auto opened = open();
    if (!opened) return lost(opened.error().text());
    // A bus that never answers is given up; so is a wait for its socket, which may miss the moment.
    try_again_after(options_.longest_retry);
}

void Bus::try_again_after(std::chrono::milliseconds pause) {
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(pause).count();
    sd_event_source* timer = nullptr;
    retry_.reset();
    if (sd_event_add_time_relative(loop_, &timer, CLOCK_MONOTONIC, static_cast<std::uint64_t>(time), 0,
                                   on_retry, this) >= 0)
        retry_.reset(timer);
}

Status Bus::open() {
    sd_bus* made = nullptr;
    if (const int error = sd_bus_new(&made); error < 0) return fail_errno("D-Bus", "connect", -error);
    bus_.reset(made);
    const std::string address = options_.address.empty() ? kSystemBus : options_.address;
    const auto time = std::chrono::duration_cast<std::chrono::microseconds>(options_.call_time);
    int error = sd_bus_set_address(made, address.c_str());
    if (error >= 0) error = sd_bus_set_bus_client(made, 1);
    if (error >= 0) error = sd_bus_set_watch_bind(made, 1); // waits for the socket's file
    if (error >= 0) error = sd_bus_set_connected_signal(made, 1);
    if (error >= 0) error = sd_bus_set_method_call_timeout(made, static_cast<std::uint64_t>(time.count()));
    if (error >= 0) error = sd_bus_attach_event(made, loop_, SD_EVENT_PRIORITY_NORMAL);
    if (error >= 0)
        error = sd_bus_match_signal_async(made, nullptr, kLocal, kLocalPath, kLocal, "Connected",
                                          on_connected, nullptr, this);
    if (error >= 0)
        error = sd_bus_match_signal_async(made, nullptr, kLocal, kLocalPath, kLocal, "Disconnected",
                                          on_disconnected, nullptr, this);
    if (error >= 0) error = sd_bus_start(made);
    if (error < 0) return fail_errno("D-Bus", "connect to " + address, -error);
    return {};
}

int Bus::on_connected(sd_bus_message*, void* self, sd_bus_error*) {
    Bus& bus = *static_cast<Bus*>(self);
    bus.up_ = true;
    bus.retry_.reset();
    bus.pause_ = bus.options_.first_retry;
    for (const auto& told : bus.told_)
        told(true);
    return 0;
}

int Bus::on_disconnected(sd_bus_message*, void* self, sd_bus_error*) {
    static_cast<Bus*>(self)->lost("D-Bus: the connection has ended");
    return 0;
}

// May be called by the connection that is lost: it is dropped when the pause is over.
void Bus::lost(const std::string& why) {
    error_ = why;
    try_again_after(pause_);
    pause_ = std::min(pause_ * 2, options_.longest_retry);
    if (!up_) return;
    up_ = false;
    for (const auto& told : told_)
        told(false);
}

int Bus::on_retry(sd_event_source*, std::uint64_t, void* self) {
    Bus& bus = *static_cast<Bus*>(self);
    bus.bus_.reset();
    bus.start();
    return 0;
}

Status Bus::call(const BusCall& call, Answer answer) {
    const std::string what = call.interface + "." + call.member;
    if (!up_) return fail(what, "the system bus isn't there");
    sd_bus_message* made = nullptr;
    int error = sd_bus_message_new_method_call(bus_.get(), &made, call.destination.c_str(), call.path.c_str(),
                                               call.interface.c_str(), call.member.c_str());
    if (error < 0) return fail_errno(what, "call", -error);
    const Message message(made);
    if (auto appended = append(made, call.arguments); !appended) return appended;
    if (error = sd_bus_message_set_auto_start(made, call.start_service ? 1 : 0); error < 0)
        return fail_errno(what, "call", -error);
    auto asked = std::make_unique<Asked>(Asked{std::move(answer), what});
    sd_bus_slot* slot = nullptr;
    error = sd_bus_call_async(bus_.get(), &slot, made, on_answer, asked.get(), 0);
    if (error < 0) return fail_errno(what, "call", -error);
    (void)sd_bus_slot_set_destroy_callback(slot, destroy<Asked>);
    (void)asked.release();
    (void)sd_bus_slot_set_floating(slot, 1);
    sd_bus_slot_unref(slot);
    return {};
}

Status Bus::subscribe(const std::string& sender, const std::string& path, const std::string& interface,
                      const std::string& member, Heard heard) {
    if (!up_) return fail(interface + "." + member, "the system bus isn't there");
    auto kept = std::make_unique<Heard>(std::move(heard));
    sd_bus_slot* slot = nullptr;
    const int error =
        sd_bus_match_signal_async(bus_.get(), &slot, sender.c_str(), path.empty() ? nullptr : path.c_str(),
                                  interface.c_str(), member.c_str(), on_signal, nullptr, kept.get());
    if (error < 0) return fail_errno(interface + "." + member, "subscribe", -error);
    (void)sd_bus_slot_set_destroy_callback(slot, destroy<Heard>);
    (void)kept.release();
    (void)sd_bus_slot_set_floating(slot, 1);
    sd_bus_slot_unref(slot);
    return {};
}

} // namespace escort
