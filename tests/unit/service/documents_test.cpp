// The spool and the loop.
#include "service/documents.h"

#include "approvals/store_host.h"
#include "output/receiver.h"

#include <doctest/doctest.h>
#include <sys/eventfd.h>

using namespace escort;
using escort::test::Receiver;

TEST_CASE("documents: a spool full of garbage takes turns with logins, operators and sessions that end") {
    test::store_host::Host host;
    Receiver receiver;
    Journal journal{{}, receiver.path()};
    Health health(journal);
    TrustedTime time;
    Timekeeper keeper(time);
    sd_event* loop = nullptr;
    REQUIRE(sd_event_new(&loop) >= 0);
    {
        Documents documents(*host.store, keeper, journal, health, host.folder.path("spool"));
        REQUIRE(documents.watch(loop));
        const auto waiting = [&] { return host.store->pending()->size(); };
        for (int i = 0; i < 10'000; ++i)
            host.folder.write("spool/" + std::to_string(i) + ".jws", std::string(64, 'x'));
        int others = 0;
        const Fd always(::eventfd(1, EFD_CLOEXEC));
        const auto count = [](sd_event_source*, int, std::uint32_t, void* counted) {
            return ++*static_cast<int*>(counted), 0;
        };
        sd_event_source* other = nullptr;
        REQUIRE(sd_event_add_io(loop, &other, always.get(), EPOLLIN, count, &others) >= 0);

        documents.scan();
        REQUIRE(waiting() > 0); // else this shows nothing
        int turns = 0;
        for (; waiting() > 0 && turns < 100'000; ++turns)
            (void)sd_event_run(loop, 0);
        CHECK(waiting() == 0);
        CHECK(others > turns / 3);
        sd_event_source_unref(other);
    }
    sd_event_unref(loop);
}
