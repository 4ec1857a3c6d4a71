// One connection to the system bus that comes back: opened and used without ever waiting, opened again after
// it has broken. Knows nothing of what is said over it.
#pragma once

#include "logind/message.h"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>
#include <vector>

namespace escort {

struct BusOptions {
    std::string address; // empty: the system bus
    std::chrono::milliseconds first_retry{100};
    std::chrono::milliseconds longest_retry{10'000};
    std::chrono::milliseconds call_time{25'000}; // for an answer
};

// A bus that isn't there yet is no error: it is waited for with inotify, and tried again after growing
// pauses. Callbacks run from the loop, never from within a call, and must not destroy the bus.
class Bus {
  public:
    using Answer = std::function<void(Result<MessageReader>)>; // the reader is good within the callback
    using Heard = std::function<void(MessageReader)>;

    explicit Bus(sd_event* loop, BusOptions options = {});
    Bus(const Bus&) = delete;
    Bus& operator=(const Bus&) = delete;
    ~Bus();

    // Told of every connection made and lost, in the order of registration; at once when there is one. After
    // a loss nothing that was subscribed to is. Must be called before start().
    void on_change(std::function<void(bool up)> told) { told_.push_back(std::move(told)); }
    void start();
    [[nodiscard]] bool up() const { return up_; }
    // Why the last connection ended or could not be made; empty: it never did.
    [[nodiscard]] const std::string& error() const { return error_; }

    // Answered once, with what came back or why nothing did; not at all once the bus is destroyed, nor when
    // this fails: it isn't up.
    [[nodiscard]] Status call(const BusCall& call, Answer answer);
    // Signals, only of the owner of that name. An empty path: of any object. Until the connection ends.
    [[nodiscard]] Status subscribe(const std::string& sender, const std::string& path,
                                   const std::string& interface, const std::string& member, Heard heard);

  private:
    struct Unref {
        void operator()(sd_event_source* source) const { sd_event_source_disable_unref(source); }
        void operator()(sd_bus* bus) const { sd_bus_close_unref(bus); }
    };

    static int on_connected(sd_bus_message* message, void* self, sd_bus_error* error);
    static int on_disconnected(sd_bus_message* message, void* self, sd_bus_error* error);
    static int on_retry(sd_event_source* source, std::uint64_t now, void* self);

    [[nodiscard]] Status open();
    void lost(const std::string& why);
    void try_again_after(std::chrono::milliseconds pause);

    sd_event* loop_;
    BusOptions options_;
    std::vector<std::function<void(bool)>> told_;
    std::unique_ptr<sd_bus, Unref> bus_;
    std::unique_ptr<sd_event_source, Unref> retry_;
    std::chrono::milliseconds pause_;
    bool up_ = false;
    std::string error_;
};

} // namespace escort
