#include "output/journal.h"
#include "output/records.h"
#include "receiver.h"

#include <chrono>
#include <doctest/doctest.h>

using namespace escort;
using escort::test::Receiver;

namespace {

Record numbered(int number) {
    return {Event::session_opened, "number " + std::to_string(number)};
}

bool is_numbered(const std::string& datagram, int number) {
    return datagram.starts_with("MESSAGE=number " + std::to_string(number) + "\n");
}

} // namespace

TEST_CASE("journal: a record arrives as one datagram") {
    Receiver receiver;
    receiver.start();
    Journal journal({"host-1", "kill", "enforce", ""}, receiver.path());
    journal.write(numbered(1));
    const auto datagram = receiver.next();
    REQUIRE(datagram);
    CHECK(is_numbered(*datagram, 1));
    CHECK(datagram->find("\nSYSLOG_IDENTIFIER=escortd\n") != std::string::npos);
    CHECK(journal.counters().sent == 1);
}

TEST_CASE("journal: a receiver that reads nothing blocks nobody; the queue is bounded, the rest is counted") {
    Receiver receiver;
    receiver.start();
    Journal journal({}, receiver.path());
    constexpr int kRecords = 20'000; // more than any max_dgram_qlen and the queue together
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < kRecords; ++i)
        journal.write(numbered(i));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
    const auto full = journal.counters();
    CHECK(full.queued == 3 * Journal::kQueueRecords / 4);
    CHECK(full.sent + full.queued + full.dropped == kRecords);
    CHECK(full.dropped > 0);

    // The receiver goes on: what was kept comes in order, then one record says how many are lost.
    int expected = 0;
    bool reported = false;
    for (int round = 0; round < 20'000 && !reported; ++round) {
        while (const auto datagram = receiver.next()) {
            if (datagram->find("ESCORT_EVENT=events_dropped\n") != std::string::npos) {
                CHECK(
                    datagram->starts_with("MESSAGE=" + std::to_string(full.dropped) + " records were lost"));
                reported = true;
            } else {
                CHECK(is_numbered(*datagram, expected++));
            }
        }
        journal.flush();
    }
    CHECK(reported);
    CHECK(static_cast<std::uint64_t>(expected) == full.sent + full.queued);
    CHECK(journal.counters().queued == 0);
    journal.flush();
    CHECK_FALSE(receiver.next()); // reported once
}

TEST_CASE("journal: what sessions run leaves half of the queue to verdicts, refused ones a quarter to what "
          "is rare") {
    Receiver receiver; // not there yet
    Journal journal({}, receiver.path());
    const auto flood = [&](Event event, const std::string& approval = "",
                           std::size_t records = 2 * Journal::kQueueRecords) {
        for (std::size_t i = 0; i < records; ++i) {
            Record record(event, "one of many");
            record.set(Field::approval, approval);
            journal.write(record);
        }
        return journal.counters().queued;
    };
    CHECK(flood(Event::session_exec) == Journal::kQueueRecords / 2);
    CHECK(journal.counters().dropped == 3 * Journal::kQueueRecords / 2);
    CHECK(flood(Event::session_denied) == 3 * Journal::kQueueRecords / 4);
    CHECK(flood(Event::session_killed, "apr-1", 1) == 3 * Journal::kQueueRecords / 4 + 1);
    CHECK(flood(Event::tamper) == Journal::kQueueRecords);
    CHECK(journal.counters().dropped == 5 * Journal::kQueueRecords + 1);
}

TEST_CASE("journal: no socket yet, and a socket that was made anew") {
    Receiver receiver;
    Journal journal({}, receiver.path());
    journal.write(numbered(1));
    CHECK(journal.counters().queued == 1);
    receiver.start();
    journal.write(numbered(2));
    CHECK(is_numbered(receiver.next().value_or(""), 1));
    CHECK(is_numbered(receiver.next().value_or(""), 2));

    receiver.stop();
    receiver.start();
    journal.write(numbered(3));
    CHECK(is_numbered(receiver.next().value_or(""), 3));
}

TEST_CASE("journal: what is too large for the socket goes as a sealed memory file") {
    Receiver receiver;
    receiver.start();
    Journal journal({}, receiver.path());
    Record record(Event::tamper, std::string(60'000, 'm'));
    // More than a socket's usual send buffer (net.core.wmem_default, 208 KiB).
    for (const Field field : {Field::account, Field::tty, Field::source, Field::ticket, Field::engineer})
        record.set(field, std::string(60'000, 'x'));
    journal.write(record);
    const auto datagram = receiver.next();
    REQUIRE(datagram);
    CHECK(*datagram == encode(record, {}));
    CHECK(receiver.in_files == 1);
}

TEST_CASE("journal: the timer retries while something waits, and not after") {
    Receiver receiver;
    sd_event* loop = nullptr;
    REQUIRE(sd_event_new(&loop) >= 0);
    {
        Journal journal({}, receiver.path());
        REQUIRE(journal.attach(loop));
        CHECK(sd_event_run(loop, 0) == 0); // nothing waits: no timer
        journal.write(numbered(7));
        receiver.start();
        CHECK(sd_event_run(loop, 5'000'000) > 0);
        CHECK(is_numbered(receiver.next().value_or(""), 7));
        CHECK(sd_event_run(loop, 400'000) == 0);
    }
    sd_event_unref(loop);
}

TEST_CASE("journal: what waits goes as soon as there is room, and whoever stopped writing is told") {
    Receiver receiver;
    receiver.start();
    sd_event* loop = nullptr;
    REQUIRE(sd_event_new(&loop) >= 0);
    {
        Journal journal({}, receiver.path());
        REQUIRE(journal.attach(loop));
        int told = 0;
        journal.on_drained = [&] { told++; };
        int written = 0;
        while (!journal.waiting())
            journal.write(numbered(written++));
        CHECK(sd_event_run(loop, 20'000) == 0); // nobody reads: before the timer nothing happens
        CHECK(told == 0);
        int seen = 0;
        while (receiver.next())
            seen++;
        CHECK(seen == written - 1);
        CHECK(sd_event_run(loop, 20'000) > 0); // far below kRetry
        CHECK(told == 1);
        CHECK_FALSE(journal.waiting());
        CHECK(is_numbered(receiver.next().value_or(""), written - 1));
        CHECK(journal.counters().dropped == 0);
    }
    sd_event_unref(loop);
}
