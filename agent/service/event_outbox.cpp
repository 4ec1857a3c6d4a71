#include "service/event_outbox.h"

#include "base/file.h"
#include "feed/outbox.h"
#include "output/records.h"
#include "output/session_event.h"

#include <cerrno>
#include <filesystem>
#include <unistd.h>
#include <utility>

namespace escort {

namespace {

constexpr mode_t kEventMode = 0644; // its folder is closed to all but the courier
constexpr std::uint64_t kTellLossNs = 60 * kNsPerSecond;

// About what a signature and base64url add to the claims, and never less.
constexpr std::size_t signed_size(std::size_t claims) {
    return claims * 4 / 3 + 512;
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

EventOutbox::EventOutbox(const Ground& ground, OutboxPlaces places)
    : ground_(ground), places_(std::move(places)), number_(places_.number) {
    write_for(kTurnNs);
}

// What must be there before anything can be written. The folder first: what waits there can be removed
// without a key. A key that can't be read is not replaced: the broker would take another's word for this
// host's.
Status EventOutbox::prepare() {
    if (!listed_)
        if (auto found = find_waiting(); !found) return found;
    if (auto kept = number_.keep(); !kept) return kept;
    if (key_) return {};
    auto key =
        ::access(places_.key.c_str(), F_OK) == 0 ? load_signing_key(places_.key) : make_key(places_.key);
    if (!key) return tl::unexpected(key.error());
    const auto pem = public_pem(*key);
    if (!pem) return fail(places_.key, pem.error().text());
    if (auto written = write_file_atomically(places_.public_key, *pem, 0644); !written) return written;
    key_ = std::move(*key);
    return {};
}

Status EventOutbox::find_waiting() {
    std::error_code error;
    std::filesystem::directory_iterator entries(places_.folder, error);
    for (; !error && entries != std::filesystem::directory_iterator() && files_.size() < kMostEvents;
         entries.increment(error)) {
        const std::string file = entries->path().filename().string();
        if (file.starts_with('.')) ::unlink(entries->path().c_str()); // half-written when it was killed
        const auto name = parse_event_name(file);
        if (!name) continue;
        std::error_code gone;
        const auto size = entries->file_size(gone);
        if (gone || !files_.emplace(file, size).second) continue;
        bytes_ += size;
        number_.at_least(name->number + 1);
    }
    if (error)
        return fail(places_.folder, "list: " + error.message(), "systemd-tmpfiles --create escortd.conf");
    listed_ = true;
    return {};
}

bool EventOutbox::has_room(std::size_t bytes, bool approved) const {
    const std::size_t share = approved ? 1 : 2;
    return unwritten_.size() < kMostUnwritten / share &&
           files_.size() + unwritten_.size() < kMostEvents / share && bytes_ + bytes <= kMostBytes / share;
}

void EventOutbox::offer(const Record& record, const Context& context) {
    if (!is_session_event(record.event)) return;
    const EventName name{number_.take(), ground_.boot, std::string(info(record.event).word)};
    auto claims = session_event_claims(
        record, context, {ground_.host_id, ground_.time.now().trusted, event_id(name), name.number});
    const auto bytes = signed_size(claims.size());
    if (bytes > kSessionEventLimit || !has_room(bytes, record.fields.contains(Field::approval))) {
        dropped_++;
        return;
    }
    bytes_ += bytes;
    unwritten_.push_back({file_name(name), std::move(claims)});
    arm();
}

Status EventOutbox::write(const Unwritten& event) {
    const auto document = sign_jws(*key_, kSessionEventType, event.claims);
    if (!document) return tl::unexpected(document.error());
    // Errors name the folder: one with each event's own name would be another condition each time.
    if (auto placed = place_file(places_.folder + "/." + event.file, places_.folder + "/" + event.file,
                                 *document, kEventMode, Sync::no);
        !placed)
        return fail(places_.folder, placed.error().why);
    files_.emplace(event.file, document->size());
    bytes_ += document->size();
    return {};
}

Status EventOutbox::write_until(std::uint64_t until_boot_ns) {
    if (auto ready = prepare(); !ready) return ready;
    do {
        if (unwritten_.empty()) return {};
        if (auto written = write(unwritten_.front()); !written) return written;
        bytes_ -= signed_size(unwritten_.front().claims.size());
        unwritten_.pop_front();
    } while (boot_ns() < until_boot_ns);
    return {};
}

void EventOutbox::write_for(std::uint64_t ns) {
    const auto written = write_until(boot_ns() + ns);
    if (!written) {
        unwritable_ = true;
        ground_.health.degrade("events", written.error().text(),
                               written.error().hint.empty()
                                   ? "session events for the broker wait in memory until it can be written"
                                   : written.error().hint);
    } else if (std::exchange(unwritable_, false) || (dropped_ == told_ && has_much_room())) {
        ground_.health.recover("events");
    }
}

// Not at the first file that goes: what is full is full again at once.
bool EventOutbox::has_much_room() const {
    return files_.size() + unwritten_.size() < kMostEvents / 4 && bytes_ < kMostBytes / 4;
}

// What somebody else has removed takes no room any more.
void EventOutbox::forget_removed() {
    for (auto each = files_.begin(); each != files_.end();) {
        if (::access((places_.folder + "/" + each->first).c_str(), F_OK) == 0) {
            ++each;
            continue;
        }
        bytes_ -= each->second;
        each = files_.erase(each);
    }
}

void EventOutbox::delivered(const std::vector<std::string>& files) {
    for (const auto& file : files) {
        const auto found = files_.find(file);
        if (found == files_.end()) continue;
        if (::unlink((places_.folder + "/" + file).c_str()) != 0 && errno != ENOENT) continue;
        bytes_ -= found->second;
        files_.erase(found);
    }
}

void EventOutbox::tell_lost() {
    if (dropped_ == told_ || !ground_.journal.write(events_dropped(dropped_ - told_, DropPlace::outbox)))
        return;
    told_ = dropped_;
}

void EventOutbox::tick(std::uint64_t now_boot_ns) {
    write_for(kTurnNs);
    if (dropped_ == told_) return;
    if (!unwritable_)
        ground_.health.degrade("events", "session events for the broker find no room in " + places_.folder,
                               "`escortctl status` says why the courier does not deliver them");
    if (told_boot_ns_ != 0 && now_boot_ns - told_boot_ns_ < kTellLossNs) return;
    told_boot_ns_ = now_boot_ns;
    tell_lost();
    forget_removed();
}

void EventOutbox::flush() {
    for (std::size_t before = unwritten_.size() + 1; !unwritten_.empty() && unwritten_.size() < before;) {
        before = unwritten_.size();
        write_for(kTurnNs);
    }
    dropped_ += unwritten_.size();
    tell_lost();
}

void EventOutbox::arm() {
    if (!turn_) {
        sd_event_source* source = nullptr;
        if (sd_event_add_defer(ground_.loop, &source, on_turn, this) < 0) return; // the next tick writes it
        turn_.reset(source);
        (void)sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
    }
    (void)sd_event_source_set_enabled(turn_.get(), SD_EVENT_ONESHOT);
}

int EventOutbox::on_turn(sd_event_source*, void* self) {
    auto& outbox = *static_cast<EventOutbox*>(self);
    const std::size_t before = outbox.unwritten_.size();
    outbox.write_for(kTurnNs);
    if (!outbox.unwritten_.empty() && outbox.unwritten_.size() < before) outbox.arm();
    return 0;
}

} // namespace escort
