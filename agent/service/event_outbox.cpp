#include "service/event_outbox.h"

#include "base/file.h"
#include "feed/outbox.h"
#include "output/records.h"
#include "output/session_event.h"

#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

namespace escort {

namespace {

constexpr mode_t kEventMode = 0644; // its folder is closed to all but the courier
constexpr std::uint64_t kTellNs = 60 * kNsPerSecond;
constexpr std::size_t kNumberLimit = 64;
// About what a signature and base64url add to the claims.
constexpr std::size_t signed_size(std::size_t claims) {
    return claims * 4 / 3 + 256;
}

// Ed25519, or where the provider has none (FIPS 140-2) P-384.
Result<SigningKey> make_key(const std::string& path) {
    auto key = generate_key(Alg::eddsa);
    if (!key) key = generate_key(Alg::es384);
    if (!key) return key;
    const auto pem = private_pem(*key);
    if (!pem) return fail(path, pem.error().text());
    if (auto written = write_file_atomically(path, *pem, 0600); !written)
        return tl::unexpected(written.error());
    return key;
}

} // namespace

EventOutbox::EventOutbox(const Ground& ground, OutboxPlaces places, SigningKey key)
    : ground_(ground), places_(std::move(places)), key_(std::move(key)) {}

Result<std::unique_ptr<EventOutbox>> EventOutbox::open(const Ground& ground, OutboxPlaces places) {
    auto key = ::access(places.key.c_str(), F_OK) == 0 ? load_signing_key(places.key) : make_key(places.key);
    if (!key) return tl::unexpected(key.error());
    const auto pem = public_pem(*key);
    if (!pem) return fail(places.key, pem.error().text());
    if (auto written = write_file_atomically(places.public_key, *pem, 0644); !written)
        return tl::unexpected(written.error());
    std::unique_ptr<EventOutbox> made(new EventOutbox(ground, std::move(places), std::move(*key)));
    if (auto read = made->read_number(); !read) return tl::unexpected(read.error());
    if (auto found = made->find_waiting(); !found) return tl::unexpected(found.error());
    sd_event_source* source = nullptr;
    if (const int error = sd_event_add_defer(ground.loop, &source, on_turn, made.get()); error < 0)
        return fail_errno("session events", "event source", -error);
    made->turn_.reset(source);
    (void)sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    return made;
}

// "7f3a2c1e 813". Of another boot, or spoilt: from 1 on, or behind what waits.
Status EventOutbox::read_number() {
    const auto text = read_file(places_.number, kNumberLimit);
    if (!text) return {};
    const std::string boot = fmt::format("{:08x} ", ground_.boot);
    if (!text->starts_with(boot)) return {};
    std::uint64_t number = 0;
    if (std::from_chars(text->data() + boot.size(), text->data() + text->size(), number).ec == std::errc())
        next_ = std::max<std::uint64_t>(number, 1);
    return {};
}

Status EventOutbox::find_waiting() {
    std::error_code error;
    std::filesystem::directory_iterator entries(places_.folder, error);
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        const std::string file = entries->path().filename().string();
        if (file.starts_with('.')) ::unlink(entries->path().c_str()); // half-written when it was killed
        const auto name = parse_event_name(file);
        if (!name) continue;
        std::error_code gone;
        const auto size = entries->file_size(gone);
        if (gone) continue;
        files_.emplace(file, size);
        bytes_ += size;
        if (name->boot == ground_.boot) next_ = std::max(next_, name->number + 1);
    }
    if (error)
        return fail(places_.folder, "list: " + error.message(), "systemd-tmpfiles --create escortd.conf");
    return {};
}

bool EventOutbox::has_room(std::size_t bytes, bool approved) const {
    const std::size_t share = approved ? 1 : 2;
    return unwritten_.size() < kMostUnwritten / share &&
           files_.size() + unwritten_.size() < kMostEvents / share && bytes_ + bytes <= kMostBytes / share;
}

void EventOutbox::offer(const Record& record, const Context& context) {
    if (!is_session_event(record.event)) return;
    const EventName name{ground_.time.now().trusted, ground_.boot, next_++,
                         std::string(info(record.event).word)};
    auto claims =
        session_event_claims(record, context, {ground_.host_id, name.at, event_id(name), name.number});
    const auto bytes = signed_size(claims.size());
    if (bytes > kSessionEventLimit || !has_room(bytes, record.fields.contains(Field::approval)))
        return lose();
    bytes_ += bytes;
    unwritten_.push_back({file_name(name), std::move(claims)});
    arm();
}

void EventOutbox::lose() {
    dropped_++;
    ground_.health.degrade("events", "session events for the broker find no room in " + places_.folder,
                           "`escortctl status` says why the courier does not deliver them");
}

Status EventOutbox::write(const Unwritten& event) {
    const auto document = sign_jws(key_, kSessionEventType, event.claims);
    if (!document) return tl::unexpected(document.error());
    const std::string half = places_.folder + "/." + event.file;
    if (auto created = create_file(half, *document, kEventMode, Sync::no); !created) return created;
    const std::string path = places_.folder + "/" + event.file;
    if (::rename(half.c_str(), path.c_str()) != 0) {
        const int error = errno;
        ::unlink(half.c_str());
        return fail_errno(path, "rename", error);
    }
    files_.emplace(event.file, document->size());
    bytes_ += document->size();
    return {};
}

void EventOutbox::write_for(std::uint64_t ns) {
    const std::uint64_t begin = boot_ns();
    // Before the events: no number may ever be given twice.
    const auto number = fmt::format("{:08x} {}", ground_.boot, next_);
    if (auto kept = write_file_atomically(places_.number, number, 0600); !kept)
        ground_.health.degrade("events", kept.error().text(),
                               "check space and permissions of the run folder");
    while (!unwritten_.empty()) {
        const Unwritten event = std::move(unwritten_.front());
        unwritten_.pop_front();
        bytes_ -= signed_size(event.claims.size());
        if (auto written = write(event); !written) {
            dropped_++;
            ground_.health.degrade("events", written.error().text(),
                                   "session events for the broker are lost until it can be written");
        } else if (has_room(0, false)) {
            ground_.health.recover("events");
        }
        if (boot_ns() - begin > ns) break;
    }
}

void EventOutbox::delivered(const std::string& file) {
    if (files_.empty() || files_.begin()->first > file) return;
    for (auto each = files_.begin(); each != files_.end() && each->first <= file;) {
        ::unlink((places_.folder + "/" + each->first).c_str());
        bytes_ -= each->second;
        each = files_.erase(each);
    }
    if (has_room(0, false)) ground_.health.recover("events");
}

void EventOutbox::tick(std::uint64_t now_boot_ns) {
    if (dropped_ == told_ || (told_boot_ns_ != 0 && now_boot_ns - told_boot_ns_ < kTellNs)) return;
    if (!ground_.journal.write(events_dropped(dropped_ - told_, DropPlace::outbox))) return;
    told_ = dropped_;
    told_boot_ns_ = now_boot_ns;
}

void EventOutbox::flush() {
    while (!unwritten_.empty())
        write_for(kTurnNs);
}

void EventOutbox::arm() {
    (void)sd_event_source_set_enabled(turn_.get(), SD_EVENT_ONESHOT);
}

int EventOutbox::on_turn(sd_event_source*, void* self) {
    auto& outbox = *static_cast<EventOutbox*>(self);
    outbox.write_for(kTurnNs);
    if (!outbox.unwritten_.empty()) outbox.arm();
    return 0;
}

} // namespace escort
